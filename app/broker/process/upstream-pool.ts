import { Agent, type ClientRequestArgs, type RequestOptions } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dial, DialFailure, Dialled, Upstream } from './dial.ts';

/** Most connections to one server at once. */
export const MAX_SOCKETS_PER_UPSTREAM = 256;
/** Most idle connections kept for one server: fewer than may be open at once, and many at once would dial anew for each request. */
export const MAX_IDLE_PER_UPSTREAM = 256;
/** How long an idle connection is kept, in milliseconds, where the server gives no hint: below the usual five seconds. */
export const IDLE_UPSTREAM_MS = 4500;

/** The throw that carries an expected dial failure through Node's agent. */
export class DialError extends Error {
  readonly failure: DialFailure;
  constructor(of: DialFailure) {
    super(of.message);
    this.name = 'DialError';
    this.failure = of;
  }
}

export type UpstreamOptions = RequestOptions & { readonly upstream: Upstream };

/** Kept connections to servers: each was judged when it was dialled and serves only the destination it was dialled for. */
export type UpstreamPool = {
  readonly agent: Agent;
  /** The judged address behind a connection. */
  readonly addressOf: (socket: Duplex) => string | undefined;
  /** Takes a connection that was dialled for another reason; the next request to that server uses it. */
  readonly park: (to: Upstream, dialled: Dialled) => void;
  readonly close: () => void;
};

const upstreamOf = (options: unknown): Upstream => (options as UpstreamOptions).upstream;

const nameOf = ({ host, port, tls }: Upstream): string =>
  `${tls ? 'https' : 'http'}:${host}:${String(port)}`;

export const createUpstreamPool = (dial: Dial): UpstreamPool => {
  const addresses = new WeakMap<Duplex, string>();
  const parked = new Map<string, Dialled>();
  const agent = new Agent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS_PER_UPSTREAM,
    maxFreeSockets: MAX_IDLE_PER_UPSTREAM,
    scheduling: 'lifo',
    timeout: IDLE_UPSTREAM_MS,
  });
  // Node's own naming knows nothing of our destinations: scheme, host and port are the whole identity.
  agent.getName = (options) => nameOf(upstreamOf(options));

  const unpark = (to: Upstream): Dialled | undefined => {
    const name = nameOf(to);
    const dialled = parked.get(name);
    parked.delete(name);
    return dialled?.socket.destroyed === false ? dialled : undefined;
  };
  const connect = async (
    to: Upstream,
    done: (failure: Error | null, stream?: Duplex) => void,
  ): Promise<void> => {
    const waiting = unpark(to);
    if (waiting !== undefined) {
      addresses.set(waiting.socket, waiting.address);
      waiting.socket.setTimeout(0);
      done(null, waiting.socket);
      return;
    }
    let dialled;
    try {
      dialled = await dial(to);
    } catch (bug) {
      done(bug instanceof Error ? bug : new Error(String(bug)));
      return;
    }
    if (dialled.ok) addresses.set(dialled.value.socket, dialled.value.address);
    if (dialled.ok) done(null, dialled.value.socket);
    else done(new DialError(dialled.error));
  };
  agent.createConnection = (
    options: ClientRequestArgs,
    callback?: (failure: Error | null, stream: Duplex) => void,
  ): undefined => {
    // Node's types ask for a stream beside a failure; Node itself does not.
    void connect(upstreamOf(options), callback as (failure: Error | null, stream?: Duplex) => void);
    return undefined;
  };
  return {
    agent,
    addressOf: (socket) => addresses.get(socket),
    park: (to, dialled) => {
      const name = nameOf(to);
      parked.get(name)?.socket.destroy();
      parked.set(name, dialled);
      const { socket } = dialled;
      socket.setTimeout(IDLE_UPSTREAM_MS, () => {
        if (parked.get(name) === dialled) socket.destroy();
      });
      socket.once('close', () => {
        if (parked.get(name) === dialled) parked.delete(name);
      });
    },
    close: () => {
      agent.destroy();
      for (const { socket } of parked.values()) socket.destroy();
    },
  };
};
