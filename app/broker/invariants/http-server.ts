import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import type { AnswerPlan } from './plan.ts';
import type { Pairs } from './render.ts';

/** One request as a server got it. */
export type Received = {
  readonly host: string;
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly trailers: Pairs;
  readonly protocol: 'h1' | 'h2' | 'ws' | 'tcp';
};

/** What a server sent in answer to a request, before any coding. */
export type Sent = {
  readonly status: number;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly trailers: Pairs;
};

/** An answer in full, with the way in which it is to be written. */
export type Script = Sent &
  Pick<AnswerPlan, 'coding' | 'framing' | 'writes'> & {
    /** The words behind the status; HTTP/1.1 alone has them. */
    readonly reason?: string;
  };

export type HttpServerDeps = {
  /** Told of each request, those that were broken off too. */
  readonly take: (got: Received) => void;
  /** Asked for each request that arrived whole; undefined is a status of 500. */
  readonly scriptFor: (got: Received) => Script | undefined;
  /** Told what is written: without the body where there may be none, without trailers where they cannot be. */
  readonly onSent: (id: string, sent: Sent) => void;
};

const CODERS: Readonly<Record<AnswerPlan['coding'], (bytes: Buffer) => Buffer>> = {
  '': (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  'raw deflate': (bytes) => deflateRawSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  'br, gzip': (bytes) => gzipSync(brotliCompressSync(bytes)),
};

export const pairsOfRaw = (raw: readonly string[]): Pairs =>
  raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []));

const cutInto = (bytes: Buffer, parts: number): Buffer[] => {
  const size = Math.max(1, Math.ceil(bytes.length / parts));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
};

type Asked = IncomingMessage | Http2ServerRequest;
type Answering = ServerResponse | Http2ServerResponse;

const isHttp2 = (request: Asked): request is Http2ServerRequest => request.httpVersionMajor === 2;

const answer = (
  request: Asked,
  response: Answering,
  got: Received,
  script: Script,
  onSent: HttpServerDeps['onSent'],
): void => {
  const { status, coding, framing, writes, headers, body, trailers, reason } = script;
  const bodiless = got.method === 'HEAD' || status === 204 || status === 304;
  const trailing = !bodiless && trailers.length > 0 && (isHttp2(request) || framing === 'chunked');
  onSent(got.id, {
    status,
    headers,
    body: bodiless ? Buffer.alloc(0) : body,
    trailers: trailing ? trailers : [],
  });
  for (const name of new Set(headers.map(([field]) => field))) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value);
    response.setHeader(name, values.length === 1 ? (values[0] ?? '') : values);
  }
  const coded = CODERS[coding](body);
  if (coding !== '' && !bodiless)
    response.setHeader('content-encoding', coding === 'raw deflate' ? 'deflate' : coding);
  if (framing === 'length' && !bodiless) response.setHeader('content-length', coded.length);
  if (framing === 'close' && !isHttp2(request)) {
    response.setHeader('connection', 'close');
    Object.assign(response, { useChunkedEncodingByDefault: false });
  }
  if (trailing && !isHttp2(request)) response.setHeader('trailer', 'x-end');
  response.statusCode = status;
  if (reason !== undefined && !isHttp2(request)) response.statusMessage = reason;
  if (bodiless) {
    response.end();
    return;
  }
  const parts = cutInto(coded, writes);
  const next = (): void => {
    const part = parts.shift();
    if (part === undefined) {
      if (trailing) response.addTrailers(Object.fromEntries(trailers));
      response.end();
      return;
    }
    (response as ServerResponse).write(part, () => setImmediate(next));
  };
  next();
};

/** The listener of a server that keeps all that it gets, and answers as it is told. */
export const createHttpListener =
  ({ take, scriptFor, onSent }: HttpServerDeps) =>
  (host: string) =>
  (request: Asked, response: Answering): void => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const keep = (): Received => {
      const got: Received = {
        host,
        id: String(request.headers['x-id'] ?? ''),
        method: request.method ?? '',
        target: request.url ?? '',
        headers: pairsOfRaw(request.rawHeaders),
        body: Buffer.concat(parts),
        trailers: pairsOfRaw(request.rawTrailers),
        protocol: isHttp2(request) ? 'h2' : 'h1',
      };
      take(got);
      return got;
    };
    let ended = false;
    request.once('end', () => {
      ended = true;
      const got = keep();
      // A stream that was reset ends too.
      if (request.aborted) return;
      const script = scriptFor(got);
      if (script !== undefined) {
        answer(request, response, got, script, onSent);
        return;
      }
      response.statusCode = 500;
      response.end();
    });
    // What was broken off has arrived all the same.
    request.once('close', () => {
      if (!ended) keep();
    });
  };
