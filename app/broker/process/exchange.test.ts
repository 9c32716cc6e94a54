import { describe, expect, it } from 'vitest';
import type { EgressDraft, Program } from '../../contract/index.ts';
import { createManualClock } from '../../kit/index.ts';
import type { BrokerDraft } from '../protocol.ts';
import { createExchanges, OPEN_AFTER_MS, PROGRAM_WAIT_MS, type EgressFacts } from './exchange.ts';

const FACTS: EgressFacts = {
  verdict: 'allowed',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  protocol: 'h1',
  inspected: true,
  bytesOut: 0,
  bytesIn: 0,
};

const createAll = () => {
  const clock = createManualClock();
  const opened: EgressDraft[] = [];
  const recorded: BrokerDraft[] = [];
  const exchanges = createExchanges({
    room: () => true,
    crowded: () => false,
    clock,
    record: (draft) => recorded.push(draft),
    open: (draft) => opened.push(draft),
    redact: (text) => text.replaceAll('secret', '***'),
  });
  return {
    clock,
    opened,
    recorded,
    begin: (program: Promise<Program | undefined> = new Promise(() => undefined)) =>
      exchanges.begin(FACTS, program),
  };
};

describe('a request under way', () => {
  it('is told once it has lasted, with what is known of it by then', () => {
    const { clock, opened, begin } = createAll();
    const exchange = begin();
    exchange.open();
    clock.advance(OPEN_AFTER_MS - 1);
    expect(opened).toEqual([]);
    exchange.set({ path: '/a-secret' });
    clock.advance(1);
    expect(opened).toMatchObject([{ host: 'api.test', path: '/a-***', durationMs: OPEN_AFTER_MS }]);
    clock.advance(OPEN_AFTER_MS * 10);
    expect(opened).toHaveLength(1);
  });

  it('is not told when it is over by then, and is on the record all the same', async () => {
    const { clock, opened, recorded, begin } = createAll();
    const quick = begin();
    const slow = begin();
    quick.open();
    slow.open();
    quick.finish();
    clock.advance(OPEN_AFTER_MS);
    expect(opened).toHaveLength(1);
    slow.finish();
    clock.advance(1000);
    await expect.poll(() => recorded.length).toBe(2);
  });

  it('is told also after a pause', () => {
    const { clock, opened, begin } = createAll();
    begin().open();
    clock.advance(OPEN_AFTER_MS);
    begin().open();
    clock.advance(OPEN_AFTER_MS);
    expect(opened).toHaveLength(2);
  });
});

describe('the program of a record', () => {
  it('is not waited for once it is known that no one knows it', async () => {
    const { recorded, begin } = createAll();
    const exchange = begin(Promise.resolve(undefined));
    await Promise.resolve();
    exchange.finish();
    expect(recorded).toHaveLength(1);
  });

  it('may still come, but the record does not wait for ever', async () => {
    const { clock, recorded, begin } = createAll();
    const { promise, resolve } = Promise.withResolvers<Program | undefined>();
    begin(promise).finish();
    begin().finish();
    expect(recorded).toEqual([]);
    resolve({ pid: 7, command: ['curl'] });
    await expect.poll(() => recorded).toMatchObject([{ program: { pid: 7 } }]);
    clock.advance(PROGRAM_WAIT_MS);
    await expect.poll(() => recorded.length).toBe(2);
  });

  it('may fail to be found, and the record is written all the same', async () => {
    const { recorded, begin } = createAll();
    begin(Promise.reject(new Error('no guard'))).finish();
    await expect.poll(() => recorded.length).toBe(1);
  });
});

it('is on the record once, however often it ends', async () => {
  const { recorded, begin } = createAll();
  const exchange = begin(Promise.resolve(undefined));
  await Promise.resolve();
  exchange.finish();
  exchange.finish();
  await new Promise((resolve) => setImmediate(resolve));
  exchange.finish();
  await new Promise((resolve) => setImmediate(resolve));
  expect(recorded).toHaveLength(1);
});
