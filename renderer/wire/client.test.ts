import { describe, expect, it } from 'vitest';
import type { ClientMessage, ServerMessage, SessionId, Wire } from '../../app/contract/index.ts';
import { createManualClock, createScope } from '../../app/kit/index.ts';
import { createWireClient, MAX_RETRY_MS, MIN_RETRY_MS, STREAM_RETRY_MS } from './client.ts';
import { createWirePair } from './pair.ts';

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

const setUp = (options: { readonly refuse?: () => boolean } = {}) => {
  const clock = createManualClock(1000);
  const scope = createScope('test');
  const got: ClientMessage[] = [];
  const hosts: Wire[] = [];
  const client = createWireClient(
    {
      connect: async () => {
        await Promise.resolve();
        if (options.refuse?.() === true) throw new Error('refused');
        const [near, far] = createWirePair();
        far.onMessage((text) => got.push(JSON.parse(text) as ClientMessage));
        hosts.push(far);
        return near;
      },
      clock,
      check: true,
    },
    scope,
  );
  const say = async (message: ServerMessage): Promise<void> => {
    hosts.at(-1)?.send(JSON.stringify(message));
    await tick();
  };
  const last = (): ClientMessage => {
    const message = got.at(-1);
    if (message === undefined) throw new Error('nothing was sent');
    return message;
  };
  return { clock, scope, client, got, hosts, say, last };
};

const session = 'abcdefgh1234' as SessionId;
const bucket = { all: 0, egress: 0, files: 0, credentials: 0, blocked: 0 };
const batch = { events: [], counts: bucket, open: [], skipped: 0 };

describe('wire client', () => {
  it('answers a call with the parsed output, and with the problem of a failure', async () => {
    const { client, say, last } = setUp();
    const answer = client.call('project.recent', {});
    await tick();
    await say({ type: 'result', id: last().id, output: ['/home/me/a'] });
    expect(await answer).toEqual({ ok: true, value: ['/home/me/a'] });

    const refused = client.call('project.recent', {});
    await tick();
    const problem = { code: 'vault.locked', message: 'locked' } as const;
    await say({ type: 'failure', id: last().id, problem });
    expect(await refused).toEqual({ ok: false, error: problem });
  });

  it('refuses an output that does not fit the contract', async () => {
    const { client, say, last } = setUp();
    const answer = client.call('project.recent', {});
    await tick();
    await say({ type: 'result', id: last().id, output: [42] });
    expect(await answer).toMatchObject({ ok: false, error: { code: 'wire.bad-message' } });
  });

  it('asks again when a number is missing, and drops what still comes from the old subscription', async () => {
    const { client, say, last, got } = setUp();
    const items: unknown[] = [];
    let restarts = 0;
    client.subscribe(
      'timeline',
      { session },
      { onItem: (item) => items.push(item), onRestart: () => (restarts += 1) },
    );
    await tick();
    const first = last().id;
    await say({ type: 'item', id: first, seq: 0, item: batch });
    await say({ type: 'item', id: first, seq: 2, item: batch });
    expect(items).toHaveLength(1);
    expect(restarts).toBe(1);
    expect(got.slice(-2).map((message) => message.type)).toEqual(['unsubscribe', 'subscribe']);
    await say({ type: 'item', id: first, seq: 3, item: batch });
    expect(items).toHaveLength(1);
    await say({ type: 'item', id: last().id, seq: 0, item: batch });
    expect(items).toHaveLength(2);
  });

  it('fails what is under way when the connection breaks, comes back with growing pauses, and asks again for streams', async () => {
    let refuse = false;
    const { client, clock, hosts, got, say, last } = setUp({ refuse: () => refuse });
    const items: unknown[] = [];
    client.subscribe('timeline', { session }, { onItem: (item) => items.push(item) });
    const answer = client.call('project.recent', {});
    await tick();
    refuse = true;
    hosts[0]?.close();
    expect(await answer).toMatchObject({ ok: false, error: { code: 'wire.lost' } });
    expect(client.connection()).toEqual({ type: 'lost', attempt: 1, retryAt: 1000 + MIN_RETRY_MS });
    expect(await client.call('project.recent', {})).toMatchObject({
      ok: false,
      error: { code: 'wire.lost' },
    });

    clock.advance(MIN_RETRY_MS);
    await tick();
    expect(client.connection()).toMatchObject({
      attempt: 2,
      retryAt: clock.now() + 2 * MIN_RETRY_MS,
    });
    for (let i = 0; i < 8; i += 1) {
      clock.advance(MAX_RETRY_MS);
      // eslint-disable-next-line no-await-in-loop -- each attempt follows the one before
      await tick();
    }
    expect(client.connection()).toMatchObject({ retryAt: clock.now() + MAX_RETRY_MS });

    refuse = false;
    client.retryNow();
    await tick();
    expect(client.connection()).toEqual({ type: 'open' });
    expect(hosts).toHaveLength(2);
    expect(got.filter((message) => message.type === 'subscribe')).toHaveLength(2);
    await say({ type: 'item', id: last().id, seq: 0, item: batch });
    expect(items).toHaveLength(1);
  });

  it('asks again for a stream that broke, and leaves one alone that is over', async () => {
    const { client, clock, say, last, got } = setUp();
    client.subscribe('timeline', { session }, { onItem: () => undefined });
    await tick();
    const broke = { code: 'timeline.failed', message: 'disk' } as const;
    await say({ type: 'end', id: last().id, problem: broke });
    clock.advance(STREAM_RETRY_MS);
    await tick();
    expect(got.filter((message) => message.type === 'subscribe')).toHaveLength(2);
    await say({ type: 'end', id: last().id, problem: { code: 'session.not-found', message: '' } });
    clock.advance(10 * STREAM_RETRY_MS);
    await tick();
    expect(got.filter((message) => message.type === 'subscribe')).toHaveLength(2);
  });

  it('ends everything with its scope', async () => {
    const { client, scope, hosts } = setUp();
    await tick();
    let closed = false;
    hosts[0]?.onClose(() => (closed = true));
    const answer = client.call('project.recent', {});
    await scope.close();
    expect(await answer).toMatchObject({ ok: false });
    expect(closed).toBe(true);
  });
});
