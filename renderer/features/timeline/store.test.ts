import { describe, expect, it } from 'vitest';
import type {
  EgressDraft,
  MethodInput,
  MethodName,
  SessionId,
  StreamItem,
  TimelineEvent,
} from '../../../app/contract/index.ts';
import { createManualClock, createScope, ok } from '../../../app/kit/index.ts';
import type { StreamObserver, WireClient } from '../../wire/index.ts';
import { foldEvents } from './fold.ts';
import { matchesFilter } from './match.ts';
import { addNewer, addOlder, EMPTY_RING, MAX_RING_EVENTS, TRIM_EVENTS } from './ring.ts';
import { createTimelineStore, FILTER_PAUSE_MS, FLUSH_MS, growOverview } from './store.ts';

const session = 'abcdefgh1234' as SessionId;
const at = '2026-11-21T14:22:07.000000Z';
const npm = { pid: 9, command: ['npm', 'install'], ancestors: [['claude']] };

const touch = (seq: number, over: Partial<Extract<TimelineEvent, { kind: 'touch' }>> = {}) =>
  ({
    kind: 'touch',
    seq,
    session,
    at,
    op: 'write',
    path: `/p/f${seq}`,
    verdict: 'allowed',
    program: npm,
    ...over,
  }) as const satisfies TimelineEvent;

const egress = (
  seq: number,
  over: Partial<EgressDraft> = {},
): Extract<TimelineEvent, { kind: 'egress' }> => ({
  kind: 'egress',
  seq,
  session,
  id: `e${seq}`,
  at,
  verdict: 'allowed',
  scheme: 'https',
  method: 'GET',
  host: 'api.example.com',
  port: 443,
  path: '/v1/x',
  protocol: 'h1',
  inspected: true,
  bytesOut: 0,
  bytesIn: 10,
  durationMs: 5,
  program: npm,
  ...over,
});

const range = (from: number, to: number): TimelineEvent[] =>
  Array.from({ length: to - from + 1 }, (_, i) => touch(from + i));
const seqs = (events: readonly TimelineEvent[]): number[] => events.map((event) => event.seq);

describe('timeline ring', () => {
  it('takes events in any order, without doubles', () => {
    const ring = addNewer(addNewer(EMPTY_RING, [touch(5), touch(3)]), [
      touch(4),
      touch(5),
      touch(6),
    ]);
    expect(seqs(ring.events)).toEqual([3, 4, 5, 6]);
  });

  it('trims the oldest in a batch once it is full, and keeps the newest', () => {
    const full = addNewer(EMPTY_RING, range(1, MAX_RING_EVENTS));
    expect(full.events).toHaveLength(MAX_RING_EVENTS);
    expect(full.cutOldest).toBe(false);
    const trimmed = addNewer(full, [touch(MAX_RING_EVENTS + 1)]);
    expect(trimmed.events).toHaveLength(MAX_RING_EVENTS - TRIM_EVENTS);
    expect(trimmed.cutOldest).toBe(true);
    expect(trimmed.events.at(-1)?.seq).toBe(MAX_RING_EVENTS + 1);
  });

  it('gives the newest up when older pages fill it', () => {
    const full = addNewer(EMPTY_RING, range(1001, 1000 + MAX_RING_EVENTS));
    const paged = addOlder(full, range(801, 1000), true);
    expect(paged.events[0]?.seq).toBe(801);
    expect(paged.cutNewest).toBe(true);
    expect(paged.events.length).toBeLessThanOrEqual(MAX_RING_EVENTS);
  });
});

describe('timeline folding', () => {
  it('makes one row of equal neighbours, and keeps what differs apart', () => {
    const rows = foldEvents([
      egress(6),
      egress(5),
      egress(4, { path: '/other' }),
      touch(3, { path: '/p/a', count: 2 }),
      touch(2, { path: '/p/a' }),
      touch(1, { path: '/p/a', verdict: 'denied' }),
    ]);
    expect(rows.map((row) => [row.key, row.event.seq, row.count])).toEqual([
      [5, 6, 2],
      [4, 4, 1],
      [2, 3, 3],
      [1, 1, 1],
    ]);
  });

  it('tells the reading of one folder by one program as one fact', () => {
    const rows = foldEvents([
      touch(3, { op: 'read', path: '/p/src/a' }),
      touch(2, { op: 'read', path: '/p/src/b', count: 4 }),
      touch(1, { op: 'read', path: '/p/lib/c' }),
    ]);
    expect(rows.map((row) => row.count)).toEqual([5, 1]);
  });
});

describe('timeline filter', () => {
  const refused = egress(1, {
    verdict: 'denied',
    code: 'egress.private-address',
    host: '10.0.0.1',
  });
  it.each([
    ['all', '', true],
    ['blocked', '', true],
    ['files', '', false],
    ['credentials', '', false],
    ['egress', 'prog:npm host:10.0 code:private', true],
    ['egress', 'prog:claude', true],
    ['egress', 'prog:curl', false],
    ['egress', 'host:npm', false],
    ['all', 'V1/X 10.0.0.1', true],
    ['all', 'nowhere', false],
  ] as const)('%s “%s”: %s', (view, text, expected) => {
    expect(matchesFilter(refused, { view, text })).toBe(expected);
  });

  it('finds a process by its own command, a touch by its new path, and shows only credential events as such', () => {
    const filter = (text: string) => ({ view: 'all', text }) as const;
    const run = { kind: 'process', at, op: 'exit', command: ['npm', 'test'], exitCode: 1 } as const;
    expect(matchesFilter(run, filter('prog:npm'))).toBe(true);
    expect(matchesFilter(touch(1, { op: 'rename', to: '/p/new' }), filter('path:/p/new'))).toBe(
      true,
    );
    expect(matchesFilter(touch(1), filter('method:write'))).toBe(true);
    expect(matchesFilter(egress(1, { credential: 'a' }), { view: 'credentials', text: '' })).toBe(
      false,
    );
  });
});

type Page = { filter: { view: string; text: string }; before?: number; limit: number };
const counts = { all: 9, egress: 4, files: 5, credentials: 0, blocked: 0 };

const setUp = async (stored: TimelineEvent[]) => {
  const clock = createManualClock();
  const pages: Page[] = [];
  let observer: StreamObserver<'timeline'> | undefined;
  const client: WireClient = {
    call: async (method: MethodName, input: MethodInput<MethodName>) => {
      await Promise.resolve();
      if (method !== 'timeline.page') throw new Error(method);
      const page = input as unknown as Page;
      pages.push(page);
      const before = page.before ?? Number.MAX_SAFE_INTEGER;
      const fitting = stored
        .filter((event) => event.seq < before)
        .filter((event) => matchesFilter(event, page.filter as never))
        .toReversed();
      return ok({
        events: fitting.slice(0, page.limit),
        counts,
        more: fitting.length > page.limit,
      } as never);
    },
    subscribe: (_stream, _input, given) => {
      observer = given as unknown as StreamObserver<'timeline'>;
      return () => undefined;
    },
    connection: () => ({ type: 'open' }),
    onConnection: () => () => undefined,
    retryNow: () => undefined,
  };
  const store = createTimelineStore(
    { client, clock, report: () => undefined },
    session,
    createScope('test'),
  );
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  const live = async (item: Partial<StreamItem<'timeline'>>): Promise<void> => {
    observer?.onItem({ events: [], counts, open: [], skipped: 0, ...item });
    clock.advance(FLUSH_MS);
    await settle();
  };
  await settle();
  const shown = (): number[] => store.getState().rows.map((row) => row.key);
  return { store, clock, pages, live, settle, shown, restart: () => observer?.onRestart?.() };
};

describe('timeline store', () => {
  it('shows the newest page, then what comes live, newest first', async () => {
    const { shown, live } = await setUp(range(1, 3));
    expect(shown()).toEqual([3, 2, 1]);
    await live({ events: [touch(4), touch(5)] });
    expect(shown()).toEqual([5, 4, 3, 2, 1]);
  });

  it('moves nothing while the list is held, counts what waits, and shows it on the way back', async () => {
    const { store, shown, live } = await setUp(range(1, 3));
    store.getState().hold(true);
    await live({ events: [touch(4), touch(5)], open: [egress(6)] });
    expect(shown()).toEqual([3, 2, 1]);
    expect(store.getState().waiting).toBe(2);
    expect(store.getState().open).toEqual([]);
    store.getState().jumpToNewest();
    expect(shown()).toEqual([5, 4, 3, 2, 1]);
    expect(store.getState().open).toHaveLength(1);
  });

  it('does not read again under the reader: what was left out is counted and fetched on the way back', async () => {
    const { store, pages, shown, live, settle } = await setUp(range(1, 3));
    store.getState().hold(true);
    const more = { ...counts, all: counts.all + 40 };
    await live({ counts: more, skipped: 38, events: [touch(42), touch(43)] });
    expect(shown()).toEqual([3, 2, 1]);
    expect(store.getState().waiting).toBe(40);
    await live({ counts: { ...more, all: more.all + 1 }, events: [touch(44)] });
    expect(store.getState().waiting).toBe(41);
    expect(pages).toHaveLength(1);
    store.getState().hold(false);
    await settle();
    expect(pages).toHaveLength(2);
    expect(store.getState().waiting).toBe(0);
  });

  it('keeps what is being read when more comes than the window holds', async () => {
    const { store, shown, live } = await setUp(range(1, 3));
    store.getState().hold(true);
    await live({ events: range(4, MAX_RING_EVENTS + 10) });
    await live({ events: [touch(MAX_RING_EVENTS + 11)] });
    expect(shown()).toEqual([3, 2, 1]);
    expect(store.getState().waiting).toBe(MAX_RING_EVENTS + 8);
  });

  it('asks the store for a filter once typing rests, and filters live events alike', async () => {
    const { store, clock, pages, settle, shown, live } = await setUp([...range(1, 3), egress(4)]);
    store.getState().setText('host:a');
    store.getState().setText('host:api');
    clock.advance(FILTER_PAUSE_MS - 1);
    expect(pages).toHaveLength(1);
    clock.advance(1);
    await settle();
    expect(pages.map((page) => page.filter.text)).toEqual(['', 'host:api']);
    expect(shown()).toEqual([4]);
    await live({ events: [touch(5), egress(6, { path: '/b' })] });
    expect(shown()).toEqual([6, 4]);
  });

  it('pages older events in and stops at the first', async () => {
    const { store, pages, shown } = await setUp(range(1, 450));
    expect(shown()).toHaveLength(200);
    await store.getState().loadOlder();
    await store.getState().loadOlder();
    await store.getState().loadOlder();
    expect(shown()).toHaveLength(450);
    expect(pages.map((page) => page.before)).toEqual([undefined, 251, 51]);
  });

  it('reads again when the stream left events out or began anew', async () => {
    const { pages, live, restart, settle } = await setUp(range(1, 3));
    await live({ skipped: 7 });
    expect(pages).toHaveLength(2);
    restart();
    await settle();
    expect(pages).toHaveLength(3);
  });
});

describe('overview', () => {
  it('grows its last column, then a new one', () => {
    const from = Date.parse(at);
    const none = { egress: 0, touches: 0, credentials: 0, blocked: 0 };
    const overview = [
      { from: from - 2000, ...none },
      { from: from - 1000, ...none },
    ];
    const grown = growOverview(overview, [
      touch(1, { at: new Date(from - 500).toISOString(), count: 3 }),
      egress(2, { verdict: 'denied' }),
    ]);
    expect(grown?.map((bucket) => [bucket.touches, bucket.egress, bucket.blocked])).toEqual([
      [0, 0, 0],
      [3, 0, 0],
      [0, 1, 1],
    ]);
  });
});
