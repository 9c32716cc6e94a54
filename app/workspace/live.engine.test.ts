import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock, unwrap } from '../kit/index.ts';
import { createWorkspace, type WorkingCopy, type Workspace } from './index.ts';
import { mountsOf } from './mount-table.ts';
import { plant, snapshot, temporaryFolder } from './test-tree.ts';

/** Real binds in a mount namespace of their own, worked in as the sandbox's user. Needs root, as CI is. */
if (process.getuid?.() !== 0) throw new Error('the live tests mount and need root');

let folder: ReturnType<typeof temporaryFolder>;
let project: string;
let session: string;
let room: Workspace;
const never = new AbortController().signal;

beforeEach(() => {
  folder = temporaryFolder();
  const base = realpathSync(folder.path);
  execFileSync('chmod', ['755', base]);
  project = join(base, 'project');
  session = join(base, 'state/sessions/s');
  for (const path of [project, session]) mkdirSync(path, { recursive: true });
  room = createWorkspace({
    gloveboxHome: join(base, 'state'),
    userHome: '/nowhere',
    clock: systemClock,
  });
});
afterEach(async () => {
  unwrap(await room.discard(session));
  const left = mountsOf('self').filter((entry) => entry.target.startsWith(`${folder.path}/`));
  if (left.length > 0) throw new Error(`${left.length} mounts are left`);
  folder.remove();
});

const prepare = async (): Promise<WorkingCopy> =>
  unwrap(
    await room.prepare(
      { project, mode: 'live', hide: { add: [], show: [] }, folder: session },
      never,
    ),
  );

/** Runs a script with the working copy mounted as the engine would, as the sandbox's user. */
const inside = (copy: WorkingCopy, script: string): string => {
  const binds = copy.mounts.map((mount) => {
    if (mount.type !== 'bind') throw new Error(`${mount.type} in a live working copy`);
    const readOnly = mount.readOnly ? `&& mount -o remount,bind,ro '${mount.target}'` : '';
    return `mount --bind '${mount.source}' '${mount.target}' ${readOnly}`;
  });
  return execFileSync(
    'unshare',
    [
      '--mount',
      'sh',
      '-euc',
      `${binds.join('\n')}\ncd "$1"; exec setpriv --reuid=${copy.user.uid} --regid=${copy.user.gid} --clear-groups --bounding-set=-all sh -c "$2"`,
      'sh',
      project,
      script,
    ],
    { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' } },
  );
};

test('edits appear at once, as the owner’s; secrets are empty', async () => {
  plant(project, { 'a.txt': 'one\n', 'x/.env': 'SECRET=1', '.aws/credentials': 'x' });
  const copy = await prepare();
  expect(inside(copy, 'echo two > b.txt; cat x/.env; ls -A .aws; cat a.txt')).toBe('one\n');
  expect(readFileSync(join(project, 'b.txt'), 'utf8')).toBe('two\n');
  expect(statSync(join(project, 'b.txt')).uid).toBe(0);
  expect(readFileSync(join(project, 'x/.env'), 'utf8')).toBe('SECRET=1');
  unwrap(await copy.release());
  expect(unwrap(await room.changes(session, never)).changes).toEqual([]);
  expect(await room.accept(session, never)).toMatchObject({ error: { code: 'review.nothing' } });
  expect(await room.countChanges(session)).toBeUndefined();
});

test('git works, and nothing of it that the host would run can be written or swapped', async () => {
  const git = (...command: string[]): string =>
    execFileSync('git', ['-c', 'safe.directory=*', ...command], { cwd: project, encoding: 'utf8' });
  git('init', '-q', '-b', 'main');
  git('remote', 'add', 'o', 'https://me:tok123456@example.com/x');
  execFileSync('rm', ['-r', join(project, '.git/hooks')]);
  writeFileSync(join(project, 'a.txt'), 'one\n');
  const config = readFileSync(join(project, '.git/config'), 'utf8');
  const shape = snapshot(project);
  const copy = await prepare();
  const tries = [
    'echo x > .git/config',
    'echo x > .git/commondir',
    'echo x > .git/config.worktree',
    'touch .git/hooks/pre-commit',
    'mkdir .git/hooks/x',
    'touch .git/info/attributes',
    'rm -rf .git/hooks',
    'mv .git/config .git/c',
    'mv .git .g',
    'rm .git/commondir',
    'ln -sf /x .git/config',
  ];
  const answers = inside(
    copy,
    tries.map((line) => `( ${line} ) 2>/dev/null && echo 'could: ${line}'`).join('\n') + '\ntrue',
  );
  expect(answers).toBe('');
  expect(inside(copy, 'cat .git/config')).not.toContain('tok123456');
  inside(
    copy,
    `export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*';
     git add . && git -c user.name=t -c user.email=t@e commit -qm one && git status && git branch b`,
  );
  unwrap(await copy.release());
  expect(git('log', '--format=%s')).toBe('one\n');
  expect(readFileSync(join(project, '.git/config'), 'utf8')).toBe(config);
  // What had to be made so that it could be mounted over is gone again.
  for (const path of ['.git/commondir', '.git/hooks', '.git/config.worktree']) {
    expect(existsSync(join(project, path))).toBe(false);
  }
  expect(Object.keys(snapshot(project))).toEqual(expect.arrayContaining(Object.keys(shape)));
});

test('a git folder with a linked hooks folder is refused, not half protected', async () => {
  plant(project, { '.git/HEAD': 'ref: refs/heads/main\n', 'h/x': '1', '.git/hooks': 'link:../h' });
  const before = snapshot(project);
  const refused = await room.prepare(
    { project, mode: 'live', hide: { add: [], show: [] }, folder: session },
    never,
  );
  expect(refused).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('.git/hooks') },
  });
  expect(Object.keys(snapshot(project))).toEqual(Object.keys(before));
});
