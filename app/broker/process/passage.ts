import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import type { CredentialBook, Finding } from './credential-book.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import type { Call, Caller, ServerAnswer } from './http-call.ts';
import type { Destination } from './inject.ts';
import { caught, type RecordUse } from './judge-request.ts';
import type { Mediation } from './mediate.ts';
import type { Pump } from './pump.ts';
import { refusalStatus, refusalVerdict, type Refusal } from './refuse.ts';
import type { RequestHead } from './request-head.ts';
import { grantCovers } from './trip.ts';
import type { Upgrade, UpgradeRequest } from './upgrade.ts';

/** How long a body may pause before the few bytes that may begin a secret go on, in milliseconds. */
export const PAUSE_MS = 10;

export type ForwardDeps = {
  readonly clock: Clock;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly recordUse: RecordUse;
};

/** A judged request, ready to go: target and headers have the real values in place. */
export type Outgoing = Mediation & {
  readonly to: Destination;
  readonly head: RequestHead;
  readonly program: Promise<Program | undefined>;
  /** The protocol that the request changes to, with the request as that protocol knows it. */
  readonly upgrade?: { readonly by: Upgrade; readonly request: UpgradeRequest };
};

/** What is under way for a request, to be given up when it is over. */
type UnderWay = {
  call: Call | undefined;
  upload: Pump | undefined;
  /** Undoes the wait for the server's leave to send the body. */
  cancelContinue: (() => void) | undefined;
  /** Tells those who wait for an answer of the person that the program is gone. */
  gone: AbortController | undefined;
};

/** One judged request on its way and its answer on the way back: what both directions share. */
export type Passage = {
  readonly deps: ForwardDeps;
  readonly outgoing: Outgoing;
  readonly caller: Caller;
  readonly exchange: Exchange;
  readonly underWay: UnderWay;
  /** What has been carried so far, for the record. */
  readonly counts: { bytesOut: number; bytesIn: number; scrubbed: number };
  readonly over: () => boolean;
  /** Whether a credential may go where the request goes: then all of the answer has to be readable. */
  readonly readable: () => boolean;
  /** Runs a task after a short pause; what it gives undoes that. */
  readonly later: (task: () => void) => () => void;
  /** Ends it with a refusal, for the program and on the record. */
  readonly fail: (refusal: Refusal, verdict?: 'allowed' | 'denied', readOn?: boolean) => void;
  /** Ends it where an HTTP/2 server broke off with a code, the same way. */
  readonly breakOff: (
    refusal: Refusal,
    code: number | undefined,
    verdict?: 'allowed' | 'denied',
  ) => void;
  /** The server broke off. */
  readonly broke: (failed?: unknown) => void;
  readonly answerBroke: (answer: ServerAnswer) => (failed?: Error) => void;
  /** A mediator or a body that cannot be carried through for a reason of our own. */
  readonly bug: () => void;
  readonly onTrip: (finding: Finding, where: string) => void;
  /** The protocol has changed: the exchange's counts are that protocol's own, and so is its end. */
  readonly handOver: () => () => void;
};

const aborted = (): Refusal => failure('egress.aborted', 'The program inside broke off.');

export const tooLarge = (what: string, maxBytes: number, status: number): Refusal => ({
  ...failure('egress.too-large', `The ${what} is larger than ${String(maxBytes)} bytes.`),
  status,
});

/** Opens the passage of one request. Calls `done` once, when the exchange is over. */
export const openPassage = (
  deps: ForwardDeps,
  outgoing: Outgoing,
  caller: Caller,
  exchange: Exchange,
  done: () => void,
): Passage => {
  const { to } = outgoing;
  const counts = { bytesOut: 0, bytesIn: 0, scrubbed: 0 };
  const underWay: UnderWay = {
    call: undefined,
    upload: undefined,
    cancelContinue: undefined,
    gone: undefined,
  };
  let over = false;

  const finish = (): void => {
    if (over) return;
    over = true;
    underWay.gone?.abort();
    underWay.cancelContinue?.();
    underWay.upload?.discard();
    const { bytesOut, bytesIn, scrubbed } = counts;
    exchange.set({ bytesOut, bytesIn, ...(scrubbed > 0 ? { scrubbed } : {}) });
    done();
  };

  const fail = (refusal: Refusal, verdict = refusalVerdict(refusal), readOn = true): void => {
    if (over) return;
    exchange.refuse(refusal, verdict);
    if (!caller.answered()) exchange.set({ status: refusalStatus(refusal) });
    underWay.upload?.discard();
    caller.refuse(refusal, readOn);
    underWay.call?.cancel();
    finish();
  };

  const breakOff = (
    refusal: Refusal,
    code: number | undefined,
    verdict = refusalVerdict(refusal),
  ): void => {
    if (code === undefined || caller.version === 'h1' || over) {
      fail(refusal, verdict);
      return;
    }
    exchange.refuse(refusal, verdict);
    caller.breakOff(code);
    finish();
  };

  const brokeWith = (how: string): Refusal =>
    failure('egress.upstream-broke', `${to.host} broke off the exchange (${how}).`);
  const broke = (failed?: unknown): void => {
    fail(brokeWith(failed instanceof Error && 'code' in failed ? String(failed.code) : 'closed'));
  };

  caller.onMalformed((refusal) => fail(refusal, 'denied', false));

  caller.onOver((complete) => {
    if (over) return;
    const { call } = underWay;
    if (complete) {
      // An early answer: the server has said all it will, the rest of the upload is of no use.
      if (!caller.arrived()) call?.cancel();
      finish();
      return;
    }
    exchange.refuse(aborted(), 'allowed');
    call?.cancel(caller.resetCode());
    finish();
  });

  return {
    deps,
    outgoing,
    caller,
    exchange,
    underWay,
    counts,
    over: () => over,
    readable: () => deps.book.held().some(({ grant }) => grantCovers(grant, to.host, to.port)),
    later: (task) => deps.clock.after(PAUSE_MS, task),
    fail,
    breakOff,
    broke,
    answerBroke: (answer) => (failed) => {
      const code = answer.resetCode();
      if (code === undefined) broke(failed);
      else breakOff(brokeWith(`reset ${String(code)}`), code, 'allowed');
    },
    bug: () => fail(failure('egress.bad-request', 'The request could not be carried out.')),
    onTrip: (finding, where) => fail(caught(deps.exchanges, outgoing, finding, where), 'denied'),
    handOver: () => {
      over = true;
      return done;
    },
  };
};
