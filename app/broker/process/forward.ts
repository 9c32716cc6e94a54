import { streamSource } from './body-source.ts';
import { searching } from './body-steps.ts';
import { callHeaders, changedFields } from './call-headers.ts';
import type { Finding } from './credential-book.ts';
import { findingIn } from './encoded-upload.ts';
import type { Exchange } from './exchange.ts';
import { fieldOf } from './field-name.ts';
import { forwardAnswer } from './forward-answer.ts';
import { gather, peek } from './gather.ts';
import { safeTrailers } from './hop.ts';
import type { CallBody, CallEvents, CallFailure, Caller, StartCall } from './http-call.ts';
import type { HeaderPairs } from './inject.ts';
import type { Leave, Released, Waiting } from './mediate.ts';
import { openPassage, tooLarge, type ForwardDeps, type Outgoing } from './passage.ts';
import { countingStep, pump, type Step } from './pump.ts';
import type { RequestHead } from './request-head.ts';
import type { Hit } from './search.ts';

/** How long a program that waits for leave to send its body waits at most before we give it, in milliseconds. */
export const CONTINUE_MS = 5000;
/** How often a request that no server has begun on is sent again. */
export const MAX_RESENDS = 2;
/** Methods whose requests may be sent twice (RFC 9110 9.2.2). */
const RESENDABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

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
  const { head, used } = outgoing;
  const passage = openPassage(deps, outgoing, caller, exchange, done);
  const { underWay, counts, over, fail, onTrip, later, readable } = passage;
  const answers = forwardAnswer(passage);
  let resends = 0;

  const uploadStep = (): Step => {
    const count = (bytes: number): void => {
      counts.bytesOut += bytes;
    };
    const { book } = deps;
    if (!book.watches()) return countingStep(count);
    const stops = (hit: Hit): boolean => {
      const found = book.findingOf(hit);
      if (found !== undefined) onTrip(found, 'the body');
      return found !== undefined;
    };
    return searching(book.bodyTrip(outgoing), stops, count);
  };

  /** The trailers of a body that has come to its end; undefined where one tripped. */
  const trailersToSend = (): HeaderPairs | undefined => {
    const trailers = safeTrailers(caller.trailers());
    const found = trailers
      .map(([name, value]) => deps.book.textTrip(`${name}: ${value}`, outgoing))
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
    if (over()) return;
    let answered = false;
    const failed = ({ refusal, unprocessed, resetCode }: CallFailure): void => {
      if (over()) return;
      // Nothing was done with it that could have counted twice.
      const harmless =
        unprocessed === 'surely' || (unprocessed === 'perhaps' && RESENDABLE.has(head.method));
      if (harmless && replayable && !answered && resends < MAX_RESENDS) {
        resends += 1;
        send(leaving, onReady, replayable);
        return;
      }
      passage.breakOff(refusal, resetCode);
    };
    const events: CallEvents = {
      onAddress: (address) => exchange.set({ address }),
      onReady,
      onContinue: () => {
        underWay.cancelContinue?.();
        if (!over()) caller.goOn();
      },
      onInformation: (status, headers) => {
        if (!over()) answers.onInformation(status, headers);
      },
      onAnswer: (answer) => {
        if (over()) return;
        answered = true;
        answers.onAnswer(answer);
      },
      onUpgrade: (answer, end) => {
        if (over()) end.stream.destroy();
        else answers.onUpgrade(answer, end);
      },
      onFailure: failed,
    };
    const { target, headers, framing } = leaving;
    underWay.call = start(
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
    if (over()) underWay.call.cancel();
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
      if (over()) return;
      underWay.upload = pump(streamSource(caller.body), body, step, {
        ended: () => finishUpload(body),
        // What breaks an upload shows as the program's own end, or as an early answer.
        broke: () => undefined,
        later,
      });
      if (head.expectsContinue && outgoing.body.type === 'stream') {
        underWay.cancelContinue = deps.clock.after(CONTINUE_MS, () => {
          if (!over() && !caller.answered()) caller.goOn();
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
  const foundIn = ({
    target,
    headers,
    body,
    used: usedInBody = [],
  }: Released): Finding | undefined => {
    const { book } = deps;
    const bound = { to: outgoing.to, used: [...used, ...usedInBody] };
    const inHead =
      book.textTrip(target, bound) ??
      headers
        .map(([name, value]) => book.textTrip(`${name}: ${value}`, bound))
        .find((finding) => finding !== undefined);
    return inHead ?? findingIn(book, body, bound);
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
    if (over() || gathered.type === 'broke') return;
    if (gathered.type === 'too-large') {
      fail(tooLarge('request body', maxBytes, 413));
      return;
    }
    const released = await release(gathered.body);
    if (over()) return;
    if (!released.ok) {
      fail(released.error, 'denied');
      return;
    }
    const { target, headers, body, used: usedInBody = [] } = released.value;
    const left = foundIn(released.value);
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
      counts.bytesOut = body.length;
      if (body.length > 0) sink.write(body);
      sink.finish(trailers);
    };
    send(leaving, onReady, true);
  };

  const waiting = (): Waiting => ({
    program: outgoing.program,
    signal: (underWay.gone ??= new AbortController()).signal,
    onAsked: (asked) => exchange.set({ asked }),
  });

  const sendPeeked = async (): Promise<void> => {
    if (outgoing.body.type !== 'peek') return;
    const { maxBytes, read } = outgoing.body;
    if (head.framing.type === 'none') {
      const seen = await read(EMPTY, true, waiting());
      if (over()) return;
      if (seen.ok) sendEmpty();
      else fail(seen.error, 'denied');
      return;
    }
    if (head.expectsContinue) caller.goOn();
    const peeked = await peek(caller.body, maxBytes, async (soFar, last) => {
      const result = await read(soFar, last, waiting());
      return result.ok && result.value === 'more' ? 'more' : result;
    });
    if (over() || peeked.type === 'broke') return;
    if (peeked.type === 'too-large') {
      fail(tooLarge('beginning of the request body', maxBytes, 413));
    } else if (peeked.value.ok) {
      sendWithBody(peeked.soFar, peeked.ended);
    } else {
      fail(peeked.value.error, 'denied');
    }
  };

  const sendAll = (): void => {
    if (outgoing.body.type === 'hold') sendHeld().catch(passage.bug);
    else if (outgoing.body.type === 'peek') sendPeeked().catch(passage.bug);
    else if (head.framing.type === 'none' && outgoing.upgrade === undefined) sendEmpty();
    else if (outgoing.upgrade !== undefined) {
      const { target, headers } = outgoing;
      send({ target, headers, framing: { type: 'none' } }, () => undefined, false);
    } else sendWithBody(EMPTY, false);
  };

  const sendWithLeave = async (leave: Leave): Promise<void> => {
    const way = waiting();
    // A person is not asked on behalf of nobody; a program that only ended its side gets a refusal to read.
    const stay = caller.onLeft(() => underWay.gone?.abort());
    const given = await leave(way);
    stay();
    if (over()) return;
    if (given.ok) sendAll();
    else fail(given.error, 'denied');
  };

  if (outgoing.leave === undefined) sendAll();
  else sendWithLeave(outgoing.leave).catch(passage.bug);
};
