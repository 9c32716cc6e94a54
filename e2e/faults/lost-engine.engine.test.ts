import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { createScope, unwrap } from '../../app/kit/index.ts';
import { openInside, requestFor } from '../fixtures/inside.ts';
import { fingerprint } from '../fixtures/project.ts';
import {
  containersOf,
  createUserProject,
  freshHome,
  leftoversOf,
  openHost,
  runSession,
  startPlug,
  testScope,
} from './house.ts';

const SETTLED_WITHIN_MS = 30_000;

/** A home whose engine is reached through a plug that can be pulled. */
const throughPlug = async (scope: ReturnType<typeof testScope>) => {
  const { home, env } = freshHome(scope);
  const plug = scope.use(await startPlug(join(home, '..', 'engine.sock')));
  return { home, plug, env: { ...env, DOCKER_HOST: `unix://${plug.path}` } };
};

describe('an engine that stops while a session runs', () => {
  it('ends the session, keeps its changes, and everything is swept once it is back', async () => {
    const scope = testScope('lost');
    const { home, plug, env } = await throughPlug(scope);
    const project = createUserProject(scope);
    const before = fingerprint(project.path);
    const host = await openHost(scope, env);
    const inside = await openInside(host, requestFor(project.path));
    const { session } = inside;
    await inside.run(
      'echo kept > kept.txt; date > log.txt; (while :; do date >> log.txt; sleep 0.1; done) >/dev/null 2>&1 &',
    );

    plug.pull();
    const over = await host.sessions.ended(session);
    expect(over).toMatchObject({
      state: 'review',
      changed: 2,
      problem: {
        code: 'engine.lost',
        message: expect.stringContaining(plug.path),
        hint: expect.stringMatching(/changes are kept.*Start the engine again/s),
      },
    });
    expect(fingerprint(project.path)).toBe(before);
    // They still run and may write: shown, but not brought over before they are known to be gone.
    expect(containersOf(session)).toHaveLength(3);
    const seen = unwrap(await host.sessions.changes(session)).changes;
    expect(seen.map(({ path }) => path)).toEqual(['kept.txt', 'log.txt']);
    for (const decide of [host.sessions.accept, host.sessions.discard]) {
      const refused = await decide(session);
      if (refused.ok) throw new Error('it was decided without the engine');
      expect(refused.error.code).toMatch(/^engine\./);
      expect(refused.error.hint).toMatch(/\w/);
    }
    await vi.waitFor(() => expect(host.status().engine.state).toBe('lost'), SETTLED_WITHIN_MS);
    expect(host.status().engine.problem).toMatchObject({
      code: expect.stringMatching(/^engine\./),
    });

    // A start meanwhile fails in words and leaves nothing.
    const early = await runSession(host, requestFor(project.path), 'true');
    expect(early.summary).toMatchObject({ state: 'failed' });
    expect(early.summary.problem?.code).toMatch(/^engine\./);
    expect(leftoversOf(home, early.id)).toEqual([]);

    await plug.plug();
    await vi.waitFor(() => expect(leftoversOf(home, session)).toEqual([]), SETTLED_WITHIN_MS);
    await vi.waitFor(() => expect(host.status().engine.state).toBe('ready'), SETTLED_WITHIN_MS);
    expect(unwrap(await host.sessions.accept(session))).toMatchObject({ applied: 2 });
    expect(readFileSync(join(project.path, 'kept.txt'), 'utf8')).toBe('kept\n');
    const timeline = unwrap(host.sessions.timeline(session));
    expect(unwrap(timeline.verify()).intact).toBe(true);
    expect(unwrap(timeline.since(0, 5000))).toContainEqual(
      expect.objectContaining({ kind: 'session', op: 'stopped', code: 'engine.lost' }),
    );
    const again = await runSession(host, requestFor(project.path), 'cat kept.txt');
    expect(again).toMatchObject({ out: 'kept\n', summary: { exitCode: 0 } });
  });

  it('that comes back only after Glovebox was restarted is swept then', async () => {
    const scope = testScope('lost, restarted');
    const { home, plug, env } = await throughPlug(scope);
    const project = createUserProject(scope);
    const first = createScope('first host');
    const host = await openHost(first, env);
    const inside = await openInside(host, requestFor(project.path));
    await inside.run('echo kept > kept.txt');
    plug.pull();
    expect(await host.sessions.ended(inside.session)).toMatchObject({ state: 'review' });
    await first.close();
    expect(containersOf(inside.session)).toHaveLength(3);

    await plug.plug();
    const next = await openHost(scope, env);
    await vi.waitFor(
      () => expect(leftoversOf(home, inside.session)).toEqual([]),
      SETTLED_WITHIN_MS,
    );
    expect(next.sessions.get(inside.session)).toMatchObject({ state: 'review', changed: 1 });
    expect(unwrap(await next.sessions.accept(inside.session))).toMatchObject({ applied: 1 });
  });

  it('while a session starts: the start fails with it, and what had begun goes when it is back', async () => {
    const scope = testScope('lost at start');
    const { home, plug, env } = await throughPlug(scope);
    const project = createUserProject(scope);
    const host = await openHost(scope, env);
    await vi.waitFor(() => expect(host.status().engine.state).toBe('ready'), SETTLED_WITHIN_MS);
    const { id } = unwrap(await host.sessions.start(requestFor(project.path)));
    await vi.waitFor(() => expect(containersOf(id).length).toBeGreaterThan(0), {
      timeout: SETTLED_WITHIN_MS,
      interval: 10,
    });
    plug.pull();
    const over = await host.sessions.ended(id);
    expect(over.state).toBe('failed');
    expect(over.problem?.code).toBe('engine.lost');
    // Back at once, before anybody has noticed that it was away.
    await plug.plug();
    await vi.waitFor(() => expect(leftoversOf(home, id)).toEqual([]), SETTLED_WITHIN_MS);
    await vi.waitFor(
      () => expect(existsSync(join(home, 'sessions', id, 'workspace'))).toBe(false),
      SETTLED_WITHIN_MS,
    );
    expect(host.sessions.get(id)).toMatchObject({ state: 'failed' });
    unwrap(await host.sessions.forget(id));
  });

  it('but keeps its connections open, mute, ends the session all the same', async () => {
    const scope = testScope('hanging');
    const { home, plug, env } = await throughPlug(scope);
    const project = createUserProject(scope);
    const host = await openHost(scope, env);
    const inside = await openInside(host, requestFor(project.path));
    await inside.run('echo kept > kept.txt');
    const since = performance.now();
    plug.hang();
    expect(await host.sessions.ended(inside.session)).toMatchObject({
      state: 'review',
      changed: 1,
      problem: { code: 'engine.lost' },
    });
    expect(performance.now() - since).toBeLessThan(SETTLED_WITHIN_MS);
    await plug.plug();
    await vi.waitFor(
      () => expect(leftoversOf(home, inside.session)).toEqual([]),
      SETTLED_WITHIN_MS,
    );
    expect(unwrap(await host.sessions.accept(inside.session))).toMatchObject({ applied: 1 });
  });
});
