import type { Code, SessionId } from '../contract/index.ts';
import { ok, type Failure, type Result } from '../kit/index.ts';
import type { TimelineReader } from '../timeline/port.ts';
import type { SessionDeps } from './deps.ts';
import { sessionPaths } from './paths.ts';

/** Most timelines of ended sessions that are kept open. */
export const MAX_OPEN_READERS = 8;

/** Readers on the timelines of sessions that this process does not run, the latest few kept open. */
export type Readers = {
  readonly of: (id: SessionId) => Result<TimelineReader, Failure<Code>>;
  readonly drop: (id: SessionId) => void;
  readonly close: () => void;
};

export const createReaders = (deps: Pick<SessionDeps, 'home' | 'readTimeline'>): Readers => {
  const open = new Map<SessionId, TimelineReader>();
  const drop = (id: SessionId): void => {
    open.get(id)?.close();
    open.delete(id);
  };
  return {
    of: (id) => {
      const found = open.get(id);
      if (found !== undefined) {
        open.delete(id);
        open.set(id, found);
        return ok(found);
      }
      const reader = deps.readTimeline({ path: sessionPaths(deps.home, id).timeline, session: id });
      if (!reader.ok) return reader;
      open.set(id, reader.value);
      const [oldest] = open.keys();
      if (open.size > MAX_OPEN_READERS && oldest !== undefined) drop(oldest);
      return reader;
    },
    drop,
    close: () => {
      for (const id of Array.from(open.keys())) drop(id);
    },
  };
};
