import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { SessionId, type SessionSummary } from '../../app/contract/index.ts';
import { unwrap } from '../../app/kit/index.ts';
import { createTestProject, fingerprint } from '../fixtures/project.ts';
import {
  beginGlovebox,
  containersOf,
  freshHome,
  glovebox,
  leftoversOf,
  openHost,
  sessionsIn,
  testScope,
} from './house.ts';

/** How long a new host may take to clear away what a killed one left. */
const SWEPT_WITHIN_MS = 5000;

type Env = ReturnType<typeof freshHome>['env'];

/** A session in a process of its own, killed while it writes. */
const killWhileWriting = async (env: Env, home: string, project: string): Promise<SessionId> => {
  const child = beginGlovebox(env, [
    'run',
    '--quiet',
    '--project',
    project,
    '--',
    'sh',
    '-c',
    'echo kept > kept.txt; echo started; while :; do date >> log.txt; sleep 0.05; done',
  ]);
  await once(child.stdout, 'data');
  const [id] = sessionsIn(home);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return SessionId.parse(id);
};

describe('a killed owner', () => {
  it('leaves nothing for longer than the next start takes, and its changes to review', async () => {
    const scope = testScope('killed');
    const { home, env } = freshHome(scope);
    const project = scope.use(createTestProject());
    const before = fingerprint(project.path);
    const id = await killWhileWriting(env, home, project.path);
    expect(containersOf(id)).toHaveLength(3);

    const started = performance.now();
    const host = await openHost(scope, env);
    const summary = await vi.waitFor(
      (): SessionSummary => {
        const found = host.sessions.get(id);
        if (found?.endedAt === undefined || leftoversOf(home, id).length > 0)
          throw new Error('not yet');
        return found;
      },
      { timeout: 30_000, interval: 50 },
    );
    expect(performance.now() - started).toBeLessThan(SWEPT_WITHIN_MS);
    expect(summary).toMatchObject({
      state: 'review',
      owned: true,
      changed: 2,
      problem: { code: 'session.ended-early', hint: expect.stringContaining('kept for review') },
    });
    expect(fingerprint(project.path)).toBe(before);
    const changes = unwrap(await host.sessions.changes(id)).changes;
    expect(changes.map(({ path }) => path)).toEqual(['kept.txt', 'log.txt']);
    expect(unwrap(await host.sessions.accept(id))).toMatchObject({ applied: 2 });
    expect(readFileSync(join(project.path, 'kept.txt'), 'utf8')).toBe('kept\n');
    expect(unwrap(unwrap(host.sessions.timeline(id)).verify()).intact).toBe(true);
  });

  it('is cleaned up after by any next command, which lists and reviews the session', async () => {
    const scope = testScope('killed, then listed');
    const { home, env } = freshHome(scope);
    const project = scope.use(createTestProject());
    const id = await killWhileWriting(env, home, project.path);
    const review = await glovebox(env, 'session', 'review', id);
    expect(review.status).toBe(0);
    expect(review.out).toContain('kept.txt');
    const accepted = await glovebox(env, 'session', 'accept', id);
    expect(accepted.status).toBe(0);
    expect(leftoversOf(home, id)).toEqual([]);
    expect(existsSync(join(project.path, 'kept.txt'))).toBe(true);
  });
});
