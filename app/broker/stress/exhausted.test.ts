import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryLimits } from '../process/memory-guard.ts';
import { MAX_HELD_BODY_BYTES } from '../process/sites/body.ts';
import { createTestAuthority, type TestAuthority } from '../testing/certificates.ts';
import { MEMORY_VARIABLE } from '../testing/destinations.ts';
import { ask, connectHttp2, listenHttp2 } from '../testing/http2.ts';
import { listenTls, requestOn, type Upstream } from '../testing/setup.ts';
import { descriptorsOf, endingOf, openStand, residentOf, type Stand } from './stand.ts';

const MIB = 1024 * 1024;

describe('a broker that is used up from inside', () => {
  let authority: TestAuthority;
  let upstream: Upstream;
  let two: Upstream;
  let stand: Stand;
  const arrived: string[] = [];
  let base = 0;

  beforeAll(async () => {
    authority = await createTestAuthority();
    upstream = await listenTls(authority, ['api.test'], (request, response) => {
      arrived.push(`${request.method ?? ''} ${request.url ?? ''}`);
      request.resume();
      if (request.url !== '/wait') response.end('hello');
    });
    // The server has room for all of them: what is refused here, the broker refused.
    const roomy = { maxSessionMemory: 1000 };
    const onStream: Parameters<typeof listenHttp2>[2] = (stream, headers) => {
      arrived.push(`${headers[':method'] ?? ''} ${headers[':path'] ?? ''}`);
      if (headers[':path'] === '/wait') return;
      stream.respond({ ':status': 200 });
      stream.end('hello');
    };
    two = await listenHttp2(authority, ['two.test'], onStream, roomy);
  });
  afterEach(async () => {
    await stand.close();
    arrived.length = 0;
  });
  afterAll(async () => {
    await upstream.close();
    await two.close();
  });

  const open = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
    stand = await openStand(
      {
        authority,
        allow: ['api.test', 'two.test'],
        resolve: [
          `api.test:443:127.0.0.1:${String(upstream.port)}`,
          `two.test:443:127.0.0.1:${String(two.port)}`,
        ],
        grants: [{ kind: 'json:/token', hosts: ['api.test'] }],
      },
      env,
    );
  };
  const hello = async (): Promise<string> => (await stand.rig.fetch('https://api.test/')).text;
  /** A broker with so much memory beside what it needs itself. */
  const openWith = async ({ crowded, most }: MemoryLimits): Promise<void> => {
    if (base === 0) {
      await open();
      expect(await hello()).toBe('hello');
      base = residentOf(stand.pid());
      await stand.close();
    }
    const limits: MemoryLimits = { crowded: base + crowded, most: base + most };
    await open({ [MEMORY_VARIABLE]: JSON.stringify(limits) });
    expect(await hello()).toBe('hello');
    arrived.length = 0;
  };
  /** Bodies that are held until they are whole, and never are. */
  const holdBodies = async (count: number): Promise<(() => void)[]> => {
    const placeholder = stand.rig.grants[0]?.placeholder ?? '';
    const head = `POST /held HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: ${String(MAX_HELD_BODY_BYTES)}\r\n\r\n{"token":"${placeholder}","more":"`;
    const sockets = await Promise.all(
      Array.from({ length: count }, () => stand.rig.tls('api.test').catch(() => undefined)),
    );
    const most = Buffer.alloc(MAX_HELD_BODY_BYTES - head.length, 'x');
    for (const socket of sockets) {
      socket?.on('error', () => undefined);
      socket?.write(head);
      socket?.write(most);
    }
    return sockets.map((socket) => () => socket?.destroy());
  };

  it('lets nothing new in while memory runs short, and goes on after that', async () => {
    await openWith({ crowded: 60 * MIB, most: 2000 * MIB });
    const kept = await stand.rig.tls('api.test');
    const drops = await holdBodies(40);
    const refused = (): boolean =>
      stand.rig.events.some((event) => event.kind === 'egress' && event.code === 'egress.too-many');
    const address = await stand.rig.relay.addressOf('api.test');
    while (!refused()) {
      stand.rig.relay.open(`${address}:443`).end();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const answer = await requestOn(kept, '/', 'api.test');
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([503, 'egress.too-many']);
    expect(arrived).toEqual([]);
    for (const drop of drops) drop();
    // What was held is garbage now; the process gives it back as it goes on.
    await expect
      .poll(() => hello().catch(() => 'refused'), { timeout: 15_000, interval: 100 })
      .toBe('hello');
    expect(arrived.filter((one) => one.includes('/held'))).toEqual([]);
  }, 60_000);

  it('ends rather than take the host’s memory, and comes back', async () => {
    await openWith({ crowded: 4000 * MIB, most: 100 * MIB });
    const waiting = await stand.rig.tls('api.test');
    const end = endingOf(waiting);
    await holdBodies(40);
    expect((await end).how).toBe('ECONNRESET');
    await stand.rig.until(() => stand.rig.states.includes('down'), 'the end of the process');
    await stand.revive();
    expect(stand.rig.events.some(({ kind }) => kind === 'gap')).toBe(true);
    expect(arrived).toEqual([]);
    expect(await hello()).toBe('hello');
  }, 60_000);

  it('holds no byte back wrongly under streams and fields on end', async () => {
    await open();
    const sessions = await Promise.all(
      Array.from({ length: 8 }, () => connectHttp2(stand.rig, 'two.test')),
    );
    const big = Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [`x-${String(at)}`, 'v'.repeat(1000)]),
    );
    let sent = 0;
    for (const session of sessions) {
      for (let at = 0; at < 200; at += 1) {
        const stream = session.request({ ':path': '/wait', ':authority': 'two.test', ...big });
        stream.on('error', () => undefined);
        sent += 1;
      }
    }
    await stand.rig.until(() => arrived.length > 0, 'the first of them');
    const next = await connectHttp2(stand.rig, 'two.test');
    // Either it is served or it is refused in words; it neither hangs nor breaks.
    const answer = await ask(next, { ':path': '/', ':authority': 'two.test' });
    expect([200, 503]).toContain(answer.status);
    expect(arrived.length).toBeLessThanOrEqual(sent + 1);
    for (const session of [...sessions, next]) session.destroy();
    expect(await hello()).toBe('hello');
    expect(stand.rig.states).not.toContain('down');
  }, 60_000);

  it('refuses what there are no descriptors for, and recovers', async () => {
    await open();
    expect(await hello()).toBe('hello');
    const before = descriptorsOf(stand.pid()).length;
    const limit = String(before + 40);
    execFileSync('prlimit', ['--pid', String(stand.pid()), `--nofile=${limit}:${limit}`]);
    const address = await stand.rig.relay.addressOf('api.test');
    const crowd = Array.from({ length: 200 }, () => stand.rig.relay.open(`${address}:443`));
    const ends = crowd.map(endingOf);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(descriptorsOf(stand.pid()).length).toBeLessThanOrEqual(Number(limit));
    expect(arrived).toEqual(['GET /']);
    for (const socket of crowd) socket.destroy();
    await Promise.all(ends);
    if (stand.rig.relay.link.destroyed) await stand.rig.relink();
    await expect
      .poll(() => hello().catch((why: unknown) => String(why)), { timeout: 15_000, interval: 200 })
      .toBe('hello');
    await stand.rig.until(
      () => descriptorsOf(stand.pid()).length <= before + 4,
      'the descriptors to go',
    );
  }, 60_000);
});
