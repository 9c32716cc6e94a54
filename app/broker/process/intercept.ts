import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import {
  isAddress,
  judgeDestination,
  parseHost,
  type CanonicalHost,
  type NetworkPolicy,
} from '../../policy/index.ts';
import type { CredentialBook } from './credential-book.ts';
import type { DnsZone } from './dns-zone.ts';
import { isZoneAddress } from './dns-zone.ts';
import type { Endpoint } from './endpoint.ts';
import type { EgressFacts, Exchange, Exchanges } from './exchange.ts';
import { forward, sendRefusal, type ForwardDeps } from './http-forward.ts';
import { injectHead, type Destination } from './inject.ts';
import type { LeafCache } from './leaf-cache.ts';
import { refusalMessage, refusalStatus, type Refusal } from './refuse.ts';
import { MAX_HEADER_BYTES, pairsOf, readRequestHead } from './request-head.ts';
import { sniff } from './sniff.ts';

/** How long the TLS handshake with a program inside may take, in milliseconds. */
export const HANDSHAKE_MS = 15_000;
/** How long a kept connection may lie idle between requests, in milliseconds. */
export const KEEP_ALIVE_MS = 120_000;
/** How long a connection that we ended may take to end from inside, in milliseconds. */
export const CLOSE_LINGER_MS = 5000;
/** Most requests of one connection whose answers are not yet complete. */
export const MAX_PIPELINED_REQUESTS = 64;
/** How long a request's header section may take, in milliseconds. */
export const HEADERS_MS = 30_000;

export type InterceptDeps = {
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly zone: DnsZone;
  readonly leaves: LeafCache;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly forward: ForwardDeps;
};

/** One captured connection, once it is known to speak HTTP. */
type Connection = {
  readonly to: Destination;
  readonly program: Promise<Program | undefined>;
  /** Why no request on it can be passed on, whatever it says. */
  readonly refusal: Refusal | undefined;
  /** The request that came last; what the parser dislikes before its end belongs to it. */
  last: IncomingMessage | undefined;
  /** Ends the connection from our side once all is written; what still comes is read and thrown away. */
  readonly endSoon: () => void;
  closing: boolean;
  /** Requests whose answers are not yet complete. */
  active: number;
  /** A refusal was its last word: what still comes is not read as a request. */
  over: boolean;
};

export type Intercept = {
  /** Takes a captured connection and owns it to its end. */
  readonly accept: (
    stream: Duplex,
    destination: Endpoint,
    program: Promise<Program | undefined>,
  ) => Promise<void>;
  readonly close: () => void;
};

const hostOf = (zone: DnsZone, destination: Endpoint): CanonicalHost | undefined =>
  isZoneAddress(destination.address) ? zone.nameOf(destination.address) : destination.address;

const mismatch = (message: string): Refusal =>
  failure('egress.authority-mismatch', message, 'Connect to the host that the request names.');

const baseFacts = (to: Destination): EgressFacts => ({
  verdict: 'denied',
  scheme: to.tls ? 'https' : 'http',
  host: to.host,
  port: to.port,
  protocol: 'h1',
  inspected: true,
  bytesOut: 0,
  bytesIn: 0,
});

export const createIntercept = (deps: InterceptDeps): Intercept => {
  const { clock, policy, zone, exchanges } = deps;

  const refuseRequest = (exchange: Exchange, response: ServerResponse, refusal: Refusal): void => {
    exchange.refuse(refusal);
    exchange.set({ status: refusalStatus(refusal.code) });
    sendRefusal(clock, response, refusal);
  };
  const connections = new WeakMap<object, Connection>();
  const streams = new Set<Duplex>();

  const serve = async (
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const { to, program } = connection;
    connection.active += 1;
    connection.last = request;
    response.once('close', () => {
      connection.active -= 1;
    });
    const exchange = exchanges.begin(
      { ...baseFacts(to), method: request.method ?? '', path: request.url ?? '' },
      program,
    );
    try {
      if (connection.active > MAX_PIPELINED_REQUESTS) {
        const many = 'Too many requests wait for their answers on one connection.';
        refuseRequest(exchange, response, failure('egress.too-many', many));
        return;
      }
      const head = readRequestHead(request, to);
      if (head.ok) exchange.set({ path: head.value.target });
      const verdict = judgeDestination(policy, to.host, to.port);
      exchange.set({ rule: verdict.rule });
      // A tripwire goes off even where the request would be refused anyway: that it is out matters more.
      const injected = injectHead(
        deps.book.held(),
        to,
        head.ok ? head.value.target : (request.url ?? ''),
        pairsOf(request.rawHeaders),
      );
      if (injected.type === 'tripped') {
        const { grant, code, where } = injected;
        exchanges.credential(
          { op: 'tripped', credential: grant.credential, host: to.host, code },
          program,
        );
        refuseRequest(
          exchange,
          response,
          failure(
            code,
            `The placeholder of ${grant.credential} stood in ${where} of a request to ${to.host}.`,
          ),
        );
        return;
      }
      if (connection.refusal !== undefined) {
        refuseRequest(exchange, response, connection.refusal);
        return;
      }
      if (!head.ok) {
        refuseRequest(exchange, response, head.error);
        return;
      }
      if (verdict.verdict === 'denied') {
        refuseRequest(
          exchange,
          response,
          failure(
            verdict.code,
            `${to.host}:${String(to.port)} may not be reached from this session (${verdict.rule}).`,
            `If it should be, allow it: --allow ${to.host}:${String(to.port)}.`,
          ),
        );
        return;
      }
      if (!to.tls && to.port === 443) {
        refuseRequest(
          exchange,
          response,
          failure('egress.not-tls', 'Plain HTTP is not passed to port 443.'),
        );
        return;
      }
      const [first] = injected.used;
      exchange.set({
        verdict: 'allowed',
        ...(first === undefined ? {} : { credential: first.credential }),
      });
      exchange.open();
      for (const grant of injected.used) firstUse(grant.credential, to, program);
      await forward(
        deps.forward,
        { to, head: head.value, headers: injected.headers, used: injected.used, program },
        request,
        response,
        exchange,
      );
    } catch {
      // A request that trips over our own code must not take the other connections along.
      exchange.refuse(failure('egress.bad-request', 'The request could not be carried out.'));
      request.socket.destroy();
    } finally {
      connection.over ||= exchange.facts().code !== undefined;
      exchange.finish();
    }
  };

  const usedAt = new Set<string>();
  const firstUse = (
    credential: string,
    to: Destination,
    program: Promise<Program | undefined>,
  ): void => {
    const key = `${credential} ${to.host}`;
    if (usedAt.has(key)) return;
    usedAt.add(key);
    exchanges.credential({ op: 'used', credential, host: to.host }, program);
  };

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    if (connection.closing || connection.over) {
      request.resume();
      return;
    }
    void serve(connection, request, response);
  };

  const server: Server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: false,
    joinDuplicateHeaders: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: false,
  });
  server.maxHeadersCount = 0;
  server.timeout = 0;
  // Node checks its time limits only once a server listens; this one gets its connections by hand.
  server.emit('listening');
  // A program that closes its sending side after a request still gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('request', onRequest);
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    const connection = connections.get(request.socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const why = 'A tunnel inside a connection is not passed on.';
    refuseRaw(connection, socket, failure('egress.method-refused', why), 'CONNECT');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const connection = connections.get(socket);
    const idle =
      error.code === 'ECONNRESET' ||
      error.code === 'EPIPE' ||
      error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    if (connection === undefined || idle || socket.destroyed) {
      socket.destroy();
      return;
    }
    if (connection.closing) return;
    if (connection.last?.complete === false) {
      // A broken body: its request has its own record, and perhaps its refusal on the way.
      connection.endSoon();
      return;
    }
    const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    refuseRaw(
      connection,
      socket,
      connection.refusal ??
        (timedOut
          ? failure('egress.timeout', 'The request did not arrive in time.')
          : tooLarge
            ? failure('egress.too-large', 'The header section is too large.')
            : failure('egress.bad-request', `The request is malformed (${String(error.code)}).`)),
    );
  });

  /** Refuses what never became a request; the answer is written only where none is under way. */
  const refuseRaw = (
    connection: Connection,
    socket: Duplex,
    refusal: Refusal,
    method?: string,
  ): void => {
    const exchange = exchanges.begin(
      { ...baseFacts(connection.to), ...(method === undefined ? {} : { method }) },
      connection.program,
    );
    exchange.refuse(refusal);
    exchange.set({ status: refusalStatus(refusal.code) });
    exchange.finish();
    if (socket.writable && connection.active === 0) socket.write(refusalMessage(refusal));
    connection.endSoon();
  };

  const recordTcp = (
    host: string,
    port: number,
    refusal: Refusal,
    program: Promise<Program | undefined>,
    kind: 'tcp' | 'tls' = 'tcp',
  ): void => {
    const exchange = exchanges.begin(
      {
        verdict: 'denied',
        scheme: kind,
        host,
        port,
        protocol: kind,
        inspected: false,
        bytesOut: 0,
        bytesIn: 0,
      },
      program,
    );
    exchange.refuse(refusal);
    exchange.finish();
  };

  /** Hands a connection to the HTTP server. `outer` is what it speaks on, `stream` what that runs over. */
  const begin = (
    outer: Duplex,
    stream: Duplex,
    facts: Pick<Connection, 'to' | 'program' | 'refusal'>,
  ): void => {
    // Node's own way would cut the stream while the last bytes are still on their way to the program.
    const endSoon = (): void => {
      if (connection.closing) return;
      connection.closing = true;
      outer.end();
      outer.resume();
      const cancel = clock.after(CLOSE_LINGER_MS, () => stream.destroy());
      stream.once('close', cancel);
    };
    const connection: Connection = {
      ...facts,
      endSoon,
      last: undefined,
      closing: false,
      over: false,
      active: 0,
    };
    connections.set(outer, connection);
    server.emit('connection', Object.assign(outer, { destroySoon: endSoon }));
  };

  const acceptTls = async (
    stream: Duplex,
    to: Destination,
    hello: { readonly serverName: string | undefined; readonly alpn: readonly string[] },
    program: Promise<Program | undefined>,
  ): Promise<void> => {
    const named = hello.serverName === undefined ? undefined : parseHost(hello.serverName);
    let shown: CanonicalHost = to.host;
    let refusal: Refusal | undefined;
    if (named === undefined) {
      if (!isAddress(to.host)) refusal = mismatch('The TLS handshake names no server.');
    } else if (!named.ok) {
      recordTcp(
        to.host,
        to.port,
        failure('egress.bad-host', 'The TLS server name is no valid name.'),
        program,
        'tls',
      );
      stream.destroy();
      return;
    } else if (named.value !== to.host) {
      // The certificate is for the name that the program will check, so that it can read the refusal.
      shown = named.value;
      refusal = mismatch(
        `The TLS handshake names ${named.value}, the connection goes to ${to.host}.`,
      );
    }
    if (hello.alpn.length > 0 && !hello.alpn.includes('http/1.1')) {
      recordTcp(
        to.host,
        to.port,
        failure('egress.unknown-protocol', 'The program offers no HTTP/1.1 in its TLS handshake.'),
        program,
        'tls',
      );
      stream.destroy();
      return;
    }
    const secureContext = await deps.leaves.contextFor(shown);
    if (stream.destroyed) return;
    const tls = new TLSSocket(stream, {
      isServer: true,
      secureContext,
      ALPNProtocols: ['http/1.1'],
      requestCert: false,
      rejectUnauthorized: false,
    });
    let done = false;
    const fail = (why: string): void => {
      tls.destroy();
      stream.destroy();
      if (done) return;
      done = true;
      cancel();
      recordTcp(
        to.host,
        to.port,
        failure(
          'egress.tls-failed',
          `The TLS handshake from inside failed (${why}).`,
          'The program may not trust the session’s authority.',
        ),
        program,
        'tls',
      );
    };
    const cancel = clock.after(HANDSHAKE_MS, () => fail('timeout'));
    tls.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'failed'));
    tls.once('close', () => fail('closed'));
    tls.once('secure', () => {
      if (done) return;
      done = true;
      cancel();
      begin(tls, stream, { to, program, refusal });
    });
  };

  return {
    accept: async (stream, destination, program) => {
      streams.add(stream);
      const unpin = zone.pin(destination.address);
      stream.on('error', () => undefined);
      stream.once('close', () => {
        streams.delete(stream);
        unpin();
      });
      const host = hostOf(zone, destination);
      const first = await sniff(stream, clock);
      const { port } = destination;
      const shownHost = host ?? destination.address;
      const refuse = (refusal: Refusal): void => {
        recordTcp(shownHost, port, refusal, program, first.type === 'tls' ? 'tls' : 'tcp');
        stream.destroy();
      };
      if (first.type === 'gone') {
        stream.destroy();
        return;
      }
      if (first.type === 'silent') {
        refuse(
          failure(
            'egress.raw-tcp',
            'The program waits for the server to speak first; such protocols are not passed on.',
          ),
        );
        return;
      }
      if (first.type === 'unknown') {
        refuse(failure('egress.unknown-protocol', `The connection was refused: ${first.why}.`));
        return;
      }
      if (host === undefined) {
        refuse(
          failure(
            'egress.bad-host',
            'The address belongs to no name that was asked for.',
            'Resolve the name again.',
          ),
        );
        return;
      }
      if (first.type === 'tls') {
        await acceptTls(stream, { host, port, tls: true }, first.hello, program);
        return;
      }
      begin(stream, stream, { to: { host, port, tls: false }, program, refusal: undefined });
    },
    close: () => {
      for (const stream of streams) stream.destroy();
      server.closeAllConnections();
    },
  };
};
