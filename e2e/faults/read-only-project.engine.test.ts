import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../app/kit/index.ts';
import { requestFor } from '../fixtures/inside.ts';
import { fingerprint } from '../fixtures/project.ts';
import {
  createUserProject,
  freshHome,
  leftoversOf,
  makeReadOnly,
  openHost,
  runSession,
  testScope,
} from './house.ts';

describe('a project on a read-only disk', () => {
  it('can be worked on; its changes wait until the disk takes them', async () => {
    const scope = testScope('read-only');
    const { home, env } = freshHome(scope);
    const project = createUserProject(scope);
    const host = await openHost(scope, env);
    const disk = makeReadOnly(scope, project.path);
    const before = fingerprint(project.path);

    const inspection = unwrap(await host.handlers['project.inspect']({ path: project.path }));
    expect(inspection.warnings).toContainEqual(
      expect.objectContaining({ code: 'project.read-only' }),
    );
    const { id, summary, out } = await runSession(
      host,
      requestFor(project.path),
      'echo new > made.txt && echo more >> README.md && cat made.txt',
    );
    expect(summary).toMatchObject({ state: 'review', exitCode: 0, changed: 2 });
    expect(out).toBe('new\n');

    const refused = await host.handlers['session.accept']({ session: id });
    expect(refused).toMatchObject({
      ok: false,
      error: {
        code: 'project.read-only',
        message: expect.stringContaining(project.path),
        hint: expect.stringMatching(/kept/),
      },
    });
    expect(fingerprint(project.path)).toBe(before);
    expect(unwrap(await host.sessions.changes(id)).changes).toHaveLength(2);
    expect(host.sessions.get(id)?.state).toBe('review');

    disk.undo();
    expect(unwrap(await host.sessions.accept(id))).toMatchObject({ applied: 2 });
    expect(readFileSync(join(project.path, 'made.txt'), 'utf8')).toBe('new\n');
    expect(leftoversOf(home, id)).toEqual([]);
  });

  it('is refused live, before any container is made', async () => {
    const scope = testScope('read-only live');
    const { home, env } = freshHome(scope);
    const project = createUserProject(scope);
    const host = await openHost(scope, env);
    makeReadOnly(scope, project.path);
    const since = String(Date.now() / 1000 - 1);

    const { id, summary } = await runSession(
      host,
      requestFor(project.path, { workspace: 'live' }),
      'echo new > made.txt',
    );
    expect(summary).toMatchObject({
      state: 'failed',
      problem: {
        code: 'project.read-only',
        message: expect.stringContaining(project.path),
        hint: expect.stringContaining('overlay'),
      },
    });
    const events = execFileSync(
      'docker',
      [
        'events',
        '--since',
        since,
        '--until',
        String(Date.now() / 1000),
        '--filter',
        `label=dev.glovebox.session=${id}`,
      ],
      { encoding: 'utf8' },
    );
    expect(events).toBe('');
    expect(leftoversOf(home, id)).toEqual([]);
    expect(existsSync(join(project.path, 'made.txt'))).toBe(false);
  });
});
