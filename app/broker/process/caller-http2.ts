import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2';
import type { Clock } from '../../kit/index.ts';
import { LINGER_MS } from './caller-http1.ts';
import { headersOf, withoutPseudo } from './http2-headers.ts';
import type { Caller } from './http-call.ts';
import { http2Sink } from './http2-sink.ts';
import { refusalBody, refusalHeaders, refusalStatus, type Refusal } from './refuse.ts';
import type { HeaderPairs } from './request.ts';

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = constants;

/** Node adds a date of its own where it is not told otherwise. */
const UNDATED: ServerStreamResponseOptions & { readonly sendDate: boolean } = { sendDate: false };

/** What of a request decides how it is answered. */
export type Asked = {
  /** No body follows its head. */
  readonly last: boolean;
  readonly grpc: boolean;
  readonly head: boolean;
};

/** What gRPC calls a refusal (its status codes): permission denied, or unavailable. */
const GRPC_DENIED = 7;
const GRPC_UNAVAILABLE = 14;

/** The fields of a refusal, without those of an HTTP/1 connection. */
const refusalFields = (refusal: Refusal, body: Buffer): string[] => {
  const flat = refusalHeaders(refusal, body);
  const fields: string[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = (flat[index] ?? '').toLowerCase();
    if (name !== 'connection') fields.push(name, flat[index + 1] ?? '');
  }
  return fields;
};

/** gRPC clients show what stands in these fields, and nothing of a body. */
const grpcFields = (refusal: Refusal): string[] => {
  const status = refusalStatus(refusal) >= 500 ? GRPC_UNAVAILABLE : GRPC_DENIED;
  const words = `${refusal.code}: ${refusal.message}${refusal.hint === undefined ? '' : ` ${refusal.hint}`}`;
  return [
    'content-type',
    'application/grpc',
    'glovebox-code',
    refusal.code,
    'grpc-status',
    String(status),
    'grpc-message',
    encodeURIComponent(words).replaceAll('%20', ' '),
  ];
};

/** Ends our side; a program that still sends is read for a while and then told to stop (RFC 9113 8.1). */
const lingering = (clock: Clock, stream: ServerHttp2Stream): void => {
  stream.resume();
  const cancel = clock.after(LINGER_MS, () => stream.close(NGHTTP2_NO_ERROR));
  stream.once('close', cancel);
};

/** Answers a request with a refusal, in gRPC's own way where that is what the program speaks. */
export const sendHttp2Refusal = (
  clock: Clock,
  stream: ServerHttp2Stream,
  refusal: Refusal,
  { grpc, head }: Pick<Asked, 'grpc' | 'head'>,
): void => {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.close(NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const status = [':status', String(refusalStatus(refusal))];
  if (grpc) {
    stream.respond([...status, ...grpcFields(refusal)], { ...UNDATED, endStream: true });
  } else {
    const body = refusalBody(refusal);
    stream.respond([...status, ...refusalFields(refusal, body)], UNDATED);
    stream.end(head ? undefined : body);
  }
  lingering(clock, stream);
};

/** The program's side of an HTTP/2 request. */
export const http2Caller = (clock: Clock, stream: ServerHttp2Stream, asked: Asked): Caller => {
  const { last } = asked;
  let arrived = last;
  let received: HeaderPairs = [];
  let sent: HeaderPairs = [];
  stream.once('end', () => {
    // A reset without an error looks like an end; what came before it is not whole.
    arrived ||= !stream.closed || stream.writableFinished;
  });
  stream.on('trailers', (_headers, _flags, raw) => {
    received = withoutPseudo(raw);
  });
  // To break off also ends our side, and without its trailers that end is never told as one.
  let whole = false;
  stream.once('wantTrailers', () => {
    if (whole) stream.sendTrailers(headersOf(sent));
  });
  return {
    version: 'h2',
    body: stream,
    arrived: () => arrived,
    // A broken stream is reset by nghttp2, which `onOver` tells.
    onMalformed: () => undefined,
    trailers: () => received,
    answered: () => stream.headersSent,
    goOn: () => {
      if (!stream.headersSent && !stream.closed) stream.additionalHeaders({ ':status': 100 });
    },
    inform: (status, headers) => {
      if (stream.headersSent || stream.closed) return;
      stream.additionalHeaders({ ':status': status, ...headersOf(headers) });
    },
    begin: (head) => {
      if (stream.destroyed || stream.closed) return;
      const flat = [':status', String(head.status)];
      for (const [name, value] of head.headers) flat.push(name.toLowerCase(), value);
      stream.respond(flat, {
        ...UNDATED,
        endStream: head.follows === 'nothing',
        waitForTrailers: head.follows !== 'nothing',
      });
    },
    sink: http2Sink(stream),
    end: (trailers, lastPart) => {
      sent = trailers;
      whole = true;
      stream.end(lastPart);
    },
    upgrade: (headers) => {
      const flat = [':status', '200'];
      for (const [name, value] of headers) flat.push(name.toLowerCase(), value);
      stream.respond(flat, UNDATED);
      return { stream, early: Buffer.alloc(0) };
    },
    refuse: (refusal) => sendHttp2Refusal(clock, stream, refusal, asked),
    breakOff: (code = NGHTTP2_INTERNAL_ERROR) => stream.close(code),
    onOver: (over) => {
      stream.once('finish', () => {
        if (!arrived) lingering(clock, stream);
        over(true);
      });
      // A stream whose request nobody reads, for it has no body, is closed only when it is read.
      stream.once('aborted', () => over(false));
      stream.once('close', () => over(stream.writableFinished));
    },
    // A stream whose program is gone is closed with its session.
    onLeft: () => () => undefined,
    resetCode: () => (stream.rstCode === NGHTTP2_NO_ERROR ? undefined : stream.rstCode),
  };
};
