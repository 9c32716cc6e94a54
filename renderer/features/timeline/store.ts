import { createStore, type StoreApi } from 'zustand/vanilla';
import type {
  EgressDraft,
  Problem,
  SessionId,
  TimelineBucket,
  TimelineCheck,
  TimelineCounts,
  TimelineEvent,
  TimelineFilter,
  TimelineView,
} from '../../../app/contract/index.ts';
import type { Clock, Scope } from '../../../app/kit/index.ts';
import type { WireClient } from '../../wire/index.ts';
import { foldEvents, type FoldedRow } from './fold.ts';
import { isBlocked, matchesFilter } from './match.ts';
import { addNewer, addOlder, EMPTY_RING, MAX_RING_EVENTS, type Ring } from './ring.ts';

/** Events asked for at once. */
export const PAGE_EVENTS = 200;
/** How long typing must rest before the store is asked. */
export const FILTER_PAUSE_MS = 180;
/** How often live events are drawn at most. */
export const FLUSH_MS = 60;

export type Timeline = {
  readonly loading: boolean;
  readonly loadingOlder: boolean;
  readonly problem: Problem | undefined;
  readonly filter: TimelineFilter;
  readonly counts: TimelineCounts;
  readonly ring: Ring;
  /** Newest first, folded, up to what may be shown while the reader reads. */
  readonly rows: readonly FoldedRow[];
  /** Requests under way, newest first. */
  readonly open: readonly EgressDraft[];
  /** Events that came while the list was held. */
  readonly waiting: number;
  readonly selected: number | undefined;
  readonly overview: readonly TimelineBucket[] | undefined;
  readonly check: TimelineCheck | undefined;
  readonly checking: boolean;
  readonly setView: (view: TimelineView) => void;
  readonly setText: (text: string) => void;
  /** While held, nothing in the list moves. */
  readonly hold: (held: boolean) => void;
  readonly jumpToNewest: () => void;
  readonly loadOlder: () => Promise<void>;
  readonly loadOverview: (columns: number) => Promise<void>;
  readonly select: (key: number | undefined) => void;
  readonly verify: () => Promise<void>;
};
export type TimelineStore = StoreApi<Timeline>;

const NO_COUNTS: TimelineCounts = { all: 0, egress: 0, files: 0, credentials: 0, blocked: 0 };

export type TimelineDeps = {
  readonly client: WireClient;
  readonly clock: Clock;
  readonly report: (tried: string, problem: Problem) => void;
};

/** One session's timeline as the window keeps it: the newest part in memory, the rest a page away. */
export const createTimelineStore = (
  deps: TimelineDeps,
  session: SessionId,
  scope: Scope,
): TimelineStore => {
  const { client, clock } = deps;
  /** Someone reads the list, so nothing in it may move. */
  let reading = false;
  /** Highest number that may be shown; undefined while nothing holds the list. */
  let limit: number | undefined;
  let heldOpen: readonly EgressDraft[] | undefined;
  let liveOpen: readonly EgressDraft[] = [];
  let arrived: TimelineEvent[] = [];
  let cancelFlush: (() => void) | undefined;
  let cancelFilter: (() => void) | undefined;
  /** Counts answers, so that one that was overtaken is dropped. */
  let asked = 0;

  const store = createStore<Timeline>((set, get) => {
    const show = (ring: Ring): Partial<Timeline> => {
      const top = limit;
      const shown =
        top === undefined ? ring.events : ring.events.filter((event) => event.seq <= top);
      return {
        ring,
        rows: foldEvents(shown.toReversed()),
        waiting: ring.cutNewest ? get().waiting : ring.events.length - shown.length,
      };
    };

    const reload = async (): Promise<void> => {
      const turn = ++asked;
      const { filter } = get();
      set({ loading: true, problem: undefined });
      const answer = await client.call('timeline.page', { session, filter, limit: PAGE_EVENTS });
      if (turn !== asked) return;
      if (!answer.ok) {
        set({ loading: false, problem: answer.error });
        return;
      }
      const page = addOlder(EMPTY_RING, answer.value.events, answer.value.more);
      // What came over the stream meanwhile may be newer than the page.
      const newest = page.events.at(-1)?.seq ?? 0;
      limit = reading ? newest : undefined;
      const fresh = arrived.filter((event) => event.seq > newest && matchesFilter(event, filter));
      arrived = [];
      const next = show(addNewer(page, fresh));
      const { selected } = get();
      const kept = next.rows?.some((row) => row.key === selected) === true;
      set({
        loading: false,
        counts: answer.value.counts,
        ...next,
        ...(kept ? {} : { selected: undefined }),
      });
    };

    const leaveOut = (count: number): void => {
      set(({ ring, waiting }) => ({
        ring: { ...ring, cutNewest: true },
        waiting: waiting + count,
      }));
    };

    const flush = (): void => {
      cancelFlush = undefined;
      const { filter, ring, loading } = get();
      // A page is on its way and will bring these in their place.
      if (loading) return;
      const events = arrived.filter((event) => matchesFilter(event, filter));
      arrived = [];
      if (events.length === 0) return;
      const full = limit !== undefined && ring.events.length + events.length > MAX_RING_EVENTS;
      if (ring.cutNewest || full) {
        // What is being read is not pushed out by what is new: that is fetched on the way back up.
        leaveOut(events.length);
        return;
      }
      set(show(addNewer(ring, events)));
    };

    const refilter = (filter: TimelineFilter, pauseMs: number): void => {
      set({ filter, selected: undefined });
      cancelFilter?.();
      cancelFilter = clock.after(pauseMs, () => void reload());
    };

    scope.defer(
      client.subscribe(
        'timeline',
        { session },
        {
          onRestart: () => void reload(),
          onItem: (item) => {
            liveOpen = item.open.toReversed();
            const { filter, counts } = get();
            set((state) => ({
              counts: item.counts,
              open: heldOpen ?? liveOpen,
              overview: growOverview(state.overview, item.events),
            }));
            if (item.skipped > 0) {
              if (!reading) {
                void reload();
                return;
              }
              const fitting = item.events.filter((event) => matchesFilter(event, filter)).length;
              const all = item.counts[filter.view] - counts[filter.view];
              // How many of the skipped ones fit the words of a filter is not known here.
              leaveOut(filter.text === '' ? Math.max(1, all - fitting) : 1);
            }
            if (item.events.length === 0) return;
            arrived.push(...item.events);
            cancelFlush ??= clock.after(FLUSH_MS, flush);
          },
        },
      ),
    );
    scope.defer(() => {
      cancelFlush?.();
      cancelFilter?.();
    });
    queueMicrotask(() => void reload());

    return {
      loading: true,
      loadingOlder: false,
      problem: undefined,
      filter: { view: 'all', text: '' },
      counts: NO_COUNTS,
      ring: EMPTY_RING,
      rows: [],
      open: [],
      waiting: 0,
      selected: undefined,
      overview: undefined,
      check: undefined,
      checking: false,
      setView: (view) => {
        refilter({ ...get().filter, view }, 0);
      },
      setText: (text) => {
        refilter({ ...get().filter, text: text.slice(0, 512) }, FILTER_PAUSE_MS);
      },
      hold: (held) => {
        if (held === reading) return;
        reading = held;
        const { ring } = get();
        limit = held ? (ring.events.at(-1)?.seq ?? 0) : undefined;
        heldOpen = held ? get().open : undefined;
        set({ open: heldOpen ?? liveOpen, ...(ring.cutNewest ? {} : show(ring)) });
        if (!held && ring.cutNewest) void reload();
      },
      jumpToNewest: () => {
        reading = false;
        limit = undefined;
        heldOpen = undefined;
        set({ open: liveOpen });
        const { ring } = get();
        if (ring.cutNewest) void reload();
        else set(show(ring));
      },
      loadOlder: async () => {
        const { ring, filter, loading, loadingOlder } = get();
        const before = ring.events[0]?.seq;
        if (loading || loadingOlder || !ring.cutOldest || before === undefined) return;
        const turn = asked;
        set({ loadingOlder: true });
        const answer = await client.call('timeline.page', {
          session,
          filter,
          before,
          limit: PAGE_EVENTS,
        });
        set({ loadingOlder: false });
        if (turn !== asked) return;
        if (answer.ok) {
          const next = addOlder(get().ring, answer.value.events, answer.value.more);
          set({ counts: answer.value.counts, ...show(next) });
        } else deps.report('Reading older events failed', answer.error);
      },
      loadOverview: async (columns) => {
        const answer = await client.call('timeline.overview', { session, columns });
        if (answer.ok) set({ overview: answer.value });
      },
      select: (selected) => {
        set({ selected });
      },
      verify: async () => {
        if (get().checking) return;
        set({ checking: true });
        const answer = await client.call('timeline.verify', { session });
        set({ checking: false });
        if (answer.ok) set({ check: answer.value });
        else deps.report('Verifying the timeline failed', answer.error);
      },
    };
  });
  return store;
};

/** Adds live events to the drawing's last column, or a new one behind it once its time is over. */
export const growOverview = (
  overview: readonly TimelineBucket[] | undefined,
  events: readonly TimelineEvent[],
): readonly TimelineBucket[] | undefined => {
  if (overview === undefined || events.length === 0) return overview;
  const grown = overview.map((bucket) => ({ ...bucket }));
  const first = grown[0];
  const span =
    first === undefined || grown.length < 2
      ? 1000
      : ((grown.at(-1)?.from ?? 0) - first.from) / (grown.length - 1);
  for (const event of events) {
    const at = Date.parse(event.at);
    let last = grown.at(-1);
    if (last === undefined || at >= last.from + span) {
      const from = last === undefined ? at : last.from + Math.floor((at - last.from) / span) * span;
      last = { from, egress: 0, touches: 0, credentials: 0, blocked: 0 };
      grown.push(last);
    }
    if (event.kind === 'egress' || event.kind === 'dns') last.egress += 1;
    if (event.kind === 'touch') last.touches += event.count ?? 1;
    if (
      event.kind === 'credential' ||
      (event.kind === 'egress' && event.credential !== undefined)
    ) {
      last.credentials += 1;
    }
    if (isBlocked(event)) last.blocked += 1;
  }
  return grown;
};
