import { Agent, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forkProcess, type Spawn } from '../index.ts';
import { MAX_BATCH_RECORDS } from '../batch.ts';
import { MAX_WAITING_RECORDS } from '../process/recorder.ts';
import { createTestAuthority } from '../testing/certificates.ts';
import { createRig, listenTls, type Rig, type Upstream } from '../testing/setup.ts';
import { endingOf } from './stand.ts';

const CONNECTIONS = 32;

/** Makes one request after the other on a connection. */
const askerOn = (socket: Duplex): (() => Promise<{ status: number; code: string }>) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => socket;
  return () =>
    new Promise((resolve, reject) => {
      const call = request({ agent, headers: { host: 'api.test' } }, (response) => {
        const { statusCode = 0, headers } = response;
        response.on('end', () =>
          resolve({ status: statusCode, code: String(headers['glovebox-code']) }),
        );
        response.resume();
      });
      call.on('error', reject);
      call.end();
    });
};

describe('the record of what leaves', () => {
  let rig: Rig;
  let upstream: Upstream;
  let arrived = 0;
  let stalled = false;
  let deliver: () => void = () => undefined;

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(authority, ['api.test'], (_request, response) => {
      arrived += 1;
      response.end('hello');
    });
    // As a host whose own loop is held up: its answers come late, all of them.
    const spawn: Spawn = (entry, env) => {
      const child = forkProcess(entry, env);
      const held: unknown[] = [];
      deliver = () => {
        stalled = false;
        for (const message of held.splice(0)) child.send(message);
      };
      return {
        ...child,
        send: (message) => {
          if (stalled) held.push(message);
          else child.send(message);
        },
      };
    };
    rig = await createRig({
      authority,
      allow: ['api.test'],
      resolve: [`api.test:443:127.0.0.1:${String(upstream.port)}`],
      start: { env: {}, spawn },
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  const recorded = (): number =>
    rig.events.filter((event) => event.kind === 'egress' && event.verdict === 'allowed').length;
  const gaps = (): number =>
    rig.events.reduce((lost, event) => lost + (event.kind === 'gap' ? event.lost : 0), 0);

  const unrecorded = (): number =>
    rig.events.filter((event) => event.kind === 'egress' && event.code === 'egress.unrecorded')
      .length;

  it('hears of each connection that says nothing and goes', async () => {
    const before = rig.events.length;
    const address = await rig.relay.addressOf('api.test');
    const ways = ['end', 'half a hello', 'reset'] as const;
    for (const way of ways) {
      const socket = rig.relay.open(`${address}:443`);
      await new Promise((resolve) => socket.once('connect', resolve));
      // Reset before it was accepted, the kernel no longer knows where it was going: what came later is answered.
      expect((await rig.fetch('https://no.test/')).status).toBe(403);
      if (way === 'half a hello') socket.write(Buffer.from([22, 3, 1, 1]));
      if (way === 'reset') socket.resetAndDestroy();
      else socket.end();
    }
    const told = (): unknown[] =>
      rig.events
        .slice(before)
        .flatMap((event) =>
          event.kind === 'egress' && event.host !== 'no.test' ? [[event.host, event.code]] : [],
        );
    await rig.until(() => told().length >= ways.length, 'their records');
    expect(told()).toEqual(ways.map(() => ['api.test', 'egress.aborted']));
    expect(arrived).toBe(0);
  });

  it('stops what leaves before a record is lost, and goes on once they are taken', async () => {
    await rig.fetch('https://api.test/');
    await rig.egress(1);
    stalled = true;
    // Beside those that wait for the host: what it was sent, and what waits a moment for its program's name.
    const most = 2 * MAX_WAITING_RECORDS + 2 * MAX_BATCH_RECORDS;
    const enough = (): boolean => arrived >= most;
    const refused: { status: number; code: string }[] = [];
    const sockets = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => rig.tls('api.test')),
    );
    await Promise.all(
      sockets.map(async (socket) => {
        const ask = askerOn(socket);
        while (!enough()) {
          const answer = await ask();
          if (answer.status === 200) continue;
          refused.push(answer);
          return;
        }
      }),
    );
    expect(refused).toHaveLength(CONNECTIONS);
    for (const one of refused) expect(one).toEqual({ status: 503, code: 'egress.unrecorded' });
    expect(arrived).toBeLessThan(most);

    // Neither does a new connection pass, of whatever protocol.
    const passed = arrived;
    const late = rig.relay.open(`${await rig.relay.addressOf('api.test')}:443`);
    expect(await endingOf(late)).toEqual({ how: 'ECONNRESET', bytes: 0 });
    expect(arrived).toBe(passed);

    deliver();
    await rig.until(() => recorded() === arrived, 'a record of each request that was let out');
    // The refusals that had no room any more are counted, not forgotten; others waited for their program's name until there was.
    await rig.until(() => gaps() > 0, 'the gap');
    await rig.until(() => gaps() + unrecorded() >= CONNECTIONS, 'all of them');
    expect((await rig.fetch('https://api.test/')).text).toBe('hello');
    for (const socket of sockets) socket.destroy();
  }, 60_000);
});
