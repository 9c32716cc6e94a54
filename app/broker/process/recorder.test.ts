import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../kit/index.ts';
import { MAX_BATCH_RECORDS } from '../batch.ts';
import type { BrokerDraft } from '../protocol.ts';
import { BATCH_MS, createRecorder } from './recorder.ts';

const draft = (name: string): BrokerDraft => ({
  kind: 'dns',
  at: '',
  verdict: 'allowed',
  name,
  type: 'A',
});

const open = (maxWaiting?: number) => {
  const clock = createManualClock();
  const sent: (readonly BrokerDraft[])[] = [];
  const recorder = createRecorder(clock, (drafts) => sent.push(drafts), maxWaiting);
  return { clock, sent, recorder };
};

describe('the recorder', () => {
  it('sends what came together as one batch, and the next only when that was taken', () => {
    const { clock, sent, recorder } = open();
    recorder.record(draft('a'));
    recorder.record(draft('b'));
    expect(sent).toEqual([]);
    clock.advance(BATCH_MS);
    expect(sent).toEqual([[draft('a'), draft('b')]]);
    recorder.record(draft('c'));
    clock.advance(10 * BATCH_MS);
    expect(sent).toHaveLength(1);
    recorder.taken();
    expect(sent[1]).toEqual([draft('c')]);
  });

  it('counts what a slow host made it drop', () => {
    const { clock, sent, recorder } = open(3);
    recorder.record(draft('a'));
    clock.advance(BATCH_MS);
    for (let index = 0; index < 10; index += 1) recorder.record(draft(String(index)));
    recorder.taken();
    expect(sent[1]?.map((one) => one.kind)).toEqual(['dns', 'dns', 'dns', 'gap']);
    expect(sent[1]?.at(-1)).toMatchObject({ kind: 'gap', source: 'broker', lost: 7 });
  });

  it('never drops what was let past the wall, and says when nothing more may be', () => {
    const { clock, sent, recorder } = open(3);
    const allowed: BrokerDraft = {
      kind: 'egress',
      at: '',
      id: 'x-1',
      verdict: 'allowed',
      scheme: 'https',
      host: 'api.test',
      port: 443,
      protocol: 'h1',
      inspected: true,
      bytesOut: 0,
      bytesIn: 0,
      durationMs: 0,
    };
    const used: BrokerDraft = {
      kind: 'credential',
      at: '',
      op: 'used',
      credential: 'c',
      host: 'api.test',
    };
    recorder.record(draft('a'));
    clock.advance(BATCH_MS);
    expect(recorder.room()).toBe(true);
    for (let index = 0; index < 3; index += 1) recorder.record(draft(String(index)));
    expect(recorder.room()).toBe(false);
    recorder.record(allowed);
    recorder.record(used);
    recorder.record({ ...allowed, verdict: 'denied' });
    recorder.record({ ...used, op: 'tripped' });
    recorder.taken();
    expect(sent[1]?.slice(-3)).toEqual([
      allowed,
      used,
      expect.objectContaining({ kind: 'gap', lost: 2 }),
    ]);
    expect(recorder.room()).toBe(true);
  });

  it('flushes only once all has been taken', async () => {
    const { sent, recorder } = open();
    recorder.record(draft('a'));
    let flushed = false;
    const done = recorder.flush().then(() => {
      flushed = true;
      return undefined;
    });
    await Promise.resolve();
    expect([sent.length, flushed]).toEqual([1, false]);
    recorder.taken();
    await done;
    expect(flushed).toBe(true);
  });
});

it('keeps one batch under way, however many records come', () => {
  const { clock, sent, recorder } = open();
  recorder.record(draft('first'));
  clock.advance(BATCH_MS);
  for (let index = 0; index < 2 * MAX_BATCH_RECORDS; index += 1) {
    recorder.record(draft(String(index)));
  }
  expect(sent).toHaveLength(1);
  recorder.taken();
  expect(sent).toHaveLength(2);
});
