import type { EgressDraft } from '../../../contract/index.ts';
import { valueOf, type Answered } from '../http-clients.ts';
import type { Broken } from '../promises.ts';
import type { Ask } from './asks.ts';
import { PLACES } from './held.ts';

/** What a record must say; undefined where more than one thing may be said. */
export type WantedRecord = {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'h1' | 'h2' | 'tcp';
  readonly method: string | undefined;
  readonly path: string | undefined;
  /** Of a path that is masked on the record, what comes before it; the whole path where nothing is. */
  readonly pathBegins: string | undefined;
  readonly verdict: 'allowed' | 'denied';
  readonly status: number | undefined;
  readonly credential: string | undefined;
};

/** The record that one request must have. */
export const recordOf = (ask: Ask, answered: Answered, protocol: 'h1' | 'h2'): WantedRecord => {
  const code = valueOf(answered.headers, 'glovebox-code');
  const denied = ask.expected === 'denied' || (ask.expected === 'either' && code !== undefined);
  return {
    host: PLACES[ask.place],
    port: 443,
    protocol,
    method: ask.method,
    path: ask.target,
    pathBegins: ask.target.slice(0, ask.target.indexOf(`/r/${ask.id}`) + ask.id.length + 3),
    verdict: denied ? 'denied' : 'allowed',
    status: answered.broken ? undefined : answered.status,
    credential: denied ? undefined : ask.credential,
  };
};

/** A value that is watched for is never written down; `x` stands for it. */
const MASK = /x{12,}/;

const pathSays = ({ path }: EgressDraft, wanted: WantedRecord): boolean =>
  path === wanted.path ||
  (path !== undefined &&
    wanted.pathBegins !== undefined &&
    MASK.test(path) &&
    path.startsWith(wanted.pathBegins));

const says = (record: EgressDraft, wanted: WantedRecord): boolean =>
  record.host === wanted.host &&
  record.port === wanted.port &&
  record.protocol === wanted.protocol &&
  record.method === wanted.method &&
  pathSays(record, wanted) &&
  record.verdict === wanted.verdict &&
  (wanted.status === undefined || record.status === wanted.status) &&
  // What was refused may have got as far as a credential.
  (wanted.verdict === 'denied' || record.credential === wanted.credential);

const inShort = ({
  host,
  port,
  protocol,
  method,
  path,
  verdict,
  status,
  credential,
}: WantedRecord | EgressDraft): string =>
  JSON.stringify({ host, port, protocol, method, path, verdict, status, credential });

/** Each thing that happened is on the record once, and nothing else is. */
export const recordsWrong = (
  records: readonly EgressDraft[],
  wanted: readonly WantedRecord[],
): readonly Broken[] => {
  const left = [...records];
  const broken: Broken[] = [];
  for (const want of wanted) {
    const at = left.findIndex((record) => says(record, want));
    if (at < 0) broken.push(`nothing on the record says ${inShort(want)}`);
    else left.splice(at, 1);
  }
  return [...broken, ...left.map((record) => `nothing asked for the record ${inShort(record)}`)];
};
