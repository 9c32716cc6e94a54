import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createScope, unwrap } from '../../app/kit/index.ts';
import { requestFor } from '../fixtures/inside.ts';
import { fingerprint } from '../fixtures/project.ts';
import {
  createUserProject,
  fill,
  freshHome,
  glovebox,
  leftoversOf,
  mountDisk,
  openHost,
  runSession,
  testScope,
} from './house.ts';

const HOME_MEGABYTES = 24;

/** Takes every inode of a disk but a few. */
const fillInodes = (disk: string, left: number): { readonly free: () => void } => {
  const folder = join(disk, 'ballast');
  mkdirSync(folder);
  let count = 0;
  try {
    for (; ; count += 1) writeFileSync(join(folder, String(count)), '');
  } catch {
    for (let at = count - left; at < count; at += 1) rmSync(join(folder, String(at)));
  }
  return {
    free: () => {
      rmSync(folder, { recursive: true });
    },
  };
};

/** Fills the disk that its changes go to, then goes on changing files, so that there is ever more to record. */
const FILL = `
  echo small > small.txt
  dd if=/dev/zero of=big bs=64k || echo "dd ended with $?"
  i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i > f$i || true; rm -f f$i; done 2>/dev/null
`;

describe('a full disk below GLOVEBOX_HOME', () => {
  it('is the sandbox’s own trouble first; then the session ends, and what it did can be taken', async () => {
    const scope = testScope('full home');
    const { home, env } = freshHome(scope, join(mountDisk(scope, HOME_MEGABYTES), 'home'));
    const project = createUserProject(scope);
    const before = fingerprint(project.path);
    const first = createScope('first host');
    const host = await openHost(first, env);
    const { id, summary, out, err } = await runSession(host, requestFor(project.path), FILL);
    expect(err).toContain('No space left on device');
    expect(out).toContain('dd ended with 1');
    expect(summary).toMatchObject({
      state: 'review',
      problem: {
        code: 'timeline.failed',
        message: expect.stringMatching(/disk is full/),
        hint: expect.stringMatching(/room|space/),
      },
    });
    expect(leftoversOf(home, id)).toEqual([]);
    expect(fingerprint(project.path)).toBe(before);

    // On the record, although the disk was full: that it ended, why, and that something is missing.
    const timeline = unwrap(host.sessions.timeline(id));
    expect(unwrap(timeline.verify()).intact).toBe(true);
    const events = unwrap(timeline.since(0, 100_000));
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'session', op: 'stopped', code: 'timeline.failed' }),
    );

    // The next host knows it as it ended, and everything can still be accepted.
    await first.close();
    const next = await openHost(scope, env);
    expect(next.sessions.get(id)).toMatchObject({
      state: 'review',
      problem: { code: 'timeline.failed' },
    });
    const changes = unwrap(await next.sessions.changes(id)).changes;
    expect(changes.map(({ path }) => path)).toEqual(expect.arrayContaining(['big', 'small.txt']));
    unwrap(await next.sessions.accept(id));
    expect(readFileSync(join(project.path, 'small.txt'), 'utf8')).toBe('small\n');
    expect(next.sessions.get(id)?.state).toBe('closed');
    expect(unwrap(unwrap(next.sessions.timeline(id)).verify()).intact).toBe(true);
  });

  it('keeps no session from being accepted', async () => {
    const scope = testScope('full home at accept');
    const disk = mountDisk(scope, HOME_MEGABYTES);
    const { env } = freshHome(scope, join(disk, 'home'));
    const project = createUserProject(scope);
    const host = await openHost(scope, env);
    const { id } = await runSession(host, requestFor(project.path), 'echo new > made.txt');
    fill(disk);
    expect(unwrap(await host.sessions.accept(id))).toMatchObject({ applied: 1 });
    expect(readFileSync(join(project.path, 'made.txt'), 'utf8')).toBe('new\n');
    expect(unwrap(await host.sessions.changes(id)).changes).toEqual([]);
  });

  it('keeps no session from being discarded', async () => {
    const scope = testScope('full home at discard');
    const disk = mountDisk(scope, HOME_MEGABYTES);
    const { home, env } = freshHome(scope, join(disk, 'home'));
    const project = createUserProject(scope);
    const host = await openHost(scope, env);
    const { id } = await runSession(host, requestFor(project.path), 'echo new > made.txt');
    fill(disk);
    unwrap(await host.sessions.discard(id));
    expect(host.sessions.get(id)?.state).toBe('closed');
    expect(existsSync(join(home, 'sessions', id, 'workspace'))).toBe(false);
  });

  it('refuses a start in words, and leaves nothing of it', async () => {
    const scope = testScope('full home at start');
    const disk = mountDisk(scope, HOME_MEGABYTES);
    const { home, env } = freshHome(scope, join(disk, 'home'));
    const project = createUserProject(scope);
    expect((await glovebox(env, 'session', 'list')).status).toBe(0);
    const ballast = fill(disk);
    const said = await glovebox(env, 'run', '--project', project.path, '--', 'echo', 'hi');
    expect(said).toMatchObject({ status: 125, out: '' });
    expect(said.err).toMatch(/disk is full/);
    expect(said.err).toMatch(/\[(workspace\.disk-full|timeline\.failed)\]/);
    expect(said.err).not.toMatch(/^ {4}at /m);
    expect(readdirSync(join(home, 'sessions'))).toEqual([]);
    expect(readdirSync(join(home, 'run'))).toEqual([]);
    ballast.free();
    expect(
      await glovebox(env, 'run', '--quiet', '--project', project.path, '--', 'echo', 'hi'),
    ).toEqual({ status: 0, out: 'hi\n', err: '' });
  });

  it('is told when there is not even room for the home itself', async () => {
    const scope = testScope('no room for a home');
    const disk = mountDisk(scope, 4);
    const { env } = freshHome(scope, join(disk, 'home'));
    fill(disk);
    const said = await glovebox(env, 'session', 'list');
    expect(said).toMatchObject({ status: 125, out: '' });
    expect(said.err).toContain('[host.home]');
    expect(said.err).toMatch(/disk is full/);
    expect(said.err).not.toMatch(/^ {4}at /m);
  });
});

describe('a full disk below the project', () => {
  it('refuses to accept before the first write, and keeps the changes', async () => {
    const scope = testScope('full project');
    const { env } = freshHome(scope);
    const disk = mountDisk(scope, 40);
    execFileSync('chmod', ['777', disk]);
    const project = createUserProject(scope, disk);
    const host = await openHost(scope, env);
    const { id, summary } = await runSession(
      host,
      requestFor(project.path),
      'dd if=/dev/urandom of=big bs=1M count=8 2>/dev/null; echo more >> README.md; rm -r src',
    );
    expect(summary).toMatchObject({ state: 'review', exitCode: 0 });
    const ballast = fill(disk);
    const before = fingerprint(project.path);

    const refused = await host.sessions.accept(id);
    expect(refused).toMatchObject({
      ok: false,
      error: {
        code: 'workspace.disk-full',
        message: expect.stringContaining(project.path),
        hint: expect.stringMatching(/space.*accept again/),
      },
    });
    expect(fingerprint(project.path)).toBe(before);
    expect(host.sessions.get(id)?.state).toBe('review');
    expect(unwrap(await host.sessions.changes(id)).changes.map(({ path }) => path)).toContain(
      'big',
    );

    ballast.free();
    unwrap(await host.sessions.accept(id));
    expect(existsSync(join(project.path, 'src'))).toBe(false);
    expect(readFileSync(join(project.path, 'big'))).toHaveLength(8 * 1024 * 1024);
  });

  it('stops an accept half way without losing anything, and the next one finishes it', async () => {
    const scope = testScope('no inodes');
    const { env } = freshHome(scope);
    // Blocks there are, but few inodes: what cannot be known before the first write.
    const disk = mountDisk(scope, 40, ['-N', '512']);
    execFileSync('chmod', ['777', disk]);
    const project = createUserProject(scope, disk);
    const host = await openHost(scope, env);
    const { id } = await runSession(
      host,
      requestFor(project.path),
      'for i in $(seq 60); do echo $i > new$i.txt; done; echo changed > README.md; rm -r src',
    );
    const ballast = fillInodes(disk, 20);
    const refused = await host.sessions.accept(id);
    expect(refused).toMatchObject({
      ok: false,
      error: {
        code: 'workspace.disk-full',
        message: expect.stringMatching(/of \d+ steps are done/),
        hint: expect.stringMatching(/kept.*accept again/),
      },
    });
    // What is removed goes last, and nothing half written is left.
    expect(existsSync(join(project.path, 'src/index.js'))).toBe(true);
    expect(readdirSync(project.path).filter((name) => name.includes('.glovebox-'))).toEqual([]);
    expect(host.sessions.get(id)?.state).toBe('review');

    ballast.free();
    unwrap(await host.sessions.accept(id));
    expect(readFileSync(join(project.path, 'new60.txt'), 'utf8')).toBe('60\n');
    expect(readFileSync(join(project.path, 'README.md'), 'utf8')).toBe('changed\n');
    expect(existsSync(join(project.path, 'src'))).toBe(false);
  });
});
