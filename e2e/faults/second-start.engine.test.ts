import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../app/kit/index.ts';
import { ensureRenderer } from '../../scripts/setup/renderer.ts';
import { fingerprint } from '../fixtures/project.ts';
import {
  beginGlovebox,
  createUserProject,
  freshHome,
  glovebox,
  leftoversOf,
  outcomeOf,
  sessionsIn,
  testScope,
} from './house.ts';

beforeAll(async () => {
  unwrap(await ensureRenderer());
});

/** Starts `glovebox serve` and waits for its link. */
const serve = async (env: ReturnType<typeof freshHome>['env']) => {
  const child = beginGlovebox(env, ['serve']);
  const ended = outcomeOf(child);
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ended, url: new URL('/', bytes.toString().trim()).href };
};

describe('a second start', () => {
  it('of the window is told who runs it and where, and changes nothing', async () => {
    const scope = testScope('second serve');
    const { home, env } = freshHome(scope);
    const first = await serve(env);
    scope.defer(() => void first.child.kill('SIGKILL'));
    const lock = readFileSync(join(home, 'host.lock'), 'utf8');

    const second = await glovebox(env, 'serve');
    expect(second).toMatchObject({ status: 125, out: '' });
    expect(second.err).toContain('[host.already-running]');
    expect(second.err).toContain(first.url);
    expect(second.err).toContain(`process ${String(first.child.pid)}`);
    expect(second.err).toMatch(/Use that one, or end it first/);
    expect(readFileSync(join(home, 'host.lock'), 'utf8')).toBe(lock);
    expect((await fetch(first.url, { redirect: 'manual' })).status).toBeLessThan(500);

    first.child.kill('SIGTERM');
    expect(await first.ended).toMatchObject({ status: 0 });
    expect(existsSync(join(home, 'host.lock'))).toBe(false);
  });

  it('takes over the lock of a window that was killed, and one that is half written', async () => {
    const scope = testScope('stale lock');
    const { home, env } = freshHome(scope);
    const first = await serve(env);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(existsSync(join(home, 'host.lock'))).toBe(true);

    const second = await serve(env);
    scope.defer(() => void second.child.kill('SIGKILL'));
    expect(readFileSync(join(home, 'host.lock'), 'utf8')).toContain(String(second.child.pid));
    second.child.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ status: 0 });

    writeFileSync(join(home, 'host.lock'), '{"owner":{"pi', { mode: 0o600 });
    const third = await serve(env);
    scope.defer(() => void third.child.kill('SIGKILL'));
    third.child.kill('SIGTERM');
    expect(await third.ended).toMatchObject({ status: 0 });
  });

  it('of the window at the very same moment: one runs, the other is told', async () => {
    const scope = testScope('race');
    const { env } = freshHome(scope);
    const both = [beginGlovebox(env, ['serve']), beginGlovebox(env, ['serve'])];
    for (const child of both) scope.defer(() => void child.kill('SIGKILL'));
    const outcomes = both.map(outcomeOf);
    const loser = await Promise.race(outcomes);
    expect(loser).toMatchObject({ status: 125, out: '' });
    expect(loser.err).toContain('[host.already-running]');
    const winner = both.find((child) => child.exitCode === null);
    winner?.kill('SIGTERM');
    const statuses = new Set((await Promise.all(outcomes)).map(({ status }) => status));
    expect(statuses).toEqual(new Set([0, 125]));
  });

  it('of a session beside another: both run, on one project, apart from each other', async () => {
    const scope = testScope('two runs');
    const { home, env } = freshHome(scope);
    const project = createUserProject(scope);
    const before = fingerprint(project.path);
    // Each waits until the other has begun, outside the sandbox's reach: by the clock.
    const run = (word: string) =>
      glovebox(
        env,
        'run',
        '--project',
        project.path,
        '--',
        'sh',
        '-c',
        `echo ${word} > mine.txt; sleep 2; cat mine.txt; ls | grep -c mine`,
      );
    const [one, two] = await Promise.all([run('one'), run('two')]);
    expect(one).toMatchObject({ status: 0, out: 'one\n1\n' });
    expect(two).toMatchObject({ status: 0, out: 'two\n1\n' });
    expect(fingerprint(project.path)).toBe(before);
    const ids = sessionsIn(home);
    expect(ids).toHaveLength(2);
    for (const id of ids) expect(leftoversOf(home, id)).toEqual([]);

    // The first that is accepted wins; the other is a conflict, kept and told.
    const [first = '', second = ''] = ids;
    expect((await glovebox(env, 'session', 'accept', first)).status).toBe(0);
    const taken = readFileSync(join(project.path, 'mine.txt'), 'utf8');
    const refused = await glovebox(env, 'session', 'accept', second);
    expect(refused).toMatchObject({ status: 125, out: '' });
    expect(refused.err).toContain('[workspace.conflict]');
    expect(refused.err).toContain('mine.txt');
    expect(readFileSync(join(project.path, 'mine.txt'), 'utf8')).toBe(taken);
    expect((await glovebox(env, 'session', 'review', second)).out).toContain('mine.txt');
  });

  it('beside a running window: a session in a terminal works, and the window’s lock stays', async () => {
    const scope = testScope('run beside serve');
    const { home, env } = freshHome(scope);
    const project = createUserProject(scope);
    const window = await serve(env);
    scope.defer(() => void window.child.kill('SIGKILL'));
    const ran = await glovebox(
      env,
      'run',
      '--quiet',
      '--project',
      project.path,
      '--',
      'echo',
      'hi',
    );
    expect(ran).toEqual({ status: 0, out: 'hi\n', err: '' });
    expect(existsSync(join(home, 'host.lock'))).toBe(true);
    window.child.kill('SIGTERM');
    expect(await window.ended).toMatchObject({ status: 0 });
  });
});

describe('a home that cannot be used', () => {
  it('is a file: said with its path, and what to set', async () => {
    const scope = testScope('home is a file');
    const { home, env } = freshHome(scope);
    mkdirSync(join(home, '..'), { recursive: true });
    writeFileSync(home, 'mine');
    const said = await glovebox(env, 'session', 'list');
    expect(said).toMatchObject({ status: 125, out: '' });
    expect(said.err).toContain('[host.home]');
    expect(said.err).toContain(home);
    expect(said.err).toContain('GLOVEBOX_HOME');
    expect(readFileSync(home, 'utf8')).toBe('mine');
  });
});
