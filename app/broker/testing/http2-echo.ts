import { constants, type ServerHttp2Stream } from 'node:http2';
import { gzipSync } from 'node:zlib';

export type Http2Seen = {
  readonly raw: readonly string[];
  body: Buffer;
  trailers: readonly string[];
};

/** An upstream that does what the path says and remembers what it saw. */
export const createHttp2Echo = () => {
  const seen: Http2Seen[] = [];
  const closed: { path: string; code: number }[] = [];
  /** Breaks an answer off that has begun, by its path. */
  const breaks = new Map<string, () => void>();
  const onStream = (
    stream: ServerHttp2Stream,
    headers: Readonly<Record<string, unknown>>,
    _flags: number,
    raw: readonly string[],
  ): void => {
    const record: Http2Seen = { raw, body: Buffer.alloc(0), trailers: [] };
    seen.push(record);
    const path = String(headers[':path']).split('?')[0] ?? '';
    const sent = headers['x-api-key'] ?? headers['authorization'];
    const key = typeof sent === 'string' ? sent : '';
    stream.once('close', () => closed.push({ path, code: stream.rstCode ?? 0 }));
    stream.on('trailers', (_trailers, _flags2, rawTrailers) => {
      record.trailers = rawTrailers;
    });
    const whole = (): Promise<void> =>
      new Promise((resolve) => {
        const parts: Buffer[] = [];
        stream.on('data', (part: Buffer) => parts.push(part));
        stream.once('end', () => {
          record.body = Buffer.concat(parts);
          if (!stream.closed) resolve();
        });
      });
    switch (path) {
      case '/echo':
        stream.respond({ ':status': 200, 'content-type': 'text/plain', 'x-echo': key }, {});
        stream.write(key.slice(0, 9));
        setTimeout(() => stream.end(`${key.slice(9)}.`), 30);
        return;
      case '/gzip':
        stream.respond({ ':status': 200, 'content-encoding': 'gzip', etag: '"1"' });
        stream.end(gzipSync(`zipped ${key}`));
        return;
      case '/unary':
        void whole().then(() => {
          stream.respond(
            { ':status': 200, 'content-type': 'application/grpc' },
            { waitForTrailers: true },
          );
          stream.once('wantTrailers', () =>
            stream.sendTrailers({
              'grpc-status': '0',
              'grpc-message': `ok ${key}`,
              'x-bin': ['1', '2'],
            }),
          );
          stream.end(record.body);
        });
        return;
      case '/trailers-only':
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' },
          { endStream: true },
        );
        stream.resume();
        return;
      case '/chat':
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc' },
          { waitForTrailers: true },
        );
        stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.on('data', (part: Buffer) => stream.write(part.toString().toUpperCase()));
        stream.on('end', () => stream.end());
        return;
      case '/early':
        stream.respond({ ':status': 413 });
        stream.end('enough');
        return;
      case '/hints':
        stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload', 'x-echo': key });
        stream.respond({ ':status': 200, 'alt-svc': 'h3=":443"' });
        stream.end('hinted');
        return;
      case '/continue':
        stream.additionalHeaders({ ':status': 100 });
        void whole().then(() => {
          stream.respond({ ':status': 200 });
          stream.end(record.body);
        });
        return;
      case '/reset':
        stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      case '/break':
        // Without trailers to wait for, Node would end the stream before it resets it.
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.write('some');
        breaks.set(path, () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
        return;
      case '/half':
        // A reset without an error, which says of a body that it will not go on, not that it is whole.
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.write('some');
        breaks.set(path, () => stream.destroy());
        return;
      case '/stall':
        stream.respond({ ':status': 200 });
        return;
      case '/status':
        stream.respond({ ':status': 204 });
        return;
      case '/push':
        stream.respond({ ':status': 200, 'x-push': String(stream.pushAllowed) });
        stream.end('no push');
        return;
      default:
        void whole().then(() => {
          stream.respond({ ':status': 200, 'content-length': String(record.body.length) });
          stream.end(record.body);
        });
    }
  };
  return { seen, closed, breaks, onStream };
};
