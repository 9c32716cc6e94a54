import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Closable } from '../../app/kit/index.ts';
import type { Identity } from '../upstreams/authority.ts';
import { shapesOf } from './secret.ts';

/** One request as the service saw it. */
export type Seen = {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly protocol: 'h1' | 'h2' | 'ws';
  /** The header that it was logged in with, whatever its name; empty for none. */
  readonly login: string;
  /** Names of subprotocols that a WebSocket's handshake offered. */
  readonly subprotocols: readonly string[];
};

/** What becomes of a WebSocket at one host, for who brings its secret. */
export type SocketService = {
  readonly secret: string;
  readonly serve: (socket: WebSocket) => void;
  /** True while it wants plain requests instead. */
  readonly closed?: () => boolean;
};

/** Answers for one host: who may come in is its own business. */
export type Service = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** A careless service over TLS, HTTP/2 and HTTP/1.1: several hosts behind one port. */
export type Upstream = Closable & {
  readonly port: number;
  readonly seen: readonly Seen[];
};

const ECHO_PROTOCOL = 'echo';

/** The answer to who logged in: the secret in a header, and in the body in every shape. */
export const echo = (secret: string, path: string) => ({
  headers: { 'content-type': 'application/json', 'x-you-sent': `Bearer ${secret}` },
  body: `{"answer-to":${JSON.stringify(path)},${Object.entries(shapesOf(secret))
    .map(([shape, value]) => `"${shape}":"${value}"`)
    .join(',')}}\n`,
});

/** Echoes to who brings the token; compressed for who takes it so. */
export const echoService =
  (secret: string): Service =>
  (request, response) => {
    request.resume();
    if (request.headers.authorization !== `Bearer ${secret}`) {
      response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('log in\n');
      return;
    }
    const { headers, body } = echo(secret, request.url);
    const gzip = request.headers['accept-encoding']?.includes('gzip') === true;
    response.writeHead(200, { ...headers, ...(gzip ? { 'content-encoding': 'gzip' } : {}) });
    response.end(gzip ? gzipSync(body) : body);
  };

/** Says the secret at once, and then whatever it hears. */
export const echoSocket = (secret: string): SocketService => ({
  secret,
  serve: (socket) => {
    socket.send(JSON.stringify({ 'you-sent': secret, again: shapesOf(secret)['base64'] }));
    socket.on('message', (data: Buffer, binary) => {
      socket.send(data, { binary });
    });
  },
});

const loginOf = (headers: IncomingHttpHeaders): string =>
  [headers.authorization, headers['x-api-key'], headers['x-goog-api-key']]
    .filter((value) => typeof value === 'string')
    .at(0) ?? '';

/**
 * Starts the server. A WebSocket's secret is brought as a bearer token or among the subprotocols.
 */
export const startUpstream = async (options: {
  readonly identity: Identity;
  readonly services: Readonly<Record<string, Service>>;
  /** Hosts that take WebSockets. */
  readonly sockets?: Readonly<Record<string, SocketService>>;
}): Promise<Upstream> => {
  const seen: Seen[] = [];
  const { certificate: cert, key } = options.identity;
  const server = createSecureServer({ cert, key, allowHTTP1: true });
  server.on('request', (request, response) => {
    const authority = request.headers[':authority'] ?? request.headers.host ?? '';
    const host = authority.replace(/:443$/, '');
    seen.push({
      host,
      method: request.method,
      path: request.url,
      protocol: request.httpVersionMajor === 2 ? 'h2' : 'h1',
      login: loginOf(request.headers),
      subprotocols: [],
    });
    const service = options.services[host];
    if (service === undefined) response.writeHead(404).end();
    else service(request, response);
  });
  const accepting = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has(ECHO_PROTOCOL) ? ECHO_PROTOCOL : false),
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const { host = '' } = request.headers;
    const subprotocols = (request.headers['sec-websocket-protocol'] ?? '').split(/, */);
    const login = loginOf(request.headers);
    const path = request.url ?? '';
    seen.push({ host, method: 'GET', path, protocol: 'ws', login, subprotocols });
    const service = options.sockets?.[host];
    const refuse = (status: string): void => {
      stream.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
    };
    if (service === undefined || service.closed?.() === true) {
      refuse('426 Upgrade Required');
      return;
    }
    if (login !== `Bearer ${service.secret}` && !subprotocols.includes(service.secret)) {
      refuse('401 Unauthorized');
      return;
    }
    accepting.once('headers', (headers: string[]) => {
      headers.push(`x-you-sent: ${service.secret}`);
    });
    accepting.handleUpgrade(request, stream, head, service.serve);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () => {
      for (const socket of accepting.clients) socket.terminate();
      server.close();
    },
  };
};
