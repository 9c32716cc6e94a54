import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineStatus } from '../contract/index.ts';
import type { Engine } from '../engine/port.ts';
import {
  createManualClock,
  createScope,
  fail,
  ok,
  type ManualClock,
  type Scope,
} from '../kit/index.ts';
import { ENGINE_POLL_MS, ENGINE_RETRY_MS, watchEngine, type EngineWatch } from './engine-watch.ts';

let clock: ManualClock;
let scope: Scope;
let answers: boolean;
/** What is found next; undefined finds nothing. */
let next: string | undefined;
let open: number;
let statuses: EngineStatus[];

const engineAt = (address: string): Engine =>
  ({ title: 'Fake 1.0', address, ping: async () => answers }) as unknown as Engine;

const watch = (): EngineWatch => {
  const watched = watchEngine(
    {
      clock,
      find: async (own) => {
        if (next === undefined) return fail('engine.not-found', 'nothing answers', 'install one');
        open += 1;
        own.defer(() => {
          open -= 1;
        });
        return ok(engineAt(next));
      },
    },
    scope,
  );
  watched.onChange((status) => statuses.push(status));
  return watched;
};
const states = (): string[] => statuses.map(({ state }) => state);
const settle = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  clock = createManualClock();
  scope = createScope('test');
  answers = true;
  next = '/run/a.sock';
  open = 0;
  statuses = [];
});
afterEach(() => scope.close());

describe('the engine', () => {
  it('that is missing is told with its hint, and found as soon as it is there', async () => {
    next = undefined;
    const watched = watch();
    await settle();
    expect(watched.status()).toMatchObject({
      state: 'missing',
      problem: { code: 'engine.not-found', hint: 'install one' },
    });
    expect(await watched.require()).toMatchObject({ ok: false });
    next = '/run/a.sock';
    clock.advance(ENGINE_POLL_MS);
    await settle();
    expect(watched.status()).toEqual({ state: 'ready', title: 'Fake 1.0' });
    expect(states()).toEqual(['missing', 'ready']);
  });

  it('is not let go of for one unanswered question', async () => {
    const watched = watch();
    await settle();
    answers = false;
    const asked = watched.require();
    await settle();
    answers = true;
    clock.advance(ENGINE_RETRY_MS);
    expect(await asked).toMatchObject({ ok: true });
    expect(states()).toEqual(['ready']);
    expect(open).toBe(1);
  });

  it('that is lost is told, let go of, and taken again only where it was', async () => {
    const watched = watch();
    await settle();
    answers = false;
    next = '/run/other.sock';
    const asked = watched.require();
    await expect
      .poll(async () => {
        clock.advance(ENGINE_RETRY_MS);
        await settle();
        return open;
      })
      .toBe(0);
    expect(await asked).toMatchObject({ ok: false, error: { code: 'engine.lost' } });
    expect(watched.status().problem?.hint).toContain('/run/other.sock');
    answers = true;
    next = '/run/a.sock';
    expect(await watched.require()).toMatchObject({ ok: true });
    expect(states()).toEqual(['ready', 'lost', 'ready']);
  });

  it('is closed with the scope, and asked no more', async () => {
    watch();
    await settle();
    await scope.close();
    expect(open).toBe(0);
    clock.advance(10 * ENGINE_POLL_MS);
    await settle();
    expect(open).toBe(0);
  });
});
