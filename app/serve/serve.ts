import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { MAX_MESSAGE_JSON_CHARS, type Code } from '../contract/index.ts';
import type { SessionHost } from '../host/port.ts';
import { loadWindowFiles, type WindowFiles } from '../host/window-files.ts';
import {
  createScope,
  fail,
  ok,
  type Clock,
  type Failure,
  type Result,
  type Scope,
} from '../kit/index.ts';
import { answer, answerPage, page, refuse } from './answer.ts';
import { createGate, type Gate } from './gate.ts';
import { checkHost, checkOrigin, cookieValue, type Refusal } from './request-check.ts';
import { socketWire } from './socket-wire.ts';

/** Largest request head. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Most TCP connections at once; a window needs about seven. */
export const MAX_CONNECTIONS = 64;
/** Most WebSockets at once: one per tab. */
export const MAX_SOCKETS = 16;

const ADDRESS = '127.0.0.1';
const ENTER = '/enter/';
const SOCKET = '/ws';

export type ServeOptions = {
  readonly host: Pick<SessionHost, 'serve'>;
  /** 0 or absent: any free one. */
  readonly port?: number;
  /** The built window (dist/renderer). */
  readonly assetsFolder: string;
};

export type Serving = {
  /** Opens the window once, within its lifetime. Whoever has it is let in: show it to the user only. */
  readonly url: string;
  readonly port: number;
  /** A fresh link; the one before is void. */
  readonly renew: () => string;
};

const NOT_IN: Refusal = {
  status: 403,
  words:
    'This browser has not been let in, or the link was used already. Ask for a new one: press Enter in the terminal where Glovebox runs.',
};
const NOT_FOUND: Refusal = { status: 404, words: 'There is nothing here.' };

type Shell = {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
};

/** The browser shell: one page, its files and one WebSocket, on loopback, for whoever opened the printed link. */
const createShell = (
  options: ServeOptions,
  deps: {
    readonly gate: Gate;
    readonly files: WindowFiles;
    readonly clock: Clock;
    readonly port: () => number;
  },
  scope: Scope,
): Shell => {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_JSON_CHARS,
    perMessageDeflate: false,
    clientTracking: true,
  });
  const connections = new Set<Scope>();
  scope.defer(async () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    await Promise.all(Array.from(connections, (connection) => connection.close()));
  });
  // Cookies know no ports, so the port is in the name: two Glovebox windows must not log each other out.
  const cookieName = (): string => `glovebox-${deps.port()}`;
  const isIn = (request: IncomingMessage): boolean => {
    const cookie = cookieValue(request, cookieName());
    return cookie !== undefined && deps.gate.knows(cookie);
  };

  const enter = (request: IncomingMessage, response: ServerResponse, token: string): void => {
    // HEAD asks about a link without opening it; it must not spend the token.
    const cookie = request.method === 'GET' ? deps.gate.redeem(token) : undefined;
    if (cookie === undefined) return refuse(response, NOT_IN);
    const setCookie = `${cookieName()}=${cookie}; HttpOnly; SameSite=Strict; Path=/`;
    if (request.headers['sec-fetch-site'] === 'cross-site') {
      // Opened from another site's page: a redirect would count as theirs and go without the cookie.
      const refresh = '<meta http-equiv="refresh" content="0;url=/">';
      return answerPage(response, 200, page('Glovebox', 'Opening the window.', refresh), {
        'Set-Cookie': setCookie,
      });
    }
    return answerPage(response, 303, page('Glovebox', 'Opening the window.'), {
      'Set-Cookie': setCookie,
      Location: '/',
    });
  };

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    // Bodies have no business here; what comes is read away so that the connection stays usable.
    request.resume();
    const refusal = checkHost(request, deps.port());
    if (refusal !== undefined) return refuse(response, refusal);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(
        response,
        { status: 405, words: 'Only GET and HEAD are answered.' },
        { Allow: 'GET, HEAD' },
      );
    }
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path.startsWith(ENTER)) return enter(request, response, path.slice(ENTER.length));
    if (!isIn(request)) return refuse(response, NOT_IN);
    const file = deps.files.file(path);
    if (file === undefined) return refuse(response, NOT_FOUND);
    return answer(response, 200, file.headers, file.body);
  };

  const onUpgrade: Shell['onUpgrade'] = (request, socket, head) => {
    socket.on('error', () => undefined);
    const refusal =
      checkHost(request, deps.port()) ??
      (request.url === SOCKET ? undefined : NOT_FOUND) ??
      checkOrigin(request) ??
      (isIn(request) ? undefined : NOT_IN) ??
      (scope.signal.aborted ? { status: 503, words: 'Glovebox is closing.' } : undefined) ??
      (sockets.clients.size < MAX_SOCKETS
        ? undefined
        : { status: 503, words: 'Too many windows are open.' });
    if (refusal !== undefined) {
      const status = `${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`;
      socket.end(
        `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(refusal.words)}\r\n\r\n${refusal.words}`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = createScope('browser connection');
      connections.add(connection);
      webSocket.on('close', () => {
        connections.delete(connection);
        void connection.close();
      });
      options.host.serve(socketWire(webSocket, deps.clock), connection);
    });
  };
  return { onRequest, onUpgrade };
};

const listen = (server: Server, port: number): Promise<Result<number, Failure<Code>>> =>
  new Promise((resolve) => {
    server.once('error', (reason) => {
      resolve(
        fail(
          'serve.failed',
          `The window’s server could not listen on ${ADDRESS}, port ${port}: ${reason.message}`,
          'Choose another port with --port, or leave it out.',
        ),
      );
    });
    server.listen({ host: ADDRESS, port, exclusive: true }, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no TCP address');
      resolve(ok(address.port));
    });
  });

/** Serves the window to a browser on this machine. The scope ends it, connections included. */
export const startServe = async (
  options: ServeOptions,
  deps: { readonly clock: Clock },
  scope: Scope,
): Promise<Result<Serving, Failure<Code>>> => {
  const files = await loadWindowFiles(options.assetsFolder);
  if (!files.ok) return files;
  const gate = createGate(deps.clock);
  let port = 0;
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
  });
  server.maxConnections = MAX_CONNECTIONS;
  // Before the shell is made, so that it runs after its end: the server waits for every open WebSocket.
  scope.defer(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const shell = createShell(
    options,
    { gate, files: files.value, clock: deps.clock, port: () => port },
    scope,
  );
  server.on('request', shell.onRequest);
  server.on('upgrade', shell.onUpgrade);
  const listening = await listen(server, options.port ?? 0);
  if (!listening.ok) return listening;
  port = listening.value;
  const renew = (): string => `http://${ADDRESS}:${port}${ENTER}${gate.renew()}`;
  return ok({ url: renew(), port, renew });
};
