import type { TimelineEvent } from '../contract/index.ts';
import { ok, type Result } from '../kit/index.ts';
import type { TimelineReader } from '../timeline/port.ts';

const BATCH = 500;

/** One event as one line of JSON. */
export const toLine = (event: TimelineEvent): string => JSON.stringify(event);

/** Hands out every event after `after`, oldest first; answers with the number of the last one. */
export const eachEvent = async (
  reader: Pick<TimelineReader, 'since'>,
  after: number,
  take: (event: TimelineEvent) => void | Promise<void>,
): Promise<Result<number>> => {
  let last = after;
  for (;;) {
    const events = reader.since(last, BATCH);
    if (!events.ok) return events;
    for (const event of events.value) {
      await take(event);
      last = event.seq;
    }
    if (events.value.length < BATCH) return ok(last);
  }
};
