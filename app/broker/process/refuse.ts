import type { Code } from '../../contract/index.ts';
import type { Failure } from '../../kit/index.ts';

/** A refusal in the words of a protocol whose clients show no other. Framing is not its own. */
export type RefusalAnswer = {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
};

/** An expected failure on its way to the program inside, as an HTTP answer. */
export type Refusal = Failure<Code> & {
  /** Told instead of the usual JSON. */
  readonly answer?: RefusalAnswer;
  /** Told instead of the code's usual status. */
  readonly status?: number;
};

const STATUS: Partial<Record<Code, number>> = {
  'egress.authority-mismatch': 421,
  'egress.bad-request': 400,
  'egress.bad-path': 400,
  'egress.bad-host': 400,
  'egress.too-large': 431,
  'egress.too-many': 503,
  'egress.unrecorded': 503,
  'egress.timeout': 504,
  'egress.name-not-found': 502,
  'egress.upstream-unverified': 502,
  'egress.upstream-unreachable': 502,
  'egress.upstream-broke': 502,
  'egress.websocket-handshake': 502,
  'scrub.unreadable': 502,
};

/** The HTTP status that a refusal is told with: 403 for every verdict of policy. */
export const refusalStatus = ({
  code,
  answer,
  status,
}: Pick<Refusal, 'code' | 'answer' | 'status'>): number =>
  answer?.status ?? status ?? STATUS[code] ?? 403;

/** What only shows when a request that was allowed is carried out. */
const FAILURES: ReadonlySet<Code> = new Set<Code>([
  'egress.timeout',
  'egress.name-not-found',
  'egress.upstream-unverified',
  'egress.upstream-unreachable',
  'egress.upstream-broke',
]);

/** Whether a refusal says that something was denied, or that something allowed failed. */
export const refusalVerdict = ({ code }: Pick<Refusal, 'code'>): 'allowed' | 'denied' =>
  FAILURES.has(code) ? 'allowed' : 'denied';

export const refusalBody = ({ code, message, hint, answer }: Refusal): Buffer =>
  answer?.body ??
  Buffer.from(
    `${JSON.stringify({ error: { code, message, ...(hint === undefined ? {} : { hint }) } })}\n`,
  );

/** The header fields of a refusal; the connection ends with it, so that nothing unread is taken for a request. */
export const refusalHeaders = (refusal: Refusal, body: Buffer): string[] => [
  ...(refusal.answer?.headers ?? [['content-type', 'application/json']]).flat(),
  'glovebox-code',
  refusal.code,
  'content-length',
  String(body.length),
  'cache-control',
  'no-store',
  'connection',
  'close',
];

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** A whole HTTP/1.1 answer as bytes, for requests that could not even be parsed. */
export const refusalMessage = (refusal: Refusal): Buffer => {
  const body = refusalBody(refusal);
  const status = refusalStatus(refusal);
  const fields = refusalHeaders(refusal, body);
  let head = `HTTP/1.1 ${String(status)} ${REASONS[status] ?? 'Refused'}\r\n`;
  for (let index = 0; index < fields.length; index += 2) {
    head += `${String(fields[index])}: ${String(fields[index + 1])}\r\n`;
  }
  return Buffer.concat([Buffer.from(`${head}\r\n`), body]);
};
