import {
  request as startRequest,
  STATUS_CODES,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import type { CredentialGrant } from '../../policy/index.ts';
import { planAnswer, planTrailers, withoutDigests, type AnswerPlan } from './answer.ts';
import {
  createCounter,
  createScrubFlow,
  createTripFlow,
  decoderFor,
  TripError,
} from './body-flow.ts';
import type { CredentialBook } from './credential-book.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import { safeTrailers, withoutHopByHop } from './hop.ts';
import { joinStreams } from './join.ts';
import type { Mediation } from './mediate.ts';
import { grantCovers } from './trip.ts';
import { tripCode, tripIn, type Destination, type HeaderPairs } from './inject.ts';
import { refusalBody, refusalHeaders, refusalStatus, type Refusal } from './refuse.ts';
import { pairsOf, type RequestHead } from './request-head.ts';
import type { Scrubber } from './scrub.ts';
import type { SearchStep } from './needles.ts';
import { DialError, type UpstreamOptions, type UpstreamPool } from './upstream-pool.ts';

/** How long both directions of a request may be silent, in milliseconds: long polls and slow models included. */
export const IDLE_REQUEST_MS = 15 * 60 * 1000;
/** How long a refused upload is still read, so that its client gets to read the refusal, in milliseconds. */
export const LINGER_MS = 2000;

export type ForwardDeps = {
  readonly clock: Clock;
  readonly pool: UpstreamPool;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
};

/** A judged request, ready to go: target and headers have the real values in place. */
export type Outgoing = Mediation & {
  readonly to: Destination;
  readonly head: RequestHead;
  readonly program: Promise<Program | undefined>;
};

/**
 * Answers a request with a refusal that program and person can read. An upload is read on for a
 * while and thrown away, for a client that is cut off while it sends never gets to read why.
 */
export const sendRefusal = (clock: Clock, response: ServerResponse, refusal: Refusal): void => {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = refusalBody(refusal);
  response.sendDate = false;
  const status = refusalStatus(refusal);
  response.writeHead(status, STATUS_CODES[status] ?? 'Refused', refusalHeaders(refusal, body));
  const { req: request } = response;
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  response.write(body);
  const finish = (): void => {
    cancel();
    response.end();
  };
  const cancel = clock.after(LINGER_MS, finish);
  response.once('close', cancel);
  request.once('end', finish);
  request.once('close', finish);
  request.resume();
};

/** Methods whose requests usually have no body (RFC 9110 9.3). */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

const flatten = (pairs: HeaderPairs): string[] => pairs.flatMap(([name, value]) => [name, value]);

/** The header section as it goes upstream: ours to frame, the client's in all else. */
const upstreamHeaders = (
  deps: ForwardDeps,
  { to, head, headers, used, sealed }: Outgoing,
): string[] => {
  // An answer that may hold a secret has to be readable, and whole: pieces of it could be asked for one by one.
  const readable = deps.book.held().some(({ grant }) => grantCovers(grant, to.host, to.port));
  const kept = withoutHopByHop(headers).filter(([rawName]) => {
    const name = rawName.toLowerCase();
    if (name === 'content-length') return false;
    // Announced trailers go with chunks alone; Node refuses to write such a request otherwise.
    if (name === 'trailer') return head.framing.type === 'chunked';
    return !(used.length > 0 && sealed !== true && (name === 'range' || name === 'if-range'));
  });
  const result = kept.map(([name, value]) =>
    readable && name.toLowerCase() === 'accept-encoding'
      ? ([name, 'identity'] as const)
      : ([name, value] as const),
  );
  const { framing, method } = head;
  // Servers that ignore a body here would read it as the next request: the connection serves no other.
  if (framing.type !== 'none' && BODILESS.has(method)) result.push(['Connection', 'close']);
  if (framing.type === 'chunked') result.push(['Transfer-Encoding', 'chunked']);
  else if (framing.type === 'length') result.push(['Content-Length', String(framing.bytes)]);
  // Node would frame a POST without a body as chunked; the client said there is none.
  else if (!['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(method))
    result.push(['Content-Length', '0']);
  return flatten(result);
};

const aborted = (): Refusal => failure('egress.aborted', 'The program inside broke off.');

const refusalOf = (failed: unknown, to: Destination): Refusal => {
  if (failed instanceof DialError) return failed.failure;
  const code = failed instanceof Error && 'code' in failed ? String(failed.code) : 'failed';
  return failure('egress.upstream-broke', `${to.host} broke off the exchange (${code}).`);
};

const sendBody = (
  scrubber: Scrubber,
  plan: AnswerPlan,
  answer: IncomingMessage,
  response: ServerResponse,
  exchange: Exchange,
  onFailure: (failed: Error) => void,
  done: (failed: Error | undefined) => void,
): void => {
  let bytesIn = 0;
  let scrubbed = plan.hits;
  const count = createCounter((bytes) => {
    bytesIn += bytes;
    exchange.set({ bytesIn });
  });
  const onHits = (hits: number): void => {
    scrubbed += hits;
    exchange.set({ scrubbed });
  };
  if (scrubbed > 0) exchange.set({ scrubbed });
  const status = answer.statusCode ?? 502;
  response.sendDate = false;
  // Before a body that stalls, the header section must still get through.
  const begin = (headers: HeaderPairs): void => {
    response.writeHead(status, plan.reason, flatten(headers));
    setImmediate(() => {
      if (!response.writableEnded && !response.destroyed) response.flushHeaders();
    });
  };
  // Who failed first: by the time the joined streams say so, the failure has closed both ends.
  answer.once('error', onFailure);
  answer.once('end', () => {
    const trailers = planTrailers(scrubber, safeTrailers(pairsOf(answer.rawTrailers)));
    if (trailers.pairs.length > 0 && !response.writableEnded) {
      response.addTrailers(trailers.pairs.map(([name, value]): [string, string] => [name, value]));
    }
    if (trailers.hits > 0) onHits(trailers.hits);
  });

  if (plan.body.type === 'as-is') {
    begin(plan.headers);
    joinStreams([answer, count, response], done);
    return;
  }
  const search = scrubber.stream();
  if (!plan.body.collect) {
    const decoder = decoderFor(plan.body.encoding);
    if (decoder === undefined) throw new Error('an answer was planned without a decoder');
    const scrub = createScrubFlow(search, onHits);
    begin(plan.headers);
    if (decoder === 'identity') {
      joinStreams([answer, scrub, count, response], done);
    } else {
      decoder.once('error', onFailure);
      joinStreams([answer, decoder, scrub, count, response], done);
    }
    return;
  }
  const parts: Buffer[] = [];
  const take = ({ out, hits }: SearchStep): void => {
    parts.push(...out);
    if (hits.length > 0) onHits(hits.length);
  };
  answer.on('data', (part: Buffer) => take(search.push(part)));
  answer.once('close', () => {
    if (!answer.readableEnded) done(new Error('the answer broke off'));
  });
  answer.once('end', () => {
    take(search.end());
    const body = Buffer.concat(parts);
    const headers = (scrubbed > plan.hits ? withoutDigests(plan.headers) : plan.headers).filter(
      ([name]) => name.toLowerCase() !== 'content-length',
    );
    bytesIn = body.length;
    exchange.set({ bytesIn });
    try {
      response.writeHead(
        status,
        plan.reason,
        flatten([...headers, ['Content-Length', String(body.length)]]),
      );
    } catch (unwritable) {
      onFailure(unwritable instanceof Error ? unwritable : new Error('unwritable'));
      done(new Error('the answer cannot be written again'));
      return;
    }
    response.end(body, () => done(undefined));
  });
};

/**
 * Carries one judged request to its server and the answer back, both ways streamed with
 * backpressure. Resolves when the exchange is over, whatever way; the record is the caller's.
 */
export const forward = (
  deps: ForwardDeps,
  outgoing: Outgoing,
  request: IncomingMessage,
  response: ServerResponse,
  exchange: Exchange,
): Promise<void> =>
  new Promise((resolve) => {
    const { to, head } = outgoing;
    let over = false;
    const end = (refusal?: Refusal, verdict: 'allowed' | 'denied' = 'allowed'): void => {
      if (over) return;
      over = true;
      if (refusal !== undefined) {
        const denied = verdict === 'denied' || refusal.code === 'egress.private-address';
        exchange.refuse(refusal, denied ? 'denied' : 'allowed');
        if (!response.headersSent) exchange.set({ status: refusalStatus(refusal) });
        sendRefusal(deps.clock, response, refusal);
        if (attempt !== undefined) attempt.destroy();
      }
      resolve();
    };
    let attempt: ClientRequest | undefined;
    let broken: Error | undefined;
    let bytesOut = 0;

    const onFailure = (failed: Error): void => {
      broken ??= failed;
    };
    const onAnswer = (upstream: ClientRequest, answer: IncomingMessage): void => {
      const status = answer.statusCode ?? 502;
      const scrubber = deps.book.scrubber();
      const plan = planAnswer(scrubber, {
        status,
        reason: answer.statusMessage ?? '',
        headers: pairsOf(answer.rawHeaders),
        method: head.method,
      });
      if ('code' in plan) {
        end(plan);
        return;
      }
      exchange.set({ status });
      sendBody(scrubber, plan, answer, response, exchange, onFailure, (failed) => {
        if (failed === undefined) {
          // An early answer: the server has said all it will, the rest of the upload is of no use.
          if (!request.complete) upstream.destroy();
          end();
          return;
        }
        end(broken === undefined ? aborted() : refusalOf(broken, to));
      });
    };
    const send = (retryable: boolean): void => {
      const options: UpstreamOptions = {
        agent: deps.pool.agent,
        method: head.method,
        path: outgoing.target,
        headers: upstreamHeaders(deps, outgoing),
        timeout: IDLE_REQUEST_MS,
        maxHeaderSize: 65_536,
        upstream: to,
      };
      const upstream = startRequest(options);
      attempt = upstream;
      let answered = false;
      upstream.once('socket', (socket) => {
        const address = deps.pool.addressOf(socket);
        if (address !== undefined) exchange.set({ address });
      });
      upstream.on('timeout', () => {
        end(failure('egress.timeout', `${to.host} was silent for too long.`));
      });
      upstream.on('continue', () => {
        if (!response.headersSent) response.writeContinue();
      });
      upstream.on('response', (answer) => {
        answered = true;
        try {
          onAnswer(upstream, answer);
        } catch {
          // Something in the answer that Node would not write again, such as a broken reason phrase.
          end(
            failure('egress.upstream-broke', `${to.host} sent an answer that cannot be passed on.`),
          );
        }
      });
      upstream.on('upgrade', (_answer, socket) => {
        socket.destroy();
        end(failure('egress.upgrade-refused', `${to.host} changed protocols without being asked.`));
      });
      upstream.on('error', (failed) => {
        if (over) return;
        // A kept connection may have been closed by the server just now; nothing was sent that could have counted twice.
        if (retryable && upstream.reusedSocket && !answered) {
          send(false);
          return;
        }
        if (failed instanceof DialError && failed.failure.address !== undefined) {
          exchange.set({ address: failed.failure.address });
        }
        end(refusalOf(failed, to));
      });
      if (head.framing.type === 'none') {
        upstream.end();
        return;
      }
      const count = createCounter((bytes) => {
        bytesOut += bytes;
        exchange.set({ bytesOut });
      });
      const search = deps.book.held().length > 0 ? createTripFlow(deps.book.bodyTrip()) : undefined;
      request.once('end', () => {
        const trailers = safeTrailers(pairsOf(request.rawTrailers));
        const tripped = trailers
          .map(([name, value]) => tripIn(deps.book.held(), to, `${name}: ${value}`, 'a trailer'))
          .find((found) => found !== undefined);
        if (tripped?.type === 'tripped') onTrip(tripped.grant, 'a trailer');
        else upstream.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
      });
      // A plain `pipe` at the program's end, which a failure further on does not destroy: a refusal must still reach it.
      request.pipe(search ?? count);
      joinStreams(
        search === undefined ? [count, upstream] : [search, count, upstream],
        (failed) => {
          if (over || !(failed instanceof TripError)) return;
          // All else that breaks an upload shows as the request's own error, or as an early answer.
          const found = deps.book.findingOf(failed.hit);
          if (found !== undefined) onTrip(found.grant, 'the body');
        },
      );
    };

    const onTrip = (grant: CredentialGrant, where: string): void => {
      const code = tripCode(grant, to);
      deps.exchanges.credential(
        { op: 'tripped', credential: grant.credential, host: to.host, code },
        outgoing.program,
      );
      end(
        failure(
          code,
          `The placeholder of ${grant.credential} stood in ${where} of a request to ${to.host}.`,
        ),
        'denied',
      );
    };

    response.once('close', () => {
      if (over || response.writableFinished) return;
      attempt?.destroy();
      end(broken === undefined ? aborted() : refusalOf(broken, to));
    });
    const idempotent = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].includes(head.method);
    send(idempotent && head.framing.type === 'none');
  });
