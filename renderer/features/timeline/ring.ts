import type { TimelineEvent } from '../../../app/contract/index.ts';

/** Most events the window keeps of one session; older ones are paged in from the store again. */
export const MAX_RING_EVENTS = 5_000;
/** How many go at once when it is full, so that trimming is rare. */
export const TRIM_EVENTS = 500;

export type Ring = {
  /** Oldest first, without doubles. */
  readonly events: readonly TimelineEvent[];
  /** True where something was cut at that end. */
  readonly cutOldest: boolean;
  readonly cutNewest: boolean;
};

export const EMPTY_RING: Ring = { events: [], cutOldest: false, cutNewest: false };

const merge = (
  a: readonly TimelineEvent[],
  b: readonly TimelineEvent[],
): readonly TimelineEvent[] => {
  const last = a.at(-1)?.seq ?? 0;
  const first = b[0]?.seq;
  if (first === undefined) return a;
  if (first > last) return [...a, ...b];
  const bySeq = new Map(a.map((event) => [event.seq, event]));
  for (const event of b) bySeq.set(event.seq, event);
  return Array.from(bySeq.values()).toSorted((x, y) => x.seq - y.seq);
};

/** Adds events as they come (any order, doubles welcome). Full: the oldest go, in a batch. */
export const addNewer = (ring: Ring, events: readonly TimelineEvent[]): Ring => {
  const sorted = events.toSorted((a, b) => a.seq - b.seq);
  const all = merge(ring.events, sorted);
  if (all.length <= MAX_RING_EVENTS) return { ...ring, events: all };
  const keep = MAX_RING_EVENTS - TRIM_EVENTS;
  return { ...ring, events: all.slice(-keep), cutOldest: true };
};

/** Adds a page of older events. Full: the newest go, and live ones are fetched again on the way back up. */
export const addOlder = (ring: Ring, events: readonly TimelineEvent[], more: boolean): Ring => {
  const sorted = events.toSorted((a, b) => a.seq - b.seq);
  const all = merge(sorted, ring.events);
  if (all.length <= MAX_RING_EVENTS) return { ...ring, events: all, cutOldest: more };
  const keep = MAX_RING_EVENTS - TRIM_EVENTS;
  return { events: all.slice(0, keep), cutOldest: more, cutNewest: true };
};
