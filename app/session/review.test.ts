import { existsSync, readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { sessionPaths } from './paths.ts';
import { SessionRecord } from './record.ts';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

describe('afterwards', () => {
  it('accepts what may be accepted and keeps the rest for review', async () => {
    const id = await rig.reviewed();
    expect(unwrap(await rig.sessions.accept(id))).toMatchObject({ applied: 1 });
    expect(rig.sessions.get(id)).toMatchObject({ state: 'review', changed: 1 });
    expect(rig.ops().at(-1)).toBe('session accepted');
    unwrap(await rig.sessions.discard(id));
    expect(rig.sessions.get(id)?.state).toBe('closed');
    expect(rig.ops().at(-1)).toBe('session discarded');
    expect(await rig.sessions.accept(id)).toMatchObject({
      ok: false,
      error: { code: 'review.nothing' },
    });
  });

  it('forgets no session whose changes wait, and nothing is left of one that is forgotten', async () => {
    const id = await rig.reviewed();
    expect(await rig.sessions.forget(id)).toMatchObject({
      ok: false,
      error: { code: 'review.waiting' },
    });
    unwrap(await rig.sessions.discard(id));
    const gone: string[] = [];
    rig.sessions.onChange((change) => change.type === 'gone' && gone.push(change.id));
    unwrap(await rig.sessions.forget(id));
    expect(gone).toEqual([id]);
    expect(existsSync(sessionPaths(rig.house.home, id).folder)).toBe(false);
    expect(rig.sessions.timeline(id)).toMatchObject({
      ok: false,
      error: { code: 'session.not-found' },
    });
  });

  it('decides nothing about a session that runs', async () => {
    const { id } = await rig.running();
    for (const refused of [
      await rig.sessions.accept(id),
      await rig.sessions.discard(id),
      await rig.sessions.forget(id),
    ]) {
      expect(refused).toMatchObject({ ok: false, error: { code: 'session.running' } });
    }
  });

  it('keeps the record in a folder of its own that nobody else can read', async () => {
    const id = await rig.reviewed();
    const paths = sessionPaths(rig.house.home, id);
    expect(statSync(paths.folder).mode & 0o777).toBe(0o700);
    expect(statSync(paths.record).mode & 0o777).toBe(0o600);
    expect(SessionRecord.safeParse(JSON.parse(readFileSync(paths.record, 'utf8'))).success).toBe(
      true,
    );
  });
});
