import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import { planAnswer, planTrailers, withoutDigests, type AnswerPlan } from './answer.ts';
import { streamSource } from './body-source.ts';
import { decodedBody, scrubbing, scrubWhole, searching } from './body-steps.ts';
import { callHeaders, changedFields } from './call-headers.ts';
import type { CredentialBook, Finding } from './credential-book.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import { findingIn } from './encoded-upload.ts';
import { gather, peek } from './gather.ts';
import { safeTrailers } from './hop.ts';
import type {
  AnswerHead,
  Call,
  CallBody,
  CallEvents,
  CallFailure,
  Caller,
  ServerAnswer,
  StartCall,
} from './http-call.ts';
import type { Destination, HeaderPairs } from './inject.ts';
import { caught, type RecordUse } from './judge-request.ts';
import type { Leave, Mediation, Waiting } from './mediate.ts';
import { countingStep, pump, type Pump, type Step } from './pump.ts';
import { refusalStatus, refusalVerdict, type Refusal } from './refuse.ts';
import { fieldOf, lowerName } from './field-name.ts';
import type { RequestHead } from './request-head.ts';
import type { Scrubber } from './scrub.ts';
import type { Hit } from './search.ts';
import { grantCovers } from './trip.ts';
import type { Upgrade, UpgradedEnd, UpgradeRequest } from './upgrade.ts';

/** How long a program that waits for leave to send its body waits at most before we give it, in milliseconds. */
export const CONTINUE_MS = 5000;
/** How long a body may pause before the few bytes that may begin a secret go on, in milliseconds. */
export const PAUSE_MS = 10;
/** How often a request that no server has begun on is sent again. */
export const MAX_RESENDS = 2;

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

const aborted = (): Refusal => failure('egress.aborted', 'The program inside broke off.');

const tooLarge = (what: string, maxBytes: number, status: number): Refusal => ({
  ...failure('egress.too-large', `The ${what} is larger than ${String(maxBytes)} bytes.`),
  status,
});

const EMPTY = Buffer.alloc(0);

/** A request as it leaves, its body apart. */
type Leaving = {
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly framing: RequestHead['framing'];
};

/**
 * Carries one judged request to its server and the answer back, both ways streamed with
 * backpressure, whatever HTTP version it is. Calls `done` once, when the exchange is over; the
 * record is the caller's.
 */
export const forward = (
  deps: ForwardDeps,
  outgoing: Outgoing,
  caller: Caller,
  start: StartCall,
  exchange: Exchange,
  done: () => void,
): void => {
  const { to, head, used } = outgoing;
  let over = false;
  let call: Call | undefined;
  let upload: Pump | undefined;
  let cancelContinue: (() => void) | undefined;
  let resends = 0;
  let bytesOut = 0;
  let bytesIn = 0;
  let scrubbed = 0;
  let gone: AbortController | undefined;

  const later = (task: () => void): (() => void) => deps.clock.after(PAUSE_MS, task);

  const finish = (): void => {
    if (over) return;
    over = true;
    gone?.abort();
    cancelContinue?.();
    upload?.discard();
    exchange.set({ bytesOut, bytesIn, ...(scrubbed > 0 ? { scrubbed } : {}) });
    done();
  };

  const fail = (refusal: Refusal, verdict = refusalVerdict(refusal), readOn = true): void => {
    if (over) return;
    exchange.refuse(refusal, verdict);
    if (!caller.answered()) exchange.set({ status: refusalStatus(refusal) });
    upload?.discard();
    caller.refuse(refusal, readOn);
    call?.cancel();
    finish();
  };

  const broke = (failed?: unknown): void => {
    const code = failed instanceof Error && 'code' in failed ? String(failed.code) : 'closed';
    fail(failure('egress.upstream-broke', `${to.host} broke off the exchange (${code}).`));
  };

  const answerBroke =
    (answer: ServerAnswer) =>
    (failed?: Error): void => {
      const code = answer.resetCode();
      if (code === undefined || caller.version === 'h1' || over) {
        broke(failed);
        return;
      }
      const why = `${to.host} broke off the exchange (reset ${String(code)}).`;
      exchange.refuse(failure('egress.upstream-broke', why), 'allowed');
      caller.breakOff(code);
      finish();
    };

  /** A mediator or a body that cannot be carried through for a reason of our own. */
  const bug = (): void => {
    fail(failure('egress.bad-request', 'The request could not be carried out.'));
  };

  const onTrip = (finding: Finding, where: string): void => {
    fail(caught(deps.exchanges, outgoing, finding, where), 'denied');
  };

  caller.onMalformed((refusal) => fail(refusal, 'denied', false));

  caller.onOver((complete) => {
    if (over) return;
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

  // --- the answer ---------------------------------------------------------------------------

  const begin = (
    status: number,
    plan: Pick<AnswerPlan, 'reason' | 'headers'>,
    follows: AnswerHead['follows'] = 'more',
  ): void => {
    try {
      caller.begin({ status, reason: plan.reason, headers: plan.headers, follows });
    } catch {
      // Something in the answer that Node would not write again, such as a broken reason phrase.
      fail(failure('egress.upstream-broke', `${to.host} sent an answer that cannot be passed on.`));
    }
  };

  const endAnswer = (scrubber: Scrubber, trailers: HeaderPairs, last?: Buffer): void => {
    const planned = planTrailers(scrubber, safeTrailers(trailers));
    scrubbed += planned.hits;
    caller.end(planned.pairs, last);
  };

  /** Sends a body that is whole in our hands, scrubbed, with its length told. */
  const sendWhole = (
    scrubber: Scrubber,
    status: number,
    plan: Pick<AnswerPlan, 'reason' | 'headers'>,
    parts: readonly Buffer[],
    trailers: HeaderPairs,
  ): void => {
    const { body, hits } = scrubWhole(scrubber.stream(), parts);
    scrubbed += hits;
    bytesIn += body.length;
    const headers = (hits > 0 ? withoutDigests(plan.headers) : plan.headers).filter(
      ([name]) => lowerName(name) !== 'content-length',
    );
    const { reason } = plan;
    begin(
      status,
      { reason, headers: [...headers, ['Content-Length', String(body.length)]] },
      'whole',
    );
    if (!over) endAnswer(scrubber, trailers, body);
  };

  const holdAnswer = async (answer: ServerAnswer, plan: AnswerPlan): Promise<void> => {
    if (outgoing.answer.type !== 'hold') return;
    const { maxBytes, release } = outgoing.answer;
    const encoding = plan.body.type === 'scrub' ? plan.body.encoding : undefined;
    const gathered = await gather(decodedBody(answer.body, encoding), maxBytes);
    if (over) return;
    if (gathered.type === 'broke') {
      broke();
      return;
    }
    if (gathered.type === 'too-large') {
      fail(tooLarge('answer', maxBytes, 502), 'allowed');
      return;
    }
    const released = await release({
      status: answer.status,
      headers: plan.headers,
      body: gathered.body,
    });
    if (over) return;
    if (!released.ok) {
      fail(released.error, 'allowed');
      return;
    }
    const { status, body } = released.value;
    exchange.set({ status });
    // What was minted while the answer was held is a secret too.
    const latest = deps.book.scrubber();
    const headers = planTrailers(latest, withoutDigests(released.value.headers));
    scrubbed += headers.hits;
    sendWhole(latest, status, { reason: plan.reason, headers: headers.pairs }, [body], []);
  };

  const onAnswer = (answer: ServerAnswer): void => {
    cancelContinue?.();
    const scrubber = deps.book.scrubber();
    const plan = planAnswer(scrubber, {
      status: answer.status,
      reason: answer.reason,
      headers: answer.headers,
      method: head.method,
      version: caller.version,
      readable: readable(),
    });
    if ('code' in plan) {
      fail(plan, 'allowed');
      return;
    }
    const { body } = plan;
    exchange.set({ status: answer.status });
    scrubbed += plan.hits;
    if (outgoing.answer.type === 'hold') {
      // Unsearched where no secret is held, but decoded all the same: a mediator reads it.
      holdAnswer(answer, plan).catch(bug);
      return;
    }
    if (answer.last && caller.version === 'h2') {
      begin(answer.status, plan, 'nothing');
      return;
    }
    if (body.type === 'scrub' && body.collect) {
      const parts: Buffer[] = [];
      const collect: Step = { push: (chunk) => (parts.push(chunk), []), end: () => [] };
      const ended = (): void => {
        sendWhole(scrubber, answer.status, plan, parts, answer.trailers());
      };
      pump(answer.body, caller.sink, collect, { ended, broke: answerBroke(answer), later });
      return;
    }
    const source = decodedBody(answer.body, body.type === 'scrub' ? body.encoding : undefined);
    const step =
      body.type === 'scrub'
        ? scrubbing(scrubber.stream(body.sameLength), (bytes, hits) => {
            bytesIn += bytes;
            scrubbed += hits;
          })
        : countingStep((bytes) => {
            bytesIn += bytes;
          });
    begin(answer.status, plan);
    if (over) return;
    pump(source, caller.sink, step, {
      ended: () => endAnswer(scrubber, answer.trailers()),
      broke: answerBroke(answer),
      later,
    });
  };

  const onUpgrade = (
    answer: { readonly status: number; readonly headers: HeaderPairs },
    outer: UpgradedEnd,
  ): void => {
    cancelContinue?.();
    const { upgrade } = outgoing;
    const refuse = (refusal: Refusal): void => {
      outer.stream.destroy();
      fail(refusal, 'allowed');
    };
    if (upgrade === undefined) {
      const why = `${to.host} changed protocols without being asked.`;
      refuse(failure('egress.upgrade-refused', why));
      return;
    }
    const confirmed = upgrade.by.confirm(upgrade.request, answer);
    if (!confirmed.ok) {
      refuse(confirmed.error);
      return;
    }
    const planned = planTrailers(deps.book.scrubber(), confirmed.value);
    scrubbed += planned.hits;
    exchange.set({ status: answer.status });
    const inner = caller.upgrade(planned.pairs);
    const { request } = upgrade;
    const ends = { request, used, program: outgoing.program, answer, inner, outer, exchange };
    // From here on the exchange's counts are the protocol's own.
    over = true;
    const join = async (): Promise<void> => {
      try {
        await upgrade.by.join(ends);
      } finally {
        inner.stream.destroy();
        outer.stream.destroy();
        done();
      }
    };
    void join();
  };

  // --- the request --------------------------------------------------------------------------

  const readable = (): boolean =>
    deps.book.held().some(({ grant }) => grantCovers(grant, to.host, to.port));

  const uploadStep = (): Step => {
    const count = (bytes: number): void => {
      bytesOut += bytes;
    };
    const { book } = deps;
    if (!book.watches()) return countingStep(count);
    const stops = (hit: Hit): boolean => {
      const found = book.findingOf(hit);
      if (found !== undefined) onTrip(found, 'the body');
      return found !== undefined;
    };
    return searching(book.bodyTrip(), stops, count);
  };

  /** The trailers of a body that has come to its end; undefined where one tripped. */
  const trailersToSend = (): HeaderPairs | undefined => {
    const trailers = safeTrailers(caller.trailers());
    const found = trailers
      .map(([name, value]) => deps.book.textTrip(`${name}: ${value}`))
      .find((finding) => finding !== undefined);
    if (found === undefined) return trailers;
    onTrip(found, 'a trailer');
    return undefined;
  };

  const finishUpload = (body: CallBody): void => {
    // It broke off and only looks ended: the program's own end follows and tells the server.
    if (!caller.arrived()) return;
    const trailers = trailersToSend();
    if (trailers !== undefined) body.finish(trailers);
  };

  const send = (leaving: Leaving, onReady: (body: CallBody) => void, replayable: boolean): void => {
    if (over) return;
    let answered = false;
    const failed = ({ refusal, unprocessed, resetCode }: CallFailure): void => {
      if (over) return;
      // Nothing was done with it that could have counted twice.
      const harmless =
        unprocessed === 'surely' || (unprocessed === 'perhaps' && RESENDABLE.has(head.method));
      if (harmless && replayable && !answered && resends < MAX_RESENDS) {
        resends += 1;
        send(leaving, onReady, replayable);
        return;
      }
      if (resetCode !== undefined && caller.version === 'h2') {
        exchange.refuse(refusal, refusalVerdict(refusal));
        caller.breakOff(resetCode);
        finish();
        return;
      }
      fail(refusal);
    };
    const events: CallEvents = {
      onAddress: (address) => exchange.set({ address }),
      onReady,
      onContinue: () => {
        cancelContinue?.();
        if (!over) caller.goOn();
      },
      onInformation: (status, headers) => {
        if (over) return;
        const planned = planTrailers(deps.book.scrubber(), safeTrailers(headers));
        scrubbed += planned.hits;
        caller.inform(status, planned.pairs);
      },
      onAnswer: (answer) => {
        if (over) return;
        answered = true;
        onAnswer(answer);
      },
      onUpgrade: (answer, end) => {
        if (over) end.stream.destroy();
        else onUpgrade(answer, end);
      },
      onFailure: failed,
    };
    const { target, headers, framing } = leaving;
    call = start(
      {
        method: head.method,
        target,
        framing,
        authority: fieldOf(headers, 'host') ?? '',
        headers: callHeaders(headers, {
          readable: readable(),
          injected: used.length > 0,
          sealed: outgoing.sealed === true,
          held: outgoing.body.type !== 'stream',
          framing,
          version: caller.version,
        }),
        sensitive: () => (used.length > 0 ? changedFields(head.headers, headers) : []),
        protocol: outgoing.upgrade?.by.protocol,
      },
      events,
    );
    // A body that was there already may have tripped before there was a call to give up.
    if (over) call.cancel();
  };

  const sendWithBody = (soFar: Buffer, ended: boolean): void => {
    const { target, headers } = outgoing;
    const { framing } = head;
    const onReady = (body: CallBody): void => {
      const step = uploadStep();
      if (soFar.length > 0) {
        const out = step.push(soFar);
        if (out === undefined) return;
        for (const part of out) body.write(part);
      }
      if (ended) {
        const out = step.end();
        if (out === undefined) return;
        for (const part of out) body.write(part);
        finishUpload(body);
        return;
      }
      if (over) return;
      upload = pump(streamSource(caller.body), body, step, {
        ended: () => finishUpload(body),
        // What breaks an upload shows as the program's own end, or as an early answer.
        broke: () => undefined,
        later,
      });
      if (head.expectsContinue && outgoing.body.type === 'stream') {
        cancelContinue = deps.clock.after(CONTINUE_MS, () => {
          if (!over && !caller.answered()) caller.goOn();
        });
      }
    };
    send({ target, headers, framing }, onReady, false);
  };

  const sendEmpty = (): void => {
    const { target, headers } = outgoing;
    send({ target, headers, framing: { type: 'none' } }, (body) => body.finish([]), true);
  };

  /** What a mediator lets go is looked at once more: it may hold no placeholder any longer. */
  const foundIn = (target: string, headers: HeaderPairs, body: Buffer): Finding | undefined => {
    const { book } = deps;
    const inHead =
      book.textTrip(target) ??
      headers
        .map(([name, value]) => book.textTrip(`${name}: ${value}`))
        .find((finding) => finding !== undefined);
    return inHead ?? findingIn(book, body);
  };

  const sendHeld = async (): Promise<void> => {
    if (outgoing.body.type !== 'hold') return;
    const { maxBytes, release } = outgoing.body;
    const { framing } = head;
    if (framing.type === 'length' && framing.bytes > maxBytes) {
      fail(tooLarge('request body', maxBytes, 413));
      return;
    }
    if (head.expectsContinue) caller.goOn();
    const gathered =
      framing.type === 'none'
        ? ({ type: 'whole', body: EMPTY } as const)
        : await gather(streamSource(caller.body), maxBytes);
    if (over || gathered.type === 'broke') return;
    if (gathered.type === 'too-large') {
      fail(tooLarge('request body', maxBytes, 413));
      return;
    }
    const released = await release(gathered.body);
    if (over) return;
    if (!released.ok) {
      fail(released.error, 'denied');
      return;
    }
    const { target, headers, body, used: usedInBody = [] } = released.value;
    const left = foundIn(target, headers, body);
    if (left !== undefined) {
      onTrip(left, 'what was held');
      return;
    }
    const trailers = trailersToSend();
    if (trailers === undefined) return;
    const [first] = usedInBody;
    if (first !== undefined && used.length === 0) exchange.set({ credential: first.credential });
    for (const grant of usedInBody) deps.recordUse(grant, outgoing);
    const bare = framing.type === 'none' && body.length === 0;
    const trailing = trailers.length > 0;
    const leaving: Leaving = {
      target,
      headers: trailing ? headers : headers.filter(([name]) => name.toLowerCase() !== 'trailer'),
      framing: bare
        ? { type: 'none' }
        : trailing
          ? { type: 'chunked' }
          : { type: 'length', bytes: body.length },
    };
    const onReady = (sink: CallBody): void => {
      bytesOut = body.length;
      if (body.length > 0) sink.write(body);
      sink.finish(trailers);
    };
    send(leaving, onReady, true);
  };

  const waiting = (): Waiting => ({
    program: outgoing.program,
    signal: (gone ??= new AbortController()).signal,
    onAsked: (asked) => exchange.set({ asked }),
  });

  const sendPeeked = async (): Promise<void> => {
    if (outgoing.body.type !== 'peek') return;
    const { maxBytes, read } = outgoing.body;
    if (head.framing.type === 'none') {
      const seen = await read(EMPTY, true, waiting());
      if (over) return;
      if (seen.ok) sendEmpty();
      else fail(seen.error, 'denied');
      return;
    }
    if (head.expectsContinue) caller.goOn();
    const peeked = await peek(caller.body, maxBytes, async (soFar, last) => {
      const result = await read(soFar, last, waiting());
      return result.ok && result.value === 'more' ? 'more' : result;
    });
    if (over || peeked.type === 'broke') return;
    if (peeked.type === 'too-large') {
      fail(tooLarge('beginning of the request body', maxBytes, 413));
    } else if (peeked.value.ok) {
      sendWithBody(peeked.soFar, peeked.ended);
    } else {
      fail(peeked.value.error, 'denied');
    }
  };

  const sendAll = (): void => {
    if (outgoing.body.type === 'hold') sendHeld().catch(bug);
    else if (outgoing.body.type === 'peek') sendPeeked().catch(bug);
    else if (head.framing.type === 'none' && outgoing.upgrade === undefined) sendEmpty();
    else if (outgoing.upgrade !== undefined) {
      const { target, headers } = outgoing;
      send({ target, headers, framing: { type: 'none' } }, () => undefined, false);
    } else sendWithBody(EMPTY, false);
  };

  const sendWithLeave = async (leave: Leave): Promise<void> => {
    const way = waiting();
    // A person is not asked on behalf of nobody; a program that only ended its side gets a refusal to read.
    const stay = caller.onLeft(() => gone?.abort());
    const given = await leave(way);
    stay();
    if (over) return;
    if (given.ok) sendAll();
    else fail(given.error, 'denied');
  };

  if (outgoing.leave === undefined) sendAll();
  else sendWithLeave(outgoing.leave).catch(bug);
};

/** Methods whose requests may be sent twice (RFC 9110 9.2.2). */
const RESENDABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
