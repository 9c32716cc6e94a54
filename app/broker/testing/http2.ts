import {
  connect,
  createSecureServer,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestAuthority } from './certificates.ts';
import type { Rig, Upstream } from './setup.ts';

type OnStream = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  raw: string[],
) => void;

export type Http2Upstream = Upstream & {
  readonly server: Http2Server | Http2SecureServer;
  readonly sessions: Set<ServerHttp2Session>;
  /** Connections so far. */
  readonly connections: () => number;
};

const listen = async (
  server: Http2Server | Http2SecureServer,
  onStream: OnStream,
): Promise<Http2Upstream> => {
  const sessions = new Set<ServerHttp2Session>();
  let connections = 0;
  server.on('session', (session: ServerHttp2Session) => {
    connections += 1;
    sessions.add(session);
    session.on('error', () => undefined);
    session.once('close', () => sessions.delete(session));
  });
  const onAny: OnStream = (stream, headers, flags, raw) => {
    stream.on('error', () => undefined);
    onStream(stream, headers, flags, raw);
  };
  server.on('stream', onAny);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    sessions,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.destroy();
        server.close(() => resolve());
      }),
  };
};

/** A server that speaks HTTP/2 over TLS and nothing else. */
export const listenHttp2 = async (
  authority: TestAuthority,
  names: readonly string[],
  onStream: OnStream,
  settings: Parameters<typeof createSecureServer>[0] = {},
): Promise<Http2Upstream> =>
  listen(createSecureServer({ ...(await authority.issue(names)), ...settings }), onStream);

/** A server that speaks HTTP/2 without TLS, by prior knowledge. */
export const listenClearHttp2 = (onStream: OnStream): Promise<Http2Upstream> =>
  listen(createServer(), onStream);

/** An HTTP/2 connection as a program inside would make it. */
export const connectHttp2 = async (
  rig: Rig,
  host: string,
  { port, clear = false }: { readonly port?: number; readonly clear?: boolean } = {},
): Promise<ClientHttp2Session> => {
  const socket: Duplex = clear
    ? await rig.tcp(host, port ?? 80)
    : await rig.tls(host, { port: port ?? 443, alpn: ['h2', 'http/1.1'] });
  const session = connect(`${clear ? 'http' : 'https'}://${host}`, {
    createConnection: () => socket,
    settings: { enablePush: true },
  });
  session.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    session.once('close', () => reject(new Error('the session closed')));
  });
  return session;
};

export type Http2Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  readonly trailers: IncomingHttpHeaders;
  readonly informed: readonly IncomingHttpHeaders[];
  readonly text: string;
  readonly body: Buffer;
  readonly code: number;
};

/** Reads an answer to its end. */
export const answerOf = (stream: ClientHttp2Stream): Promise<Http2Answer> =>
  new Promise((resolve) => {
    let headers: Http2Answer['headers'] = {};
    let trailers: IncomingHttpHeaders = {};
    const informed: IncomingHttpHeaders[] = [];
    const parts: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('headers', (more) => informed.push(more));
    stream.on('response', (got) => {
      headers = got;
    });
    stream.on('trailers', (got) => {
      trailers = got;
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.once('close', () => {
      const body = Buffer.concat(parts);
      const text = body.toString('utf8');
      const code = stream.rstCode ?? 0;
      resolve({ status: headers[':status'] ?? 0, headers, trailers, informed, text, body, code });
    });
  });

/** One request with a whole body. */
export const ask = (
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: Buffer | string,
): Promise<Http2Answer> => {
  const stream = session.request(headers, {
    endStream: body === undefined,
  });
  const answer = answerOf(stream);
  if (body !== undefined) stream.end(body);
  return answer;
};
