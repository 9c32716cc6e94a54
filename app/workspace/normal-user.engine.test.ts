import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { plant, snapshot, temporaryFolder } from './test-tree.ts';

/** The host process as a normal user, the engine as root: as on a desktop. Needs root to play both. */
if (process.getuid?.() !== 0) throw new Error('the test plays the engine and needs root');

const USER = 4321;
let folder: ReturnType<typeof temporaryFolder>;
let base: string;
beforeEach(() => {
  folder = temporaryFolder();
  base = realpathSync(folder.path);
  chmodSync(base, 0o755);
});
afterEach(() => {
  folder.remove();
});

/** The repository and its Node, which may lie where only root can go, are bound to where the user can. */
const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const reachable = (path: string): string =>
  path.startsWith(REPOSITORY) ? join(base, 'repository', path.slice(REPOSITORY.length)) : path;

const asUser = (program: string, ...rest: string[]): string => {
  const drop = `setpriv --reuid=${USER} --regid=${USER} --clear-groups --bounding-set=-all`;
  mkdirSync(join(base, 'repository'), { recursive: true });
  const enter = `mount --bind "$1" "$2"; shift 2; exec ${drop} "$@"`;
  return execFileSync(
    'unshare',
    ['--mount', 'sh', '-euc', enter, 'sh', REPOSITORY, join(base, 'repository'), program, ...rest],
    { encoding: 'utf8', cwd: base, env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' } },
  );
};

const moduleAt = (path: string): string =>
  JSON.stringify(pathToFileURL(reachable(fileURLToPath(new URL(path, import.meta.url)))).href);

/** Runs room calls in a process of the user's; prints one JSON line. */
const room = (script: string): unknown => {
  const file = join(base, 'calls.ts');
  writeFileSync(
    file,
    `import { createWorkspace } from ${moduleAt('./index.ts')};
     import { systemClock } from ${moduleAt('../kit/index.ts')};
     const room = createWorkspace({ gloveboxHome: '${base}/state', userHome: '/nowhere', clock: systemClock });
     const session = '${base}/state/s', project = '${base}/project', never = new AbortController().signal;
     console.log(JSON.stringify(await (async () => { ${script} })()));`,
  );
  return JSON.parse(asUser(reachable(process.execPath), file));
};

type Prepared = {
  readonly value: {
    readonly user: object;
    readonly mounts: readonly [
      {
        readonly lower: string;
        readonly upper: string;
        readonly work: string;
        readonly options: readonly string[];
      },
    ];
  };
};

test('a session of a normal user, from prepare to discard', () => {
  const project = join(base, 'project');
  const merged = join(base, 'merged');
  plant(project, { 'a.txt': 'one\n', 'd/.env': 'SECRET=1', 'd/k': '1' });
  for (const path of [merged, join(base, 'state/s')]) mkdirSync(path, { recursive: true });
  execFileSync('chown', ['-R', `${USER}:${USER}`, project, join(base, 'state')]);
  const before = snapshot(project);
  const { value } = room(
    `return room.prepare({ project, mode: 'overlay', hide: { add: [], show: [] }, folder: session }, never)`,
  ) as Prepared;
  expect(value.user).toEqual({ uid: USER, gid: USER });
  const { lower, upper, work, options } = value.mounts[0];
  expect(lower).toBe(project);
  const o = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`, ...options].join(',');
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', o, merged]);
  try {
    asUser(
      'sh',
      '-c',
      'cd merged; test ! -e d/.env; echo two >> a.txt; rm d/k; mkdir shut; touch shut/x; chmod 0 shut',
    );
  } finally {
    execFileSync('umount', [merged]);
  }
  expect(snapshot(project)).toEqual(before);
  expect(room('return room.accept(session, never)')).toMatchObject({
    ok: true,
    value: { applied: 2, heldBack: [{ path: 'shut' }] },
  });
  expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
  expect(readFileSync(join(project, 'd/.env'), 'utf8')).toBe('SECRET=1');
  expect(existsSync(join(project, 'd/k'))).toBe(false);
  expect(room('return room.discard(session)')).toMatchObject({ ok: true });
  const left = snapshot(join(base, 'state/s'));
  expect(Object.values(left).filter((what) => what.startsWith('file'))).toEqual([]);
  expect(readdirSync(join(base, 'state/s/workspace'))).toEqual(['work']);
});
