import { fail, ok, type Clock, type Result } from '../../kit/index.ts';
import type { Dial, DialFailure, Dialled, Upstream } from './dial.ts';
import { createHttp1Connection, type Http1Connection } from './http1/connection.ts';

/** Most connections to one server at once; further requests wait for one. */
export const MAX_SOCKETS_PER_UPSTREAM = 256;
/** How long an idle connection is kept, in milliseconds, where the server gives no hint: below the usual five seconds. */
export const IDLE_UPSTREAM_MS = 4500;
/** How often idle connections are looked at, in milliseconds. */
export const IDLE_SWEEP_MS = 500;

/** Kept HTTP/1.1 connections to servers: each was judged when it was dialled and serves only the destination it was dialled for. */
export type UpstreamPool = {
  /**
   * Takes a connection that is free, at once where one is there; else dials, or waits where the server
   * has as many as it may. What it gives undoes that.
   */
  readonly take: (to: Upstream, ready: Ready) => () => void;
  /** Takes a connection that was dialled for another reason; the next request to that server uses it. */
  readonly park: (to: Upstream, dialled: Dialled) => void;
  readonly close: () => void;
};

type Idle = { readonly connection: Http1Connection; readonly until: number };
type Ready = (taken: Result<Http1Connection, DialFailure>) => void;
/** A request that is to get a connection; without `ready` it was given up. */
type Waiting = { ready: Ready | undefined };
type Server = {
  readonly to: Upstream;
  /** The last to come is the first to go: the others may then rest until they are closed. */
  readonly idle: Idle[];
  /** Requests that wait for a connection, in order. */
  readonly waiting: Set<Waiting>;
  readonly open: Set<Http1Connection>;
  dialling: number;
};

const nameOf = ({ host, port, tls }: Upstream): string =>
  `${tls ? 'https' : 'http'}:${host}:${String(port)}`;

const closing = ({ host }: Upstream): Result<never, DialFailure> =>
  fail('egress.upstream-unreachable', `${host} is not dialled any more: the session ends.`);

export const createUpstreamPool = (clock: Clock, dial: Dial): UpstreamPool => {
  const servers = new Map<string, Server>();
  let closed = false;
  let cancelSweep: (() => void) | undefined;

  const serverOf = (to: Upstream): Server => {
    const name = nameOf(to);
    const known = servers.get(name);
    if (known !== undefined) return known;
    const server: Server = { to, idle: [], waiting: new Set(), open: new Set(), dialling: 0 };
    servers.set(name, server);
    return server;
  };
  const forgetEmpty = (server: Server): void => {
    if (server.open.size === 0 && server.dialling === 0 && server.waiting.size === 0)
      servers.delete(nameOf(server.to));
  };
  const nextWaiting = ({ waiting }: Server): Waiting | undefined => {
    for (const next of waiting) {
      waiting.delete(next);
      return next;
    }
    return undefined;
  };
  /** What lies idle and may be used still; what may not goes. */
  const takeIdle = (to: Upstream): Http1Connection | undefined => {
    const idle = servers.get(nameOf(to))?.idle ?? [];
    const now = clock.monotonic();
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) {
      if (last.until > now && last.connection.usable()) return last.connection;
      last.connection.destroy();
    }
    return undefined;
  };

  const sweep = (): void => {
    cancelSweep = undefined;
    const now = clock.monotonic();
    let left = false;
    for (const { idle } of servers.values()) {
      const due = idle.filter(({ until }) => until <= now);
      left ||= due.length < idle.length;
      for (const { connection } of due) connection.destroy();
    }
    if (left) cancelSweep = clock.after(IDLE_SWEEP_MS, sweep);
  };

  const onFree = (server: Server, connection: Http1Connection, keepForMs: number): void => {
    if (keepForMs <= 0 || closed) {
      connection.destroy();
      return;
    }
    const next = nextWaiting(server);
    if (next?.ready !== undefined) next.ready(ok(connection));
    else {
      server.idle.push({ connection, until: clock.monotonic() + keepForMs });
      cancelSweep ??= clock.after(IDLE_SWEEP_MS, sweep);
    }
  };
  const onGone = (server: Server, connection: Http1Connection): void => {
    server.open.delete(connection);
    const at = server.idle.findIndex((one) => one.connection === connection);
    if (at >= 0) server.idle.splice(at, 1);
    const next = closed ? undefined : nextWaiting(server);
    if (next === undefined) forgetEmpty(server);
    else void connect(server, next);
  };
  const adopt = (server: Server, dialled: Dialled, lain: boolean): Http1Connection => {
    const ends = {
      onFree: (keepForMs = IDLE_UPSTREAM_MS) =>
        onFree(server, connection, Math.min(keepForMs, IDLE_UPSTREAM_MS)),
      onGone: () => onGone(server, connection),
    };
    const connection = createHttp1Connection(dialled, ends, lain);
    server.open.add(connection);
    return connection;
  };
  const connect = async (server: Server, waiting: Waiting): Promise<void> => {
    server.dialling += 1;
    let dialled: Result<Dialled, DialFailure>;
    try {
      dialled = await dial(server.to);
    } catch {
      dialled = fail('egress.upstream-unreachable', `${server.to.host} could not be reached.`);
    }
    server.dialling -= 1;
    if (!dialled.ok) {
      waiting.ready?.(dialled);
      const next = nextWaiting(server);
      if (next === undefined) forgetEmpty(server);
      else void connect(server, next);
      return;
    }
    const { ready } = waiting;
    const connection = adopt(server, dialled.value, ready === undefined);
    if (closed) {
      connection.destroy();
      ready?.(closing(server.to));
    } else if (ready === undefined) onFree(server, connection, IDLE_UPSTREAM_MS);
    else ready(ok(connection));
  };

  return {
    take: (to, ready) => {
      const kept = takeIdle(to);
      if (kept !== undefined) {
        ready(ok(kept));
        return () => undefined;
      }
      const waiting: Waiting = { ready };
      if (closed) {
        queueMicrotask(() => waiting.ready?.(closing(to)));
      } else {
        const server = serverOf(to);
        if (server.open.size + server.dialling < MAX_SOCKETS_PER_UPSTREAM)
          void connect(server, waiting);
        else server.waiting.add(waiting);
      }
      return () => {
        waiting.ready = undefined;
        servers.get(nameOf(to))?.waiting.delete(waiting);
      };
    },
    park: (to, dialled) => {
      const server = serverOf(to);
      onFree(server, adopt(server, dialled, true), IDLE_UPSTREAM_MS);
    },
    close: () => {
      closed = true;
      cancelSweep?.();
      for (const { to, open, waiting } of servers.values()) {
        const left = [...waiting];
        waiting.clear();
        for (const connection of open) connection.destroy();
        for (const { ready } of left) ready?.(closing(to));
      }
    },
  };
};
