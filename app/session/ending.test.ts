import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createManualClock, createScope, failure, unwrap } from '../kit/index.ts';
import { createSessions } from './sessions.ts';
import { changeOf, requestFor } from './testing/fakes.ts';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

describe('ending', () => {
  it('keeps changes for review and lists them', async () => {
    const { id } = await rig.running();
    rig.house.changes = [changeOf('a.txt')];
    const summary = unwrap(await rig.sessions.stop(id));
    expect(summary).toMatchObject({ state: 'review', changed: 1 });
    expect(unwrap(await rig.sessions.changes(id)).changes).toHaveLength(1);
    expect(rig.house.calls).not.toContain('discard');
  });

  it('stops once however often it is asked', async () => {
    const { id } = await rig.running();
    const [a, b, c] = await Promise.all([
      rig.sessions.stop(id),
      rig.sessions.stop(id),
      rig.sessions.stop(id),
    ]);
    expect(a).toEqual(b);
    expect(b).toEqual(c);
    expect(rig.house.calls.filter((call) => call === 'release')).toHaveLength(1);
    expect(rig.ops().filter((op) => op === 'session stopped')).toHaveLength(1);
    expect(unwrap(await rig.sessions.stop(id)).state).toBe('closed');
  });

  it('can be stopped while it starts', async () => {
    const { id } = await rig.start();
    const summary = unwrap(await rig.sessions.stop(id));
    expect(summary.state).toBe('closed');
    expect(summary.problem).toBeUndefined();
    expect(Array.from(rig.house.standing)).toEqual([]);
  });

  it('can be stopped while something inside does not answer', async () => {
    rig.house.broken.add('home hangs');
    const { id } = await rig.start({ assistant: 'claude-code' });
    await expect.poll(() => Array.from(rig.house.standing)).toContain('sandbox');
    expect(unwrap(await rig.sessions.stop(id)).state).toBe('closed');
    expect(Array.from(rig.house.standing)).toEqual([]);
  });

  it('ends with the assistant’s terminal, unless a shell is still open', async () => {
    const { id } = await rig.running();
    const shell = unwrap(await rig.sessions.openTerminal(id, { columns: 80, rows: 24 }));
    rig.house.execs[0]?.end(0);
    await expect.poll(() => rig.sessions.get(id)?.terminals[0]?.exitCode).toBe(0);
    expect(rig.sessions.get(id)?.state).toBe('running');
    expect(rig.sessions.get(id)?.terminals.map(({ title }) => title)).toEqual(['Shell', 'shell 1']);
    rig.house.execs[1]?.end(0);
    expect(await rig.sessions.ended(id)).toMatchObject({ state: 'closed', exitCode: 0 });
    expect(rig.sessions.terminal(id, shell.id)).toBeUndefined();
  });

  it.each([
    ['guard', 'guard.failed'],
    ['gateway', 'gateway.failed'],
    ['sandbox', 'session.ended-early'],
  ])('ends when its %s ends, and keeps the changes', async (name, code) => {
    const { id } = await rig.running();
    rig.house.changes = [changeOf('a')];
    rig.house.endContainer(name, 1);
    expect(await rig.sessions.ended(id)).toMatchObject({ state: 'review', problem: { code } });
    expect(Array.from(rig.house.standing)).toEqual([]);
  });

  it('ends when the guard’s watch is lost: what is not seen must not happen', async () => {
    const { id } = await rig.running();
    rig.house.guard?.onEvents([
      { kind: 'session', at: '2026-01-01T00:00:00.000000Z', op: 'guard-lost' },
    ]);
    expect((await rig.sessions.ended(id)).problem?.code).toBe('guard.failed');
    expect(rig.ops()).toContain('session guard-lost');
  });

  it('takes the guard’s end of file at its own stop for no loss', async () => {
    const { id } = await rig.running();
    const stopped = rig.sessions.stop(id);
    rig.house.guard?.onEvents([
      { kind: 'session', at: '2026-01-01T00:00:00.000000Z', op: 'guard-lost' },
    ]);
    expect(unwrap(await stopped).problem).toBeUndefined();
    expect(rig.ops()).not.toContain('session guard-lost');
  });

  it('waits for the guard’s last touches, however long its containers have been gone', async () => {
    const { id } = await rig.running();
    rig.house.broken.add('guard lags');
    const stopped = rig.sessions.stop(id);
    await expect.poll(() => rig.house.calls).toContain('removeSession');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const at = '2026-01-01T00:00:00.000000Z';
    rig.house.guard?.onEvents([
      { kind: 'touch', at, op: 'write', path: '/project/last.txt', verdict: 'allowed' },
    ]);
    rig.house.endGuard();
    await stopped;
    const kinds = rig.house.drafts.map((draft) => ('path' in draft ? draft.path : ''));
    const last = kinds.indexOf('/project/last.txt');
    expect(last).toBeGreaterThan(0);
    expect(rig.ops().at(-1)).toBe('session stopped');
    expect(last).toBeLessThan(rig.house.drafts.length - 1);
  });

  it('ends when the record cannot be written', async () => {
    const { id } = await rig.running();
    rig.house.failTimeline(failure('workspace.disk-full', 'The disk is full.'));
    expect((await rig.sessions.ended(id)).problem).toMatchObject({ code: 'workspace.disk-full' });
  });

  it('tells of a broker that is away, and when it is back', async () => {
    const { id } = await rig.running();
    rig.house.broker?.listeners.onState('down', 'it died');
    expect(rig.sessions.get(id)?.alerts).toEqual([
      expect.objectContaining({ code: 'egress.broker-down' }),
    ]);
    rig.house.broker?.listeners.onState('up', 'again');
    expect(rig.sessions.get(id)?.alerts).toEqual([]);
    expect(rig.ops()).toEqual(
      expect.arrayContaining(['session broker-lost', 'session broker-back']),
    );
  });

  it('ends when the engine is lost, keeps the changes, and refuses to accept while containers may stand', async () => {
    const { id } = await rig.running();
    rig.house.changes = [changeOf('a')];
    rig.house.engineAnswers = false;
    rig.house.endContainer('sandbox', -1);
    expect(await rig.sessions.ended(id)).toMatchObject({
      state: 'review',
      problem: { code: 'engine.lost' },
    });
    expect(await rig.sessions.accept(id)).toMatchObject({
      ok: false,
      error: { code: 'engine.lost' },
    });
    expect(rig.house.calls).not.toContain('accept');
    rig.house.engineAnswers = true;
    expect(unwrap(await rig.sessions.accept(id)).applied).toBe(1);
    expect(rig.house.calls).toContain('removeSession');
  });

  it('ends when its time is up', async () => {
    const clock = createManualClock(1_800_000_000_000);
    const inner = createScope('timed');
    const timed = createSessions({ ...rig.house.deps, clock }, inner);
    const { id, endsAt } = unwrap(
      await timed.start(requestFor(rig.house.project, { limits: { ttlMs: 60_000 } })),
    );
    expect(endsAt).toBe(new Date(1_800_000_060_000).toISOString().replace('Z', '000Z'));
    await expect.poll(() => timed.get(id)?.state).toBe('running');
    const over = timed.ended(id);
    clock.advance(60_000);
    await expect
      .poll(() => {
        clock.advance(1000);
        return timed.get(id)?.state;
      })
      .toBe('closed');
    expect((await over).problem).toBeUndefined();
    await inner.close();
  });

  it('stops everything when the host closes', async () => {
    const { id } = await rig.running();
    rig.house.changes = [changeOf('a')];
    await rig.scope.close();
    expect(Array.from(rig.house.standing)).toEqual([]);
    expect(rig.sessions.get(id)?.state).toBe('review');
    expect(await rig.sessions.start(requestFor(rig.house.project))).toMatchObject({ ok: false });
  });
});
