import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { failure, ok, type Clock } from '../../kit/index.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import { http1Call } from './call-http1.ts';
import { http1Caller, KEEP_ALIVE_MS, sendRefusal, tellMalformed } from './caller-http1.ts';
import { forward } from './forward.ts';
import type { ForwardDeps, Outgoing } from './passage.ts';
import { requestFacts, type Approach, type JudgeRequest } from './judge-request.ts';
import { refusalMessage, refusalStatus, refusalVerdict, type Refusal } from './refuse.ts';
import { createServer, ServerResponse } from './node-http.ts';
import { MAX_HEADER_BYTES, pairsOf, readRequestHead } from './request-head.ts';
import { readUpgrade, type Upgrade } from './upgrade.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** How often connections that lie idle are looked at, in milliseconds. */
export const KEEP_ALIVE_SWEEP_MS = 10_000;
/** How long a connection that we ended may take to end from inside, in milliseconds. */
export const CLOSE_LINGER_MS = 5000;
/** Most requests of one connection whose answers are not yet complete. */
export const MAX_PIPELINED_REQUESTS = 64;
/** How long a request's header section may take, in milliseconds. */
export const HEADERS_MS = 30_000;
/** How often that is looked at, in milliseconds: Node's own thirty seconds would double it. */
export const HEADERS_CHECK_MS = 5000;

/** What speaks HTTP/1.1 to us. */
export type Http1Seat = {
  /** What stands for a request that cannot be read, and for every request where `approachOf` is absent. */
  readonly approach: Approach;
  /** For a proxy: each request says itself where it goes. */
  readonly approachOf?: (request: IncomingMessage) => Approach;
  /** For a proxy: takes over what follows an allowed `CONNECT`. Absent, CONNECT is refused. */
  readonly tunnel?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
};

const nothing = (): void => undefined;

/** One connection that speaks HTTP/1.1. */
type Connection = {
  readonly seat: Http1Seat;
  /** The request that came last, with its answer; what the parser dislikes before its end belongs to it. */
  last: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined;
  /** Ends the connection from our side once all is written; what still comes is read and thrown away. */
  readonly endSoon: () => void;
  closing: boolean;
  /** Requests whose answers are not yet complete. */
  active: number;
  /** When its last answer was complete, while nothing is under way; by the monotonic clock. */
  idleSince: number | undefined;
  /** A refusal was its last word: what still comes is not read as a request. */
  over: boolean;
  /** What is left to say once every answer under way is complete. */
  lastWord: (() => void) | undefined;
};

export type ServeHttp1Deps = {
  readonly clock: Clock;
  readonly exchanges: Exchanges;
  readonly judge: JudgeRequest;
  readonly forward: ForwardDeps;
  readonly pool: UpstreamPool;
  readonly upgrades: readonly Upgrade[];
};

export type ServeHttp1 = {
  /** Takes a stream over. `outer` is what HTTP is spoken on, `carrier` what that runs over (the same, without TLS). */
  readonly take: (outer: Duplex, carrier: Duplex, seat: Http1Seat) => void;
  readonly close: () => void;
};

/** Serves HTTP/1.1 to programs inside, with Node's strict parser. */
export const createServeHttp1 = (deps: ServeHttp1Deps): ServeHttp1 => {
  const { clock, exchanges, judge } = deps;
  const connections = new Map<object, Connection>();
  const protocols = new Set(deps.upgrades.map(({ protocol }) => protocol));

  /** What a request for another protocol has beside a request: the bare socket. */
  type Raw = { readonly socket: Duplex; readonly early: Buffer };

  const carry = (
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    raw: Raw | undefined,
    exchange: Exchange,
    done: () => void,
  ): void => {
    const { seat } = connection;
    const approach = seat.approachOf?.(request) ?? seat.approach;
    const { to, program } = approach;
    const refuse = (refusal: Refusal): void => {
      exchange.refuse(refusal, refusalVerdict(refusal));
      exchange.set({ status: refusalStatus(refusal) });
      sendRefusal(clock, response, refusal);
      done();
    };
    if (connection.active > MAX_PIPELINED_REQUESTS) {
      const many = 'Too many requests wait for their answers on one connection.';
      refuse(failure('egress.too-many', many));
      return;
    }
    const target = request.url ?? '';
    const read = readRequestHead(request, to, protocols);
    const upgrade = read.ok ? readUpgrade(deps.upgrades, read.value, to, 'h1') : ok(undefined);
    const head =
      upgrade.ok && read.ok
        ? ok({ ...read.value, headers: upgrade.value?.headers ?? read.value.headers })
        : upgrade.ok
          ? read
          : upgrade;
    const headers = read.ok ? read.value.headers : pairsOf(request.rawHeaders);
    const judged = judge(approach, { target, headers, head }, exchange);
    if (!judged.ok) {
      refuse(judged.error);
      return;
    }
    const outgoing: Outgoing = {
      to,
      head: judged.value.head,
      program,
      ...judged.value.mediation,
      ...(upgrade.ok && upgrade.value !== undefined ? { upgrade: upgrade.value } : {}),
    };
    const caller = http1Caller(clock, request, response, raw);
    forward(deps.forward, outgoing, caller, http1Call(deps.pool, to), exchange, done);
  };

  const serve = (
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    raw?: Raw,
  ): void => {
    const { to, program, withheld } =
      connection.seat.approachOf?.(request) ?? connection.seat.approach;
    connection.active += 1;
    connection.idleSince = undefined;
    connection.last = { request, response };
    response.on('close', () => {
      connection.active -= 1;
      if (connection.active > 0) return;
      connection.idleSince = clock.monotonic();
      connection.lastWord?.();
    });
    const exchange = exchanges.begin(
      {
        ...requestFacts(to, 'h1'),
        method: request.method ?? '',
        ...(withheld === true ? {} : { path: request.url ?? '' }),
      },
      program,
    );
    const done = (): void => {
      connection.over ||= exchange.facts().code !== undefined;
      exchange.finish();
    };
    try {
      carry(connection, request, response, raw, exchange, done);
    } catch {
      // A request that trips over our own code must not take the other connections along.
      exchange.refuse(failure('egress.bad-request', 'The request could not be carried out.'));
      done();
      request.socket.destroy();
    }
  };

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    response.on('error', nothing);
    request.on('error', nothing);
    if (connection.closing || connection.over) {
      request.resume();
      return;
    }
    serve(connection, request, response);
  };

  /** Node lets go of the socket: the answer, if the server gives an ordinary one, is written by hand. */
  const onUpgrade = (request: IncomingMessage, socket: Duplex, early: Buffer): void => {
    const connection = connections.get(socket);
    if (
      connection === undefined ||
      connection.closing ||
      connection.over ||
      connection.active > 0
    ) {
      socket.destroy();
      return;
    }
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    socket.on('error', () => undefined);
    socket.on('drain', () => response.emit('drain'));
    response.assignSocket(socket as Socket);
    response.once('finish', () => connection.endSoon());
    serve(connection, request, response, { socket, early });
  };

  /** Refuses what never became a request; the answer waits for those that are under way. */
  const refuseRaw = (
    connection: Connection,
    socket: Duplex,
    refusal: Refusal,
    method?: string,
  ): void => {
    const { to, program } = connection.seat.approach;
    const exchange = exchanges.begin(
      { ...requestFacts(to, 'h1'), ...(method === undefined ? {} : { method }) },
      program,
    );
    exchange.refuse(refusal);
    exchange.set({ status: refusalStatus(refusal) });
    exchange.finish();
    connection.over = true;
    connection.lastWord = () => {
      if (socket.writable) socket.write(refusalMessage(refusal));
      connection.endSoon();
    };
    if (connection.active === 0) connection.lastWord();
  };

  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: false,
    joinDuplicateHeaders: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    connectionsCheckingInterval: HEADERS_CHECK_MS,
    requestTimeout: 0,
    // Idle connections are looked at all together: a timer for each answer showed in profiles.
    keepAliveTimeout: 0,
    noDelay: false,
    shouldUpgradeCallback: ({ headers }) => protocols.has(headers.upgrade?.toLowerCase() ?? ''),
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
  server.on('upgrade', onUpgrade);
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const connection = connections.get(request.socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const { tunnel } = connection.seat;
    if (tunnel !== undefined && connection.active === 0 && !connection.over) {
      tunnel(request, socket, head);
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
    if (connection.closing || connection.lastWord !== undefined) return;
    const { last } = connection;
    if (last?.request.complete === false) {
      // A broken body belongs to its request, which may have its answer or its refusal on the way.
      const why = `The body is malformed (${String(error.code)}).`;
      if (last.response.headersSent) connection.endSoon();
      else tellMalformed(last.request, failure('egress.bad-request', why));
      return;
    }
    const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    refuseRaw(
      connection,
      socket,
      connection.seat.approach.refusal ??
        (timedOut
          ? failure('egress.timeout', 'The request did not arrive in time.')
          : tooLarge
            ? failure('egress.too-large', 'The header section is too large.')
            : failure('egress.bad-request', `The request is malformed (${String(error.code)}).`)),
    );
  });

  let cancelSweep: () => void;
  const sweepLater = (): void => {
    cancelSweep = clock.after(KEEP_ALIVE_SWEEP_MS, () => {
      const due = clock.monotonic() - KEEP_ALIVE_MS;
      for (const connection of connections.values()) {
        if (connection.idleSince !== undefined && connection.idleSince <= due) connection.endSoon();
      }
      sweepLater();
    });
  };
  sweepLater();

  return {
    take: (outer, carrier, seat) => {
      // Node's own way would cut the stream while the last bytes are still on their way to the program.
      const endSoon = (): void => {
        if (connection.closing) return;
        connection.closing = true;
        outer.end();
        outer.resume();
        const cancel = clock.after(CLOSE_LINGER_MS, () => carrier.destroy());
        carrier.once('close', cancel);
      };
      const connection: Connection = {
        seat,
        endSoon,
        last: undefined,
        closing: false,
        over: false,
        lastWord: undefined,
        idleSince: undefined,
        active: 0,
      };
      connections.set(outer, connection);
      outer.once('close', () => connections.delete(outer));
      server.emit('connection', Object.assign(outer, { destroySoon: endSoon }));
    },
    close: () => {
      cancelSweep();
      server.closeAllConnections();
    },
  };
};
