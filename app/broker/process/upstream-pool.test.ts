import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createManualClock, fail, ok, unwrap, type Result } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { listenScripted, until, type ScriptedServer } from '../testing/scripted-server.ts';
import { exposeCollector } from './collector.ts';
import type { Dial, DialFailure, Upstream } from './dial.ts';
import type { Http1Connection } from './http1/connection.ts';
import {
  createUpstreamPool,
  IDLE_SWEEP_MS,
  IDLE_UPSTREAM_MS,
  MAX_SOCKETS_PER_UPSTREAM,
} from './upstream-pool.ts';

const A: Upstream = { host: unwrap(parseHost('a.test')), port: 80, tls: false };
const HEAD = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const DIAL_FAILED = fail('egress.upstream-unreachable', 'a.test could not be reached.');

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Taken = { result: Result<Http1Connection, DialFailure> | undefined; untake: () => void };

const rig = async (options: { readonly answer?: string; readonly dial?: Dial } = {}) => {
  const server: ScriptedServer = await listenScripted((socket) => {
    socket.write(options.answer ?? OK);
  });
  const clock = createManualClock();
  const dialled: Socket[] = [];
  const names: string[] = [];
  const pool = createUpstreamPool(
    clock,
    options.dial ??
      (async (to) => {
        const socket = await server.dial();
        dialled.push(socket);
        names.push(`${to.tls ? 'https' : 'http'}://${to.host}:${String(to.port)}`);
        return ok({ socket, address: '127.0.0.1' });
      }),
  );
  cleanups.push(
    () => pool.close(),
    () => server.close(),
  );
  const take = (to: Upstream = A): Taken => {
    const taken: Taken = { result: undefined, untake: () => undefined };
    taken.untake = pool.take(to, (result) => {
      taken.result = result;
    });
    return taken;
  };
  const connectionOf = async (taken: Taken): Promise<Http1Connection> => {
    await until(() => taken.result !== undefined, 'a connection');
    if (taken.result?.ok !== true) throw new Error('no connection');
    return taken.result.value;
  };
  /** Sends one request and waits for its answer. */
  const ask = (connection: Http1Connection): Promise<void> =>
    new Promise((resolve, reject) => {
      connection.begin(
        {
          method: 'GET',
          target: '/',
          headers: [],
          framing: { type: 'none' },
          authority: 'a.test',
          sensitive: () => [],
          protocol: undefined,
        },
        HEAD,
        {
          onInterim: () => undefined,
          onAnswer: ({ body }) =>
            body.read({
              data: () => undefined,
              ended: () => setImmediate(resolve),
              broke: reject,
            }),
          onUpgrade: () => undefined,
          onBreak: ({ why }) => reject(new Error(why)),
        },
      );
    });
  return { server, clock, pool, dialled, names, take, connectionOf, ask };
};

describe('the pool of connections to servers', () => {
  it('gives a connection that is free to the next request', async () => {
    const { take, connectionOf, ask, dialled } = await rig();
    const first = await connectionOf(take());
    await ask(first);
    expect(await connectionOf(take())).toBe(first);
    expect(dialled).toHaveLength(1);
  });

  it('keeps what was dialled for one scheme, host and port for that one', async () => {
    const { take, connectionOf, ask, names } = await rig();
    await ask(await connectionOf(take()));
    for (const other of [
      { ...A, tls: true },
      { ...A, port: 81 },
      { ...A, host: unwrap(parseHost('b.test')) },
    ])
      await ask(await connectionOf(take(other)));
    expect(names).toEqual([
      'http://a.test:80',
      'https://a.test:80',
      'http://a.test:81',
      'http://b.test:80',
    ]);
  });

  it('gives no connection to two requests at once', async () => {
    const { take, connectionOf } = await rig();
    const first = await connectionOf(take());
    expect(await connectionOf(take())).not.toBe(first);
  });

  it('closes a connection that lies idle for too long', async () => {
    const { take, connectionOf, ask, clock, dialled } = await rig();
    await ask(await connectionOf(take()));
    clock.advance(IDLE_UPSTREAM_MS - IDLE_SWEEP_MS);
    expect(dialled[0]?.destroyed).toBe(false);
    clock.advance(2 * IDLE_SWEEP_MS);
    expect(dialled[0]?.destroyed).toBe(true);
  });

  it('believes a server that keeps connections for a shorter time', async () => {
    const { take, connectionOf, ask, clock, dialled } = await rig({
      answer: 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 2\r\n\r\nok',
    });
    await ask(await connectionOf(take()));
    clock.advance(1900);
    const kept = await connectionOf(take());
    await ask(kept);
    clock.advance(2100);
    expect(await connectionOf(take())).not.toBe(kept);
    expect(dialled).toHaveLength(2);
  });

  it('forgets no connection that is made as an old one goes', async () => {
    const { take, connectionOf, ask, clock, dialled, pool } = await rig();
    const old = take();
    const second = take();
    await ask(await connectionOf(old));
    await ask(await connectionOf(second));
    // Both are due, and no sweep has come yet.
    const at = clock.monotonic();
    clock.advance(IDLE_UPSTREAM_MS - IDLE_SWEEP_MS);
    Object.assign(clock, { monotonic: () => at + IDLE_UPSTREAM_MS + 1 });
    const fresh = await connectionOf(take());
    await ask(fresh);
    expect(dialled.map(({ destroyed }) => destroyed)).toEqual([true, true, false]);
    expect(await connectionOf(take())).toBe(fresh);
    pool.close();
    expect(dialled.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('lets requests wait, first come first served, where a server has as many as it may', async () => {
    const { take, connectionOf, ask, dialled } = await rig();
    const busy = await Promise.all(
      Array.from({ length: MAX_SOCKETS_PER_UPSTREAM }, () => connectionOf(take())),
    );
    const waiting = [take(), take(), take()];
    waiting[1]?.untake();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(dialled).toHaveLength(MAX_SOCKETS_PER_UPSTREAM);
    const [one, two] = busy;
    if (one === undefined || two === undefined) throw new Error('none');
    await ask(one);
    expect(waiting.map(({ result }) => result?.ok)).toEqual([true, undefined, undefined]);
    // One that is gone makes room for a new one.
    two.destroy();
    await until(() => waiting[2]?.result !== undefined, 'the last');
    expect(waiting[1]?.result).toBeUndefined();
    expect(dialled).toHaveLength(MAX_SOCKETS_PER_UPSTREAM + 1);
  });

  it('gives no connection to a request that waits whose server is about to close it', async () => {
    const { take, connectionOf, ask, dialled } = await rig({
      answer: 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok',
    });
    const [one] = await Promise.all(
      Array.from({ length: MAX_SOCKETS_PER_UPSTREAM }, () => connectionOf(take())),
    );
    const waiting = take();
    if (one === undefined) throw new Error('none');
    await ask(one);
    expect(await connectionOf(waiting)).not.toBe(one);
    expect(dialled).toHaveLength(MAX_SOCKETS_PER_UPSTREAM + 1);
  });

  it('dials for no request that was given up while it waited', async () => {
    const { take, connectionOf, dialled } = await rig();
    const [one] = await Promise.all(
      Array.from({ length: MAX_SOCKETS_PER_UPSTREAM }, () => connectionOf(take())),
    );
    take().untake();
    one?.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(dialled).toHaveLength(MAX_SOCKETS_PER_UPSTREAM);
  });

  it('lets go of a request that waits no longer', async () => {
    const never: Dial = () => new Promise(() => undefined);
    const { pool } = await rig({ dial: never });
    for (let count = 0; count < MAX_SOCKETS_PER_UPSTREAM; count += 1) pool.take(A, () => undefined);
    const held: WeakRef<object>[] = [];
    for (let count = 0; count < 200; count += 1) {
      const request = { bytes: Buffer.alloc(1000, count) };
      held.push(new WeakRef(request));
      pool.take(A, () => void request.bytes)();
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
    exposeCollector();
    globalThis.gc?.();
    expect(held.filter((one) => one.deref() !== undefined).length).toBeLessThan(5);
  });

  it('tells each request of its own dial, and dials for the next that waits', async () => {
    let dials = 0;
    const { take } = await rig({
      dial: () => {
        dials += 1;
        return dials === 1 ? Promise.reject(new Error('a bug')) : Promise.resolve(DIAL_FAILED);
      },
    });
    const all = Array.from({ length: MAX_SOCKETS_PER_UPSTREAM + 3 }, () => take());
    await until(() => all.every(({ result }) => result !== undefined), 'all failures');
    expect(all.every(({ result }) => result?.ok === false)).toBe(true);
    expect(dials).toBe(all.length);
  });

  it('keeps what was dialled for a request that was given up', async () => {
    const { take, connectionOf, dialled } = await rig();
    take().untake();
    await until(() => dialled.length === 1, 'the dial');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await connectionOf(take());
    expect(dialled).toHaveLength(1);
  });

  it('takes a connection that was dialled for another reason', async () => {
    const { pool, server, take, connectionOf, dialled } = await rig();
    const socket = await server.dial();
    pool.park(A, { socket, address: '127.0.0.9' });
    expect((await connectionOf(take())).address).toBe('127.0.0.9');
    expect(dialled).toHaveLength(0);
  });

  it('gives no connection out that ended, or spoke unasked, while it lay idle', async () => {
    const { take, connectionOf, ask, server, dialled } = await rig();
    const both = [take(), take()];
    for (const one of both) await ask(await connectionOf(one));
    server.sockets[0]?.end();
    server.sockets[1]?.write(OK);
    await until(() => dialled.every(({ destroyed }) => destroyed), 'both ends');
    await connectionOf(take());
    expect(dialled).toHaveLength(3);
  });

  it('closes all of them, what is being dialled too, and says so to who waits', async () => {
    let arrive: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const server = await listenScripted(() => undefined);
    cleanups.push(() => server.close());
    const dialled: Socket[] = [];
    const { pool, take } = await rig({
      dial: async () => {
        const socket = await server.dial();
        dialled.push(socket);
        await gate;
        return ok({ socket, address: '127.0.0.1' });
      },
    });
    const all = Array.from({ length: MAX_SOCKETS_PER_UPSTREAM + 1 }, () => take());
    await until(() => dialled.length === MAX_SOCKETS_PER_UPSTREAM, 'the dials');
    pool.close();
    arrive?.();
    await until(() => all.every(({ result }) => result !== undefined), 'the end of all');
    expect(all.every(({ result }) => result?.ok === false)).toBe(true);
    expect(dialled.every(({ destroyed }) => destroyed)).toBe(true);
    const late = take();
    await until(() => late.result !== undefined, 'the refusal');
    expect(late.result?.ok).toBe(false);
    expect(dialled).toHaveLength(MAX_SOCKETS_PER_UPSTREAM);
  });
});
