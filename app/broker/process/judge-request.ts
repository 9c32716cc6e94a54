import type { Program } from '../../contract/index.ts';
import { failure, ok, type Result } from '../../kit/index.ts';
import type { CredentialGrant, DestinationVerdict } from '../../policy/index.ts';
import type { Asker } from './asker.ts';
import type { CredentialBook, Finding } from './credential-book.ts';
import { gateEncoded } from './encoded-upload.ts';
import type { EgressFacts, Exchange, Exchanges } from './exchange.ts';
import {
  injectRequest,
  tripCode,
  type Destination,
  type HeaderPairs,
  type HeldCredential,
} from './inject.ts';
import type { JudgedRequest, Leave, Mediation, Mediator } from './mediate.ts';
import type { Refusal } from './refuse.ts';
import type { RequestHead } from './request-head.ts';

/** What is known of a request before it is read: where it goes, for whom, and what stands against it already. */
export type Approach = {
  readonly to: Destination;
  readonly program: Promise<Program | undefined>;
  /** Why no request on this connection can be passed on, whatever it says. */
  readonly refusal: Refusal | undefined;
  readonly verdict: DestinationVerdict;
  /** The target says what may not leave, and is not written down. */
  readonly withheld?: boolean;
};

/** A request as it was sent, and what its reading came to. */
export type Asked = {
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly head: Result<RequestHead, Refusal>;
};

/** A request that may go: its head as read, and what becomes of it. */
export type ReadyRequest = { readonly head: RequestHead; readonly mediation: Mediation };

/** The facts of a request's record before anything is known but its approach. */
export const requestFacts = (to: Destination, protocol: 'h1' | 'h2'): EgressFacts => ({
  verdict: 'denied',
  scheme: to.tls ? 'https' : 'http',
  host: to.host,
  port: to.port,
  protocol,
  inspected: true,
  bytesOut: 0,
  bytesIn: 0,
});

/** Says that a placeholder stood where it must not, on the record and as a refusal. */
export const tripped = (
  exchanges: Exchanges,
  { to, program }: Pick<Approach, 'to' | 'program'>,
  grant: CredentialGrant,
  where: string,
  code: Refusal['code'] = tripCode(grant, to),
): Refusal => {
  const { credential } = grant;
  exchanges.credential({ op: 'tripped', credential, host: to.host, code }, program);
  if (code === 'grant.method' || code === 'grant.path') {
    const what = code === 'grant.method' ? 'method' : 'path';
    return failure(
      code,
      `The credential ${credential} is granted for ${to.host}, but not for the ${what} of this request.`,
      'Ask the person who runs this session for a wider grant, if it should be.',
    );
  }
  return failure(
    code,
    `The placeholder of ${credential} stood in ${where} of a request to ${to.host}.`,
  );
};

/** Says that something that may not leave was on its way out, on the record and as a refusal. */
export const caught = (
  exchanges: Exchanges,
  at: Pick<Approach, 'to' | 'program'>,
  finding: Finding,
  where: string,
  code?: Refusal['code'],
): Refusal =>
  finding.type === 'placeholder'
    ? tripped(exchanges, at, finding.grant, where, code)
    : failure(
        finding.owner.code,
        `${finding.owner.words} stood in ${where} of a request to ${at.to.host}.`,
        'Nothing of it was sent on. If the host may have it, grant the credential for it, or show the file.',
      );

/** Records that a credential was used at a host, the first time that it is. */
export type RecordUse = (grant: CredentialGrant, at: Pick<Approach, 'to' | 'program'>) => void;

export const createRecordUse = (exchanges: Exchanges): RecordUse => {
  const usedAt = new Set<string>();
  return ({ credential }, { to, program }) => {
    const key = `${credential} ${to.host}`;
    if (usedAt.has(key)) return;
    usedAt.add(key);
    exchanges.credential({ op: 'used', credential, host: to.host }, program);
  };
};

export type JudgeDeps = {
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly recordUse: RecordUse;
  /** Asked in order for what they know; the first that takes a request has it. */
  readonly mediators: readonly Mediator[];
  readonly asker: Asker;
};

/** Judges one request of any HTTP version; the exchange is told what was found, its refusal is the caller's. */
export type JudgeRequest = (
  approach: Approach,
  asked: Asked,
  exchange: Exchange,
) => Result<ReadyRequest, Refusal>;

const against = (
  { to, refusal, verdict }: Approach,
  head: Result<RequestHead, Refusal>,
): Refusal | undefined => {
  if (refusal !== undefined) return refusal;
  if (!head.ok) return head.error;
  if (verdict.verdict === 'denied') {
    return failure(
      verdict.code,
      `${to.host}:${String(to.port)} may not be reached from this session (${verdict.rule}).`,
      `If it should be, allow it: --allow ${to.host}:${String(to.port)}.`,
    );
  }
  return !to.tls && to.port === 443
    ? failure('egress.not-tls', 'Plain HTTP is not passed to port 443.')
    : undefined;
};

const BASIC = /^basic +([\w+/=-]+)$/i;

/** What Basic authorisation says: every server reads it, so a value may be spelt in any way once more inside. */
const insideBasic = (headers: HeaderPairs): string[] =>
  headers.flatMap(([, value]) => {
    const [, encoded] = BASIC.exec(value.trim()) ?? [];
    return encoded === undefined ? [] : [Buffer.from(encoded, 'base64').toString('latin1')];
  });

/** A head as one text, for a search through all of it. */
const wholeHead = ({
  method,
  target,
  headers,
}: Pick<JudgedRequest, 'method' | 'target' | 'headers'>): string => {
  let text = `${method} ${target}`;
  for (const [name, value] of headers) text += `\0${name}: ${value}`;
  for (const inside of insideBasic(headers)) text += `\0${inside}`;
  return text;
};

const withoutScope = (held: HeldCredential): HeldCredential => ({
  ...held,
  grant: { ...held.grant, scope: {} },
});

export const createJudge = (deps: JudgeDeps): JudgeRequest => {
  const { book, exchanges, recordUse, mediators, asker } = deps;

  const inject = (
    approach: Approach,
    request: JudgedRequest,
    held = book.held(),
  ): Result<Mediation, Refusal> => {
    const injected = injectRequest(held, request);
    if (injected.type === 'tripped') {
      const { grant, where, code } = injected;
      return { ok: false, error: tripped(exchanges, approach, grant, where, code) };
    }
    const { target, headers, used, body } = injected;
    return ok({ target, headers, used, body, answer: { type: 'stream' } });
  };

  /** What a mediator made of a head may hold no placeholder any more; a held one is looked at when it is released. */
  const leftOver = (approach: Approach, mediation: Mediation): Refusal | undefined => {
    if (mediation.body.type === 'hold') return undefined;
    const bound = { to: approach.to, used: mediation.used };
    const found =
      book.textTrip(mediation.target, bound) ??
      mediation.headers
        .map(([name, value]) => book.textTrip(`${name}: ${value}`, bound))
        .find((finding) => finding !== undefined);
    return found === undefined ? undefined : caught(exchanges, approach, found, 'the head');
  };

  const mediate = (approach: Approach, head: RequestHead): Result<Mediation, Refusal> => {
    const { method, target, headers, framing } = head;
    const bodyBytes =
      framing.type === 'none' ? 0 : framing.type === 'length' ? framing.bytes : undefined;
    const request = { to: approach.to, method, target, headers, bodyBytes };
    const watched = book.watchesValues()
      ? book.watchedIn(wholeHead(request), { to: approach.to })
      : undefined;
    if (watched !== undefined)
      return { ok: false, error: caught(exchanges, approach, watched, 'the head') };
    for (const mediator of mediators) {
      const mediation = mediator(request);
      if (mediation === undefined) continue;
      if (!mediation.ok) return mediation;
      const left = leftOver(approach, mediation.value);
      return left === undefined ? mediation : { ok: false, error: left };
    }
    return inject(approach, request);
  };

  /** A compressed body is searched inside before it goes. */
  const searchDecoded = (
    approach: Approach,
    { framing, headers: sent }: RequestHead,
    mediation: Mediation,
  ): Mediation => {
    if (framing.type === 'none' || !book.watches()) return mediation;
    const encoding = sent
      .filter(([name]) => name.toLowerCase() === 'content-encoding')
      .map(([, value]) => value)
      .join();
    const { target, headers } = mediation;
    // As it was sent: nothing has been put into it yet.
    const body = gateEncoded(
      book,
      encoding,
      mediation.body,
      { target, headers },
      { to: approach.to },
      (finding) => caught(exchanges, approach, finding, 'the body'),
    );
    return body === undefined ? mediation : { ...mediation, body };
  };

  /** Leave to reach a destination that no rule names, then what a mediator wants of its own. */
  const leaveFor = (
    { to, verdict }: Approach,
    { method, target }: RequestHead,
    { used, leave }: Mediation,
  ): Leave | undefined => {
    if (verdict.verdict !== 'ask') return leave;
    const { host, port, tls } = to;
    const [credential] = used;
    return async (waiting) => {
      const given = await asker.ask(
        {
          what: 'destination',
          scheme: tls ? 'https' : 'http',
          host,
          port,
          method,
          path: target,
          ...(credential === undefined ? {} : { credential: credential.credential }),
        },
        waiting,
      );
      return given.ok && leave !== undefined ? leave(waiting) : given;
    };
  };

  return (approach, asked, exchange) => {
    const { head } = asked;
    if (head.ok) exchange.set({ path: head.value.target, rule: approach.verdict.rule });
    else exchange.set({ rule: approach.verdict.rule });
    const refusal = against(approach, head) ?? exchanges.barred();
    if (refusal !== undefined || !head.ok) {
      // A tripwire goes off even where the request is refused anyway: that it is out matters more.
      // Methods and paths are no tripwire: there the request's own refusal says more.
      const request = {
        to: approach.to,
        method: '',
        target: head.ok ? head.value.target : asked.target,
        headers: asked.headers,
        bodyBytes: 0,
      };
      const trip = inject(approach, request, book.held().map(withoutScope));
      if (!trip.ok) return trip;
      const unread = failure('egress.bad-request', 'The request could not be read.');
      return { ok: false, error: refusal ?? unread };
    }
    const mediated = mediate(approach, head.value);
    if (!mediated.ok) return mediated;
    const mediation = searchDecoded(approach, head.value, mediated.value);
    const { used } = mediation;
    const [first] = used;
    const admit = (): void => {
      exchange.set({
        verdict: 'allowed',
        ...(first === undefined ? {} : { credential: first.credential }),
      });
      exchange.open();
      for (const grant of used) recordUse(grant, approach);
    };
    const leave = leaveFor(approach, head.value, mediation);
    if (leave === undefined) {
      admit();
      return ok({ head: head.value, mediation });
    }
    const admitted: Leave = async (waiting) => {
      const given = await leave(waiting);
      if (given.ok) admit();
      return given;
    };
    return ok({ head: head.value, mediation: { ...mediation, leave: admitted } });
  };
};
