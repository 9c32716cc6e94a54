import { constants, sensitiveHeaders, type ClientHttp2Stream } from 'node:http2';
import { failure } from '../../kit/index.ts';
import { streamSource, type BodySource } from './body-source.ts';
import { MAX_INTERIM_ANSWERS } from './call-http1.ts';
import { IDLE_REQUEST_MS } from './http1/connection.ts';
import { headersOf, withoutPseudo } from './http2-headers.ts';
import type { Call, CallFailure, CallHead, StartCall } from './http-call.ts';
import type { Http2Lease, Http2Pool } from './http2-pool.ts';
import { http2Sink } from './http2-sink.ts';
import type { Refusal } from './refuse.ts';
import type { Destination, HeaderPairs } from './request.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_FLAG_END_STREAM } =
  constants;

const requestFields = (
  { method, target, headers, framing, protocol, authority, sensitive }: CallHead,
  to: Destination,
): string[] => {
  const flat = [
    ':method',
    protocol === undefined ? method : 'CONNECT',
    ':scheme',
    to.tls ? 'https' : 'http',
    ':authority',
    authority,
    ':path',
    target,
  ];
  if (protocol !== undefined) flat.push(':protocol', protocol);
  for (const [name, value] of headers) flat.push(name, value);
  if (framing.type === 'length') flat.push('content-length', String(framing.bytes));
  return Object.assign(flat, { [sensitiveHeaders]: sensitive() });
};

const statusIn = (headers: Readonly<Record<string, unknown>>): number =>
  Number(headers[':status'] ?? 502);

/**
 * A server's answer as a body. Node tells a reset without an error as an end, and what came before it
 * is not whole: only an end that was sent comes before its stream is closed.
 */
const answerSource = (call: ClientHttp2Stream): BodySource => {
  let whole = false;
  const push = call.push.bind(call);
  call.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null) whole ||= !call.closed;
    return push(chunk, encoding);
  };
  const { read, ...source } = streamSource(call);
  return {
    ...source,
    read: (reader) => read({ ...reader, ended: () => (whole ? reader.ended() : reader.broke()) }),
  };
};

/** Requests over kept HTTP/2 connections. */
export const http2Call =
  (pool: Http2Pool, to: Destination): StartCall =>
  (head, events): Call => {
    let over = false;
    let stream: ClientHttp2Stream | undefined;

    const fail = (of: CallFailure): void => {
      if (over) return;
      over = true;
      events.onFailure(of);
    };
    const broke = (why: string): Refusal =>
      failure('egress.upstream-broke', `${to.host} broke off the exchange (${why}).`);

    const begin = (lease: Http2Lease): void => {
      const { session, release, reused } = lease;
      const bare = head.framing.type === 'none' && head.protocol === undefined;
      const call = session.request(requestFields(head, to), {
        endStream: bare,
        waitForTrailers: !bare && head.protocol === undefined,
      });
      stream = call;
      const body = answerSource(call);
      let answered = false;
      let interim = 0;
      let trailers: HeaderPairs = [];
      call.setTimeout(IDLE_REQUEST_MS, () => {
        const refusal = failure('egress.timeout', `${to.host} was silent for too long.`);
        fail({ refusal, unprocessed: 'no' });
        call.close(NGHTTP2_CANCEL);
      });
      call.on('error', () => undefined);
      call.on('continue', () => {
        if (!over) events.onContinue();
      });
      call.on('headers', (headers, _flags, raw) => {
        interim += 1;
        const status = statusIn(headers);
        if (over || status === 100 || interim > MAX_INTERIM_ANSWERS) return;
        events.onInformation(status, withoutPseudo(raw));
      });
      call.on('trailers', (_headers, _flags, raw) => {
        trailers = withoutPseudo(raw);
      });
      call.on('response', (headers, flags, raw) => {
        if (over) return;
        answered = true;
        const status = statusIn(headers);
        const fields = withoutPseudo(raw);
        if (head.protocol !== undefined && status >= 200 && status < 300) {
          over = true;
          call.setTimeout(0);
          events.onUpgrade({ status, headers: fields }, { stream: call, early: Buffer.alloc(0) });
          return;
        }
        events.onAnswer({
          status,
          reason: '',
          headers: fields,
          body,
          last: (flags & NGHTTP2_FLAG_END_STREAM) !== 0,
          trailers: () => trailers,
          resetCode: () => (call.rstCode === NGHTTP2_NO_ERROR ? undefined : call.rstCode),
        });
      });
      call.once('close', () => {
        release();
        if (answered) return;
        const code = call.rstCode ?? NGHTTP2_NO_ERROR;
        const why = session.destroyed ? 'closed' : `reset ${String(code)}`;
        // A refused stream was not begun on (RFC 9113 8.7); of a connection that just ended nobody knows.
        const unprocessed =
          code === NGHTTP2_REFUSED_STREAM
            ? 'surely'
            : session.destroyed && reused
              ? 'perhaps'
              : 'no';
        const told = session.destroyed || code === NGHTTP2_NO_ERROR ? {} : { resetCode: code };
        fail({ refusal: broke(why), unprocessed, ...told });
      });
      if (bare || head.protocol !== undefined) return;
      let last: HeaderPairs | undefined;
      // To cancel also ends our side, and without its trailers that end is never told as one.
      call.once('wantTrailers', () => {
        if (last !== undefined) call.sendTrailers(headersOf(last));
      });
      events.onReady({
        ...http2Sink(call),
        finish: (fields) => {
          last = fields;
          call.end();
        },
      });
    };

    const start = async (): Promise<void> => {
      const leased = await pool.lease(to);
      if (over) {
        if (leased.ok) leased.value.release();
        return;
      }
      const address = leased.ok ? leased.value.address : leased.error.address;
      if (address !== undefined) events.onAddress(address);
      if (!leased.ok) {
        fail({ refusal: leased.error, unprocessed: 'no' });
        return;
      }
      try {
        if (head.protocol !== undefined && !leased.value.extended) {
          leased.value.release();
          const why = `${to.host} takes no upgrades over HTTP/2.`;
          fail({ refusal: failure('egress.upgrade-refused', why), unprocessed: 'no' });
          return;
        }
        begin(leased.value);
      } catch {
        // A session that ended just now, or a field that Node would not write.
        leased.value.release();
        fail({ refusal: broke('unwritable'), unprocessed: 'no' });
      }
    };
    void start();
    return {
      cancel: (code = NGHTTP2_CANCEL) => {
        over = true;
        stream?.close(code);
      },
    };
  };
