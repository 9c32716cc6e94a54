import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionId } from '../contract/index.ts';
import { failure, ok, unwrap } from '../kit/index.ts';
import { sessionPaths } from './paths.ts';
import { createSessions } from './sessions.ts';
import { changeOf, requestFor } from './testing/fakes.ts';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

describe('a record that can no longer be written', () => {
  it('takes the way out away before anything else', async () => {
    const { id } = await rig.running();
    rig.house.failTimeline(failure('timeline.failed', 'The disk is full.'));
    expect(rig.house.calls.at(-1)).toBe('broker closed');
    expect((await rig.sessions.ended(id)).problem?.code).toBe('timeline.failed');
    expect(rig.at('broker closed')).toBeLessThan(rig.at('removeSession'));
  });

  it('leaves the room that is kept for how it ended to that alone', async () => {
    const rooms = (id: SessionId): readonly string[] =>
      readdirSync(sessionPaths(rig.house.home, id).folder).filter((name) =>
        name.endsWith('.reserve'),
      );
    const atClose: (readonly string[])[] = [];
    const service = createSessions(
      {
        ...rig.house.deps,
        openTimeline: async (file) => {
          const opened = await rig.house.deps.openTimeline(file);
          if (!opened.ok) return opened;
          const close = (): void => void atClose.push(rooms(file.session));
          return ok({ ...opened.value, close });
        },
      },
      rig.scope,
    );
    const { id } = unwrap(await service.start(requestFor(rig.house.project)));
    expect(rooms(id).toSorted()).toEqual(['session.reserve', 'timeline.reserve']);
    await service.stop(id);
    expect(atClose).toEqual([['session.reserve']]);
    expect(rooms(id)).toEqual([]);
  });
});

describe('a full disk', () => {
  it('keeps no one from deciding: what could not be written still counts', async () => {
    const { id } = await rig.running();
    const { record } = sessionPaths(rig.house.home, id);
    rmSync(record);
    mkdirSync(join(record, 'in the way'), { recursive: true });
    rig.house.changes = [changeOf('a')];
    expect(unwrap(await rig.sessions.stop(id)).state).toBe('review');
    unwrap(await rig.sessions.discard(id));
    expect(rig.sessions.get(id)?.state).toBe('closed');
  });
});
