import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { TimelineDraft } from '../../app/contract/index.ts';
import { createScope, isoTime, unwrap } from '../../app/kit/index.ts';
import { createSessions, type SessionDeps } from '../../app/session/index.ts';
import { TIMELINE_RESERVE_BYTES } from '../../app/session/reserve.ts';
import { changeOf, createFakeHouse, requestFor } from '../../app/session/testing/fakes.ts';
import { openTimelineReader, openTimelineWriter } from '../../app/timeline/index.ts';
import type { TimelineWriter } from '../../app/timeline/port.ts';
import { fill, mountDisk, testScope } from './house.ts';

const DISK_MEGABYTES = 24;
/** How long what must come may take on a busy machine. */
const PATIENCE_MS = 30_000;

const touches = (from: number, count: number): TimelineDraft[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: 'touch',
    at: isoTime(Date.now()),
    op: 'open',
    path: `/project/file-${String(from + at)}`,
    verdict: 'allowed',
  }));

describe('a disk that is full while the timeline’s log holds much', () => {
  it.each([1, 4])(
    'cannot keep off the record how the session ended (the log holds %f times what is kept back)',
    async (times) => {
      const scope = testScope('full log');
      const disk = mountDisk(scope, DISK_MEGABYTES);
      const house = scope.use(createFakeHouse());
      const writers: TimelineWriter[] = [];
      const deps: SessionDeps = {
        ...house.deps,
        home: join(disk, 'home'),
        openTimeline: (file) => {
          const opened = openTimelineWriter(file, house.deps, createScope('timeline'));
          if (opened.ok) writers.push(opened.value);
          return opened;
        },
        readTimeline: openTimelineReader,
      };
      const first = createScope('first');
      const sessions = createSessions(deps, first);
      const { id } = unwrap(await sessions.start(requestFor(house.project)));
      await vi.waitFor(() => expect(sessions.get(id)?.state).toBe('running'), PATIENCE_MS);
      house.changes = [changeOf('big')];

      const store = join(disk, 'home', 'sessions', id, 'timeline.sqlite');
      const recorded = vi.fn<() => void>();
      writers[0]?.onRecorded(recorded);
      for (
        let from = 0;
        statSync(`${store}-wal`).size < times * TIMELINE_RESERVE_BYTES;
        from += 100
      ) {
        house.guard?.onEvents(touches(from, 100));
        await vi.waitFor(() => expect(recorded).toHaveBeenCalled(), PATIENCE_MS);
        recorded.mockClear();
      }
      fill(disk);
      house.guard?.onEvents(touches(1_000_000, 2000));
      const ended = { state: 'review', problem: { code: 'timeline.failed' } };
      expect(await sessions.ended(id)).toMatchObject(ended);
      await first.close();

      const next = createSessions(deps, scope);
      expect(next.get(id)).toMatchObject(ended);
      expect(JSON.parse(readFileSync(`${store}.head`, 'utf8'))).toMatchObject({ sealed: true });
      const timeline = unwrap(next.timeline(id));
      expect(unwrap(timeline.verify()).intact).toBe(true);
      expect(unwrap(timeline.since(0, 100_000)).at(-1)).toMatchObject({
        kind: 'session',
        op: 'stopped',
        code: 'timeline.failed',
      });
    },
  );
});
