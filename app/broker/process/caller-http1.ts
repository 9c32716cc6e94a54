import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kit/index.ts';
import { fieldOf, lowerName } from './field-name.ts';
import { frameChunk } from './chunk-frame.ts';
import type { AnswerHead, Caller, Sink } from './http-call.ts';
import type { HeaderPairs } from './inject.ts';
import { STATUS_CODES } from './node-http.ts';
import { onceWritten } from './once-written.ts';
import { refusalBody, refusalHeaders, refusalStatus, type Refusal } from './refuse.ts';
import { pairsOf } from './request-head.ts';

/**
 * Puts the head of an answer that waits for an earlier one behind what waits with it. Together with
 * the first bytes of its body Node would put it before that: leave to send, into the body.
 */
const queueHead = (response: ServerResponse): void => {
  if (response.socket === null) response.flushHeaders();
};

/** How long a refused upload is still read, so that its client gets to read the refusal, in milliseconds. */
export const LINGER_MS = 2000;

/**
 * Answers a request with a refusal that program and person can read. An upload is read on for a
 * while and thrown away, for a client that is cut off while it sends never gets to read why; unless
 * there is nothing left to read.
 */
export const sendRefusal = (
  clock: Clock,
  response: ServerResponse,
  refusal: Refusal,
  readOn = true,
): void => {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = refusalBody(refusal);
  response.sendDate = false;
  const status = refusalStatus(refusal);
  response.writeHead(status, STATUS_CODES[status] ?? 'Refused', refusalHeaders(refusal, body));
  queueHead(response);
  const { req: request } = response;
  if (request.method === 'HEAD' || !readOn) {
    response.end(request.method === 'HEAD' ? undefined : body);
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

/** How long a kept connection may lie idle between requests, in milliseconds. */
export const KEEP_ALIVE_MS = 120_000;
/** What programs are told of that, in seconds, so that they do not ask just when it ends. */
const KEEP_ALIVE_HINT = `timeout=${String(KEEP_ALIVE_MS / 1000)}`;

/** Largest body that is written as text together with its head, in bytes. */
const MAX_JOINED_BYTES = 16_384;
const BODILESS_STATUS = new Set([204, 205, 304]);

/** Pairs as Node takes them, without a trailer announcement that the framing leaves no room for. */
const flatten = ({ status, headers }: AnswerHead, response: ServerResponse): string[] => {
  const { req: request } = response;
  const sized = fieldOf(headers, 'content-length') !== undefined;
  const chunked =
    !sized &&
    request.httpVersion === '1.1' &&
    request.method !== 'HEAD' &&
    !BODILESS_STATUS.has(status);
  const flat: string[] = [];
  for (const [name, value] of headers) {
    if (chunked || lowerName(name) !== 'trailer') flat.push(name, value);
  }
  if (response.shouldKeepAlive) flat.push('Keep-Alive', KEEP_ALIVE_HINT);
  return flat;
};

/** Told of a request whose body turned out to be none. */
const MALFORMED = 'malformed';

/** Says that a request cannot be read to its end: whoever carries it refuses it. */
export const tellMalformed = (request: IncomingMessage, refusal: Refusal): void => {
  request.emit(MALFORMED, refusal);
};

const interim = (status: number, headers: HeaderPairs): string => {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? 'Interim'}\r\n${lines.join('')}\r\n`;
};

/**
 * Where the body of an answer goes. Node frames a chunk by three writes, which TLS then copies into
 * one; a piece with room around it is framed in place instead and written as it is.
 */
const answerSink = (response: ServerResponse): Sink => ({
  write: (chunk) => response.write(chunk),
  writeWithin: (room, start, end, done) => {
    const written = onceWritten(done);
    if (!response.chunkedEncoding) return response.write(room.subarray(start, end), written);
    response.chunkedEncoding = false;
    try {
      return response.write(frameChunk(room, start, end), written);
    } finally {
      response.chunkedEncoding = true;
    }
  },
  once: (event, listener) => response.once(event, listener),
  removeListener: (event, listener) => response.removeListener(event, listener),
});

/**
 * The program's side of an HTTP/1.1 request. `raw` is the bare socket of a request that asks for
 * another protocol, with the bytes that came after its head.
 */
export const http1Caller = (
  clock: Clock,
  request: IncomingMessage,
  response: ServerResponse,
  raw?: { readonly socket: Duplex; readonly early: Buffer },
): Caller => ({
  version: 'h1',
  body: request,
  onMalformed: (take) => {
    request.on(MALFORMED, take);
  },
  arrived: () => request.complete,
  trailers: () => pairsOf(request.rawTrailers),
  answered: () => response.headersSent,
  goOn: () => {
    // A program that speaks HTTP/1.0 knows no interim answers (RFC 9110 15.2).
    if (!response.headersSent && request.httpVersion === '1.1') response.writeContinue();
  },
  inform: (status, headers) => {
    // A response that has no socket yet waits for an earlier one, and interim answers may be left out.
    if (response.headersSent || request.httpVersion !== '1.1') return;
    response.socket?.write(interim(status, headers), 'latin1');
  },
  begin: (head) => {
    response.sendDate = false;
    response.writeHead(head.status, head.reason, flatten(head, response));
    queueHead(response);
    if (head.follows === 'whole') return;
    // Before a body that stalls, the header section must still get through.
    setImmediate(() => {
      if (!response.writableEnded && !response.destroyed) response.flushHeaders();
    });
  },
  sink: answerSink(response),
  end: (trailers, last) => {
    if (trailers.length > 0)
      response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    // A short text goes out in one piece with its head; as bytes the two would be put together again and again.
    if (last !== undefined && last.length <= MAX_JOINED_BYTES)
      response.end(last.toString('latin1'), 'latin1');
    else response.end(last);
  },
  upgrade: (headers) => {
    if (raw === undefined) throw new Error('the request asked for no other protocol');
    response.detachSocket(raw.socket as Socket);
    raw.socket.write(interim(101, headers), 'latin1');
    return { stream: raw.socket, early: raw.early };
  },
  refuse: (refusal, readOn) => sendRefusal(clock, response, refusal, readOn),
  breakOff: () => response.destroy(),
  onOver: (over) => {
    response.on('finish', () => over(true));
    response.on('close', () => over(response.writableFinished));
  },
  onLeft: (left) => {
    const { socket } = request;
    if (socket.readableEnded) left();
    else socket.once('end', left);
    return () => socket.removeListener('end', left);
  },
  resetCode: () => undefined,
});
