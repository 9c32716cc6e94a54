import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionId } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { sessionPaths } from './paths.ts';
import { SessionRecord } from './record.ts';
import { changeOf } from './testing/fakes.ts';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

describe('other processes', () => {
  it('see a session that runs elsewhere, can stop it, and hear of its end', async () => {
    const { id } = await rig.running();
    const { inner, service } = rig.second();
    expect(service.get(id)).toMatchObject({ state: 'running', owned: false });
    expect(await service.accept(id)).toMatchObject({
      ok: false,
      error: { code: 'session.running' },
    });
    expect(await service.openTerminal(id, { columns: 80, rows: 24 })).toMatchObject({
      ok: false,
      error: { code: 'session.not-running' },
    });
    rig.house.changes = [changeOf('a')];
    expect(unwrap(await service.stop(id))).toMatchObject({ state: 'review' });
    await inner.close();
  });

  it('settle what a dead owner left: to review where there is something', async () => {
    const { id } = await rig.running();
    rig.house.changes = [changeOf('a')];
    const record = readFileSync(sessionPaths(rig.house.home, id).record, 'utf8');
    await rig.sessions.stop(id);
    const dead = SessionRecord.parse(JSON.parse(record));
    writeFileSync(
      sessionPaths(rig.house.home, id).record,
      JSON.stringify({ ...dead, owner: { ...dead.owner, startTime: '1' } }),
    );
    const { inner, service } = rig.second();
    expect(service.get(id)).toMatchObject({
      state: 'review',
      owned: true,
      problem: { code: 'session.ended-early' },
    });
    const removals = rig.house.calls.filter((call) => call === 'removeSession').length;
    await service.recover();
    expect(rig.house.calls.filter((call) => call === 'removeSession').length).toBe(removals + 1);
    expect(service.get(id)).toMatchObject({ state: 'review', changed: 1 });
    expect(unwrap(await service.accept(id)).applied).toBe(1);
    await inner.close();
  });

  it('list no half-made or foreign folder', async () => {
    const { folder, record } = sessionPaths(rig.house.home, SessionId.parse('0123456789ab'));
    mkdirSync(folder);
    writeFileSync(record, '{"version": 1}');
    mkdirSync(join(rig.house.home, 'sessions', 'something else'));
    const { inner, service } = rig.second();
    expect(service.list()).toEqual([]);
    await inner.close();
  });
});
