import { beforeEach, describe, expect, it } from 'vitest';
import {
  MAX_PAGE_EVENTS,
  SessionId,
  STREAMS,
  type StreamItem,
  type TimelineCounts,
  type TimelineEvent,
} from '../contract/index.ts';
import {
  createEmitter,
  createManualClock,
  fail,
  ok,
  unwrap,
  type ManualClock,
} from '../kit/index.ts';
import type { Sessions } from '../session/index.ts';
import { BATCH_MS, FOLLOW_MS, streamTimeline } from './timeline-stream.ts';

const ID = SessionId.parse('0123456789ab');
const recorded = createEmitter<{ events: readonly TimelineEvent[]; counts: TimelineCounts }>();
let clock: ManualClock;
let items: StreamItem<'timeline'>[];
let ended: unknown[];
let stored: TimelineEvent[];
let owned: boolean;

const event = (seq: number): TimelineEvent => ({
  seq,
  session: ID,
  kind: 'session',
  at: '2026-01-01T00:00:00.000000Z',
  op: 'ready',
});
const counts = (all: number): TimelineCounts => ({
  all,
  egress: 0,
  files: 0,
  credentials: 0,
  blocked: 0,
});
const reader = {
  page: () => ok({ events: [], counts: counts(stored.length), more: false }),
  since: (after: number, limit: number) => ok(stored.slice(after, after + limit)),
};
const writer = {
  ...reader,
  onRecorded: (listener: (events: readonly TimelineEvent[], after: TimelineCounts) => void) =>
    recorded.on((batch) => listener(batch.events, batch.counts)),
};
const sessions = (timeline: unknown): Sessions =>
  ({
    timeline: () => timeline,
    get: () => ({ owned }),
    openRequests: () => [],
    onOpenRequests: () => () => undefined,
  }) as unknown as Sessions;
const sink = {
  send: (item: StreamItem<'timeline'>) => {
    items.push(STREAMS.timeline.item.parse(item));
  },
  end: (failed?: unknown) => ended.push(failed),
};
const record = (from: number, count: number): void => {
  const events = Array.from({ length: count }, (_, at) => event(from + at));
  stored.push(...events);
  recorded.emit({ events, counts: counts(stored.length) });
};

beforeEach(() => {
  clock = createManualClock();
  items = [];
  ended = [];
  stored = [event(1)];
  owned = true;
});

describe('following a timeline', () => {
  it('begins with how things are, then sends what is recorded, together', () => {
    const stop = unwrap(streamTimeline({ sessions: sessions(ok(writer)), clock }, ID, sink));
    expect(items).toEqual([{ events: [], counts: counts(1), open: [], skipped: 0 }]);
    record(2, 1);
    record(3, 2);
    clock.advance(BATCH_MS - 1);
    expect(items).toHaveLength(1);
    clock.advance(1);
    expect(items[1]).toMatchObject({
      events: [{ seq: 2 }, { seq: 3 }, { seq: 4 }],
      counts: { all: 4 },
    });
    stop();
    record(5, 1);
    clock.advance(BATCH_MS);
    expect(items).toHaveLength(2);
    expect(recorded.size()).toBe(0);
  });

  it('sends the newest of a flood and says how many it left out', () => {
    const stop = unwrap(streamTimeline({ sessions: sessions(ok(writer)), clock }, ID, sink));
    record(2, MAX_PAGE_EVENTS);
    record(2 + MAX_PAGE_EVENTS, 30);
    record(32 + MAX_PAGE_EVENTS, MAX_PAGE_EVENTS + 7);
    clock.advance(BATCH_MS);
    const item = items[1];
    expect(item?.events).toHaveLength(MAX_PAGE_EVENTS);
    expect(item?.events.at(-1)?.seq).toBe(stored.length);
    expect(item?.skipped).toBe(MAX_PAGE_EVENTS + 37);
    stop();
  });

  it('reads on where another process writes, until that session is over', () => {
    owned = false;
    const stop = unwrap(streamTimeline({ sessions: sessions(ok(reader)), clock }, ID, sink));
    stored.push(event(2), event(3));
    clock.advance(FOLLOW_MS + BATCH_MS);
    expect(items[1]).toMatchObject({ events: [{ seq: 2 }, { seq: 3 }], counts: { all: 3 } });
    owned = true;
    stored.push(event(4));
    clock.advance(FOLLOW_MS + BATCH_MS);
    expect(items[2]).toMatchObject({ events: [{ seq: 4 }] });
    stored.push(event(5));
    clock.advance(10 * FOLLOW_MS);
    expect(items).toHaveLength(3);
    stop();
  });

  it('is refused where there is no record', () => {
    const none = fail('session.not-found', 'none');
    expect(streamTimeline({ sessions: sessions(none), clock }, ID, sink)).toEqual(none);
    expect(items).toEqual([]);
    expect(ended).toEqual([]);
  });
});
