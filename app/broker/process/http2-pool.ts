import { connect, type ClientHttp2Session } from 'node:http2';
import { failure, ok, type Clock, type Result } from '../../kit/index.ts';
import type { Dial, DialFailure, Dialled, Upstream } from './dial.ts';
import {
  MAX_STREAMS,
  SESSION_LIMITS,
  SESSION_SETTINGS,
  SESSION_WINDOW_BYTES,
} from './http2-limits.ts';

/** Most HTTP/2 connections to one server; past it requests queue on those that are there. */
export const MAX_SESSIONS_PER_UPSTREAM = 8;
/** How long a connection without requests is kept, in milliseconds. */
export const IDLE_SESSION_MS = 30_000;
/** How long a server may take to send its settings, in milliseconds. */
export const SETTINGS_MS = 5000;
/** Requests that one connection takes where the server names no number (RFC 9113 6.5.2 advises no fewer). */
const USUAL_STREAMS = 100;

/** One connection to a server, leased for one request. */
export type Http2Lease = {
  readonly session: ClientHttp2Session;
  /** The judged address behind it. */
  readonly address: string;
  /** It has carried a request before. */
  readonly reused: boolean;
  /** The server takes extended CONNECT (RFC 8441). */
  readonly extended: boolean;
  readonly release: () => void;
};

/** Kept HTTP/2 connections to servers: each was judged when it was dialled and serves only the destination it was dialled for. */
export type Http2Pool = {
  readonly lease: (to: Upstream) => Promise<Result<Http2Lease, DialFailure>>;
  /** Takes a connection that already chose HTTP/2. Resolves once the server has said its settings; false where it did not. */
  readonly adopt: (to: Upstream, dialled: Dialled) => Promise<boolean>;
  /** Whether a kept connection's server takes extended CONNECT. */
  readonly extended: (to: Upstream) => boolean;
  readonly close: () => void;
};

type Kept = {
  readonly session: ClientHttp2Session;
  readonly address: string;
  active: number;
  used: boolean;
  cancelIdle: (() => void) | undefined;
};

const keyOf = ({ host, port, tls }: Upstream): string =>
  `${tls ? 'https' : 'http'}:${host}:${String(port)}`;

/** `onLost` is told of servers that speak HTTP/2 no longer. */
export const createHttp2Pool = (
  clock: Clock,
  dial: Dial,
  onLost: (to: Upstream) => void = () => undefined,
): Http2Pool => {
  const kept = new Map<string, Kept[]>();
  const dialling = new Map<string, Promise<Result<Kept, DialFailure>>>();
  let closed = false;

  const room = ({ session, active }: Kept): boolean =>
    !session.closed &&
    !session.destroyed &&
    active < Math.min(session.remoteSettings.maxConcurrentStreams ?? USUAL_STREAMS, MAX_STREAMS);

  const forget = (key: string, one: Kept): void => {
    const left = (kept.get(key) ?? []).filter((other) => other !== one);
    if (left.length > 0) kept.set(key, left);
    else kept.delete(key);
    one.cancelIdle?.();
  };

  const rest = (one: Kept): void => {
    one.cancelIdle?.();
    one.cancelIdle = clock.after(IDLE_SESSION_MS, () => one.session.close());
  };

  const open = (to: Upstream, { socket, address }: Dialled): Promise<Kept | undefined> =>
    new Promise((resolve) => {
      const key = keyOf(to);
      const session = connect(`${to.tls ? 'https' : 'http'}://glovebox.invalid`, {
        ...SESSION_LIMITS,
        settings: SESSION_SETTINGS,
        createConnection: () => socket,
      });
      const one: Kept = { session, address, active: 0, used: false, cancelIdle: undefined };
      const cancel = clock.after(SETTINGS_MS, () => session.destroy());
      session.on('error', () => session.destroy());
      // The server is about to end it: what is under way goes on, nothing new begins (RFC 9113 6.8).
      session.once('goaway', () => forget(key, one));
      session.once('close', () => {
        cancel();
        forget(key, one);
        resolve(undefined);
      });
      session.once('remoteSettings', () => {
        cancel();
        if (session.destroyed) return;
        session.setLocalWindowSize(SESSION_WINDOW_BYTES);
        kept.set(key, [...(kept.get(key) ?? []), one]);
        rest(one);
        resolve(one);
      });
      if (closed) session.destroy();
    });

  const dialNew = async (to: Upstream): Promise<Result<Kept, DialFailure>> => {
    const dialled = await dial(to, ['h2', 'http/1.1']);
    if (!dialled.ok) return dialled;
    const { socket, address, protocol } = dialled.value;
    const lost = (why: string): Result<never, DialFailure> => {
      socket.destroy();
      onLost(to);
      return { ok: false, error: { ...failure('egress.upstream-broke', why), address } };
    };
    if (to.tls && protocol !== 'h2') return lost(`${to.host} speaks HTTP/2 no longer.`);
    const one = await open(to, dialled.value);
    return one === undefined ? lost(`${to.host} did not begin to speak HTTP/2.`) : ok(one);
  };

  const find = async (to: Upstream): Promise<Result<Kept, DialFailure>> => {
    const key = keyOf(to);
    const there = kept.get(key) ?? [];
    const free = there.find(room);
    if (free !== undefined) return ok(free);
    if (there.length >= MAX_SESSIONS_PER_UPSTREAM) {
      const least = there
        .filter(({ session }) => !session.closed && !session.destroyed)
        .toSorted((one, other) => one.active - other.active)[0];
      if (least !== undefined) return ok(least);
    }
    const underWay = dialling.get(key);
    if (underWay !== undefined) {
      const result = await underWay;
      return result.ok && !room(result.value) ? find(to) : result;
    }
    const started = dialNew(to).finally(() => dialling.delete(key));
    dialling.set(key, started);
    return started;
  };

  return {
    lease: async (to) => {
      const found = await find(to);
      if (!found.ok) return found;
      const one = found.value;
      const { session, address, used: reused } = one;
      one.active += 1;
      one.used = true;
      one.cancelIdle?.();
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        one.active -= 1;
        if (one.active === 0 && !session.closed) rest(one);
      };
      const extended = session.remoteSettings.enableConnectProtocol === true;
      return ok({ session, address, reused, extended, release });
    },
    adopt: async (to, dialled) => (await open(to, dialled)) !== undefined,
    extended: (to) =>
      (kept.get(keyOf(to)) ?? []).some(
        ({ session }) =>
          !session.destroyed && session.remoteSettings.enableConnectProtocol === true,
      ),
    close: () => {
      closed = true;
      for (const sessions of kept.values()) for (const { session } of sessions) session.destroy();
    },
  };
};
