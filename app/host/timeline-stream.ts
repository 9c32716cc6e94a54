import {
  MAX_PAGE_EVENTS,
  type Code,
  type SessionId,
  type StreamItem,
  type TimelineCounts,
  type TimelineEvent,
} from '../contract/index.ts';
import { ok, type Clock, type Failure, type Result } from '../kit/index.ts';
import type { Sessions } from '../session/index.ts';
import type { TimelineReader, TimelineWriter } from '../timeline/port.ts';

/** Events that come within this time go out together. */
export const BATCH_MS = 50;
/** How often the record of a session that another process runs is looked at. */
export const FOLLOW_MS = 500;

type Item = StreamItem<'timeline'>;
const EVERYTHING = { view: 'all', text: '' } as const;

const countsOf = (reader: TimelineReader): Result<TimelineCounts, Failure<Code>> => {
  const page = reader.page({ filter: EVERYTHING, limit: 1 });
  return page.ok ? ok(page.value.counts) : page;
};

/**
 * Follows a session's timeline: first the counts and the open requests as they are (what is recorded
 * already is read by pages), then events in batches. Of a flood only the newest are sent, with the
 * number left out; the store has them all.
 */
export const streamTimeline = (
  deps: { readonly sessions: Sessions; readonly clock: Clock },
  session: SessionId,
  sink: { readonly send: (item: Item) => void; readonly end: (failure?: Failure<Code>) => void },
): Result<() => void, Failure<Code>> => {
  const { sessions, clock } = deps;
  const timeline = sessions.timeline(session);
  if (!timeline.ok) return timeline;
  const reader = timeline.value;
  const first = countsOf(reader);
  if (!first.ok) return first;

  let counts = first.value;
  let waiting: TimelineEvent[] = [];
  let skipped = 0;
  let cancel: (() => void) | undefined;
  let stopped = false;

  const send = (): void => {
    cancel = undefined;
    if (stopped) return;
    const events = waiting;
    const left = skipped;
    waiting = [];
    skipped = 0;
    sink.send({
      events,
      counts,
      open: sessions.openRequests(session).slice(0, MAX_PAGE_EVENTS),
      skipped: left,
    });
  };
  const soon = (): void => {
    cancel ??= clock.after(BATCH_MS, send);
  };
  const take = (events: readonly TimelineEvent[], after: TimelineCounts): void => {
    counts = after;
    waiting.push(...events.slice(-MAX_PAGE_EVENTS));
    skipped += Math.max(0, events.length - MAX_PAGE_EVENTS);
    const surplus = waiting.length - MAX_PAGE_EVENTS;
    if (surplus > 0) {
      waiting.splice(0, surplus);
      skipped += surplus;
    }
    soon();
  };

  const undo = [sessions.onOpenRequests(session, soon)];
  if ('onRecorded' in reader) {
    undo.push((reader satisfies TimelineWriter).onRecorded(take));
  } else if (sessions.get(session)?.owned === false) {
    undo.push(follow(deps, session, first.value.all, take, sink.end));
  }
  send();
  return ok(() => {
    stopped = true;
    cancel?.();
    for (const stop of undo) stop();
  });
};

/** Reads on where another process writes, until that session is over. */
const follow = (
  { sessions, clock }: { readonly sessions: Sessions; readonly clock: Clock },
  session: SessionId,
  from: number,
  take: (events: readonly TimelineEvent[], counts: TimelineCounts) => void,
  end: (failure?: Failure<Code>) => void,
): (() => void) => {
  let after = from;
  let cancel: (() => void) | undefined;
  const look = (): void => {
    const timeline = sessions.timeline(session);
    if (!timeline.ok) {
      end(timeline.error);
      return;
    }
    const news = timeline.value.since(after, MAX_PAGE_EVENTS);
    const counts = news.ok && news.value.length > 0 ? countsOf(timeline.value) : undefined;
    const failed = news.ok ? counts : news;
    if (failed !== undefined && !failed.ok) {
      end(failed.error);
      return;
    }
    if (news.ok && counts?.ok === true) {
      after = news.value.at(-1)?.seq ?? after;
      take(news.value, counts.value);
    }
    if (sessions.get(session)?.owned === false) cancel = clock.after(FOLLOW_MS, look);
  };
  cancel = clock.after(FOLLOW_MS, look);
  return () => cancel?.();
};
