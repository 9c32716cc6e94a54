import type { Duplex } from 'node:stream';
import type { Clock } from '../../kit/index.ts';
import { MAX_CLIENT_HELLO_BYTES, readClientHello, type ClientHello } from './client-hello.ts';

/** How long a connection may stay silent before it is taken for a server-first protocol, in milliseconds. */
export const SILENCE_MS = 10_000;
/** How long the first message may take once it has begun, in milliseconds. */
export const FIRST_MESSAGE_MS = 10_000;
/** Longest HTTP request line, in bytes. */
export const MAX_REQUEST_LINE_BYTES = 20_480;

export type Sniffed =
  | { readonly type: 'tls'; readonly hello: ClientHello }
  | { readonly type: 'http' }
  /** HTTP/2 without TLS, by prior knowledge (RFC 9113 3.3). */
  | { readonly type: 'http2' }
  | { readonly type: 'silent' }
  | { readonly type: 'unknown'; readonly why: string }
  | { readonly type: 'gone' };

const TLS_HANDSHAKE = 22;
const LF = 10;
const METHOD_START = /^[A-Za-z][A-Za-z-]{0,31}( |$)/;
const REQUEST_LINE = / HTTP\/[0-9.]{1,8}\r?$/;

type Reading = Sniffed | undefined;

/** Empty lines before a request line are passed over, up to a few (RFC 9112 2.2). */
const MAX_EMPTY_LINES = 2;
const CR = 13;

const readHttp = (all: Buffer): Reading => {
  let start = 0;
  while (all[start] === CR && start < 2 * MAX_EMPTY_LINES) {
    if (start + 1 >= all.length) return undefined;
    if (all[start + 1] !== LF) return { type: 'unknown', why: 'the first line is broken' };
    start += 2;
  }
  if (start > 0 && start === all.length) return undefined;
  const bytes = all.subarray(start);
  const lineEnd = bytes.indexOf(LF);
  const line = bytes.subarray(0, lineEnd < 0 ? bytes.length : lineEnd).toString('latin1');
  if (!METHOD_START.test(line.slice(0, 33)))
    return { type: 'unknown', why: 'the first bytes are neither TLS nor HTTP' };
  if (line.length > MAX_REQUEST_LINE_BYTES)
    return { type: 'unknown', why: 'the first line does not end' };
  if (lineEnd < 0) return undefined;
  if (line === 'PRI * HTTP/2.0\r') return { type: 'http2' };
  if (line.startsWith('PRI ')) return { type: 'unknown', why: 'the HTTP/2 preface is broken' };
  return REQUEST_LINE.test(line)
    ? { type: 'http' }
    : { type: 'unknown', why: 'the first line is no HTTP request' };
};

const read = (bytes: Buffer): Reading => {
  if (bytes.length === 0) return undefined;
  if (bytes[0] !== TLS_HANDSHAKE) return readHttp(bytes);
  const reading = readClientHello(bytes);
  if (reading.type === 'hello') return { type: 'tls', hello: reading.hello };
  return reading.type === 'bad' ? { type: 'unknown', why: reading.why } : undefined;
};

/**
 * Looks at the first bytes of a connection and puts them back. Never writes: a protocol in which
 * the server speaks first shows itself by silence.
 */
export const sniff = (
  stream: Duplex,
  clock: Clock,
  silenceMs: number = SILENCE_MS,
): Promise<Sniffed> =>
  new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    let cancel: (() => void) | undefined;
    const finish = (result: Sniffed): void => {
      cancel?.();
      stream.removeListener('readable', onReadable);
      stream.removeListener('end', onGone);
      stream.removeListener('close', onGone);
      if (bytes.length > 0 && !stream.destroyed && !stream.readableEnded) stream.unshift(bytes);
      resolve(result);
    };
    const onGone = (): void => finish({ type: 'gone' });
    const onReadable = (): void => {
      for (;;) {
        const chunk = stream.read() as Buffer | null;
        if (chunk === null) return;
        if (bytes.length === 0) {
          cancel?.();
          cancel = clock.after(FIRST_MESSAGE_MS, () =>
            finish({ type: 'unknown', why: 'the first message did not end' }),
          );
        }
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const result = read(bytes);
        if (result !== undefined) {
          finish(result);
          return;
        }
        if (bytes.length > Math.max(MAX_CLIENT_HELLO_BYTES, MAX_REQUEST_LINE_BYTES) + 65_536) {
          finish({ type: 'unknown', why: 'the first message is too large' });
          return;
        }
      }
    };
    cancel = clock.after(silenceMs, () => finish({ type: 'silent' }));
    stream.on('readable', onReadable);
    stream.on('end', onGone);
    stream.on('close', onGone);
    if (stream.destroyed) onGone();
  });
