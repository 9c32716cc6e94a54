import { request as startRequest, type IncomingMessage } from 'node:http';
import { failure } from '../../kit/index.ts';
import { streamSource } from './body-source.ts';
import type { Call, CallFailure, CallHead, StartCall } from './http-call.ts';
import type { Destination } from './inject.ts';
import type { Refusal } from './refuse.ts';
import { MAX_HEADER_BYTES, pairsOf } from './request-head.ts';
import { DialError, type UpstreamOptions, type UpstreamPool } from './upstream-pool.ts';

/** How long both directions of a request may be silent, in milliseconds: long polls and slow models included. */
export const IDLE_REQUEST_MS = 15 * 60 * 1000;
/** Most interim answers of one request; past it the rest is dropped. */
export const MAX_INTERIM_ANSWERS = 16;

/** Methods whose requests usually have no body (RFC 9110 9.3). */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** The header section with the connection's own fields. */
const framed = ({ method, headers, framing, protocol }: CallHead): string[] => {
  const flat: string[] = [];
  for (const [name, value] of headers) flat.push(name, value);
  if (protocol !== undefined) flat.push('Connection', 'Upgrade', 'Upgrade', protocol);
  // Servers that ignore a body here would read it as the next request: the connection serves no other.
  else if (framing.type !== 'none' && BODILESS.has(method)) flat.push('Connection', 'close');
  if (framing.type === 'chunked') flat.push('Transfer-Encoding', 'chunked');
  else if (framing.type === 'length') flat.push('Content-Length', String(framing.bytes));
  // Node would frame a POST without a body as chunked; the client said there is none.
  else if (!BODILESS.has(method)) flat.push('Content-Length', '0');
  return flat;
};

/**
 * What makes an answer none that can be passed on: a version that is not HTTP/1, a change of protocol
 * that names none, or a transfer coding beside plain chunked, which nobody asked for and under which
 * nothing could be searched.
 */
const faultOf = ({ httpVersion, statusCode, headers }: IncomingMessage): string | undefined => {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'in another version of HTTP';
  if (statusCode === 101) return 'that changes protocols and names none';
  const coding = headers['transfer-encoding'];
  return coding === undefined || coding.toLowerCase() === 'chunked'
    ? undefined
    : 'in a transfer coding that nobody asked for';
};

const refusalOf = (failed: unknown, to: Destination): Refusal => {
  if (failed instanceof DialError) return failed.failure;
  const code = failed instanceof Error && 'code' in failed ? String(failed.code) : 'failed';
  return failure('egress.upstream-broke', `${to.host} broke off the exchange (${code}).`);
};

/** Requests over kept HTTP/1.1 connections. */
export const http1Call =
  (pool: UpstreamPool, to: Destination): StartCall =>
  (head, events): Call => {
    let over = false;
    let answered = false;
    let interim = 0;
    const fail = (of: CallFailure): void => {
      if (over) return;
      over = true;
      events.onFailure(of);
      upstream.destroy();
    };
    const options: UpstreamOptions = {
      agent: pool.agent,
      method: head.method,
      path: head.target,
      headers: framed(head),
      timeout: IDLE_REQUEST_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      upstream: to,
    };
    const upstream = startRequest(options);
    upstream.once('socket', (socket) => {
      const address = pool.addressOf(socket);
      if (address !== undefined) events.onAddress(address);
    });
    upstream.on('timeout', () => {
      const refusal = failure('egress.timeout', `${to.host} was silent for too long.`);
      fail({ refusal, unprocessed: 'no' });
    });
    upstream.on('continue', () => {
      if (interim < MAX_INTERIM_ANSWERS) events.onContinue();
    });
    upstream.on('information', ({ statusCode, rawHeaders }) => {
      interim += 1;
      if (statusCode === 100 || statusCode === 101 || interim > MAX_INTERIM_ANSWERS || over) return;
      events.onInformation(statusCode, pairsOf(rawHeaders));
    });
    upstream.on('response', (answer: IncomingMessage) => {
      if (over) return;
      answered = true;
      const fault = faultOf(answer);
      if (fault !== undefined) {
        const why = `${to.host} sent an answer ${fault}.`;
        fail({ refusal: failure('egress.upstream-broke', why), unprocessed: 'no' });
        return;
      }
      events.onAnswer({
        status: answer.statusCode ?? 502,
        reason: answer.statusMessage ?? '',
        headers: pairsOf(answer.rawHeaders),
        body: streamSource(answer),
        last: false,
        trailers: () => pairsOf(answer.rawTrailers),
        resetCode: () => undefined,
      });
    });
    upstream.on('upgrade', (answer, stream, early) => {
      if (over) {
        stream.destroy();
        return;
      }
      over = true;
      const { rawHeaders, statusCode = 101 } = answer;
      stream.setTimeout(0);
      events.onUpgrade({ status: statusCode, headers: pairsOf(rawHeaders) }, { stream, early });
    });
    upstream.on('error', (failed) => {
      if (over || answered) return;
      if (failed instanceof DialError && failed.failure.address !== undefined) {
        events.onAddress(failed.failure.address);
      }
      // A kept connection may have been closed by the server just now.
      fail({
        refusal: refusalOf(failed, to),
        unprocessed: upstream.reusedSocket ? 'perhaps' : 'no',
      });
    });
    if (head.framing.type === 'none') upstream.end();
    else if (head.protocol === undefined) {
      events.onReady({
        write: (chunk) => upstream.write(chunk),
        once: (event, listener) => upstream.once(event, listener),
        removeListener: (event, listener) => upstream.removeListener(event, listener),
        finish: (trailers) => {
          if (trailers.length > 0)
            upstream.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
          upstream.end();
        },
      });
    }
    return {
      cancel: () => {
        over = true;
        upstream.destroy();
      },
    };
  };
