import { describe, expect, it } from 'vitest';
import type { EgressDraft } from '../../contract/index.ts';
import { createManualClock } from '../../kit/index.ts';
import type { BrokerDraft } from '../protocol.ts';
import { createExchanges, OPEN_AFTER_MS, type EgressFacts } from './exchange.ts';

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
    clock,
    record: (draft) => recorded.push(draft),
    open: (draft) => opened.push(draft),
    redact: (text) => text.replaceAll('secret', '***'),
  });
  return {
    clock,
    opened,
    recorded,
    begin: () => exchanges.begin(FACTS, new Promise(() => undefined)),
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
