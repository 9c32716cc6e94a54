import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { randomId, systemClock, unwrap } from '../kit/index.ts';
import { createWorkspace, type WorkingCopy, type Workspace } from './index.ts';
import { mountsOf } from './mount-table.ts';
import { plant, snapshot, temporaryFolder, type Tree } from './test-tree.ts';

/**
 * Real overlay mounts, real idmapped mounts, the engine's own volume driver. Needs root, as CI is.
 * The edits inside run as the sandbox's user.
 */
if (process.getuid?.() !== 0) {
  throw new Error('the overlay tests mount file systems and need root');
}

let folder: ReturnType<typeof temporaryFolder>;
let project: string;
let session: string;
let merged: string;
const unmounts: string[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  const base = realpathSync(folder.path);
  project = join(base, 'project');
  session = join(base, 'state/sessions/s');
  merged = join(base, 'merged');
  for (const path of [project, session, merged]) mkdirSync(path, { recursive: true });
  execFileSync('chmod', ['755', base]);
  room = createWorkspace({
    gloveboxHome: join(base, 'state'),
    userHome: '/nowhere',
    clock: systemClock,
  });
});
afterEach(async () => {
  for (const target of unmounts.splice(0)) execFileSync('umount', [target]);
  unwrap(await workspace().discard(session));
  const left = mountsUnder(folder.path);
  if (left > 0) throw new Error(`${left} mounts are left below ${folder.path}`);
  folder.remove();
});

const mountsUnder = (path: string): number =>
  mountsOf('self').filter((entry) => entry.target.startsWith(`${path}/`)).length;

let room: Workspace;
const workspace = (): Workspace => room;
const never = new AbortController().signal;
const prepare = async (
  hide = { add: [] as string[], show: [] as string[] },
): Promise<WorkingCopy> =>
  unwrap(await workspace().prepare({ project, mode: 'overlay', hide, folder: session }, never));

const overlayOf = (copy: WorkingCopy) => {
  const mount = copy.mounts[0];
  if (mount?.type !== 'overlay') throw new Error('not an overlay');
  return mount;
};

/** Mounts the working copy as the engine would. */
const enter = (copy: WorkingCopy): void => {
  const { lower, upper, work, options } = overlayOf(copy);
  const o = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`, ...options].join(',');
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', o, merged]);
  unmounts.push(merged);
};
const leave = async (copy: WorkingCopy): Promise<void> => {
  execFileSync('umount', [merged]);
  unmounts.splice(unmounts.indexOf(merged), 1);
  unwrap(await copy.release());
};

/** Runs a shell script inside, as the sandbox's user. */
const inside = (copy: WorkingCopy, script: string): string =>
  execFileSync(
    'setpriv',
    [
      `--reuid=${copy.user.uid}`,
      `--regid=${copy.user.gid}`,
      '--clear-groups',
      '--bounding-set=-all',
      'sh',
      '-c',
      script,
    ],
    {
      cwd: merged,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LC_ALL: 'C' },
    },
  );

describe.each([
  ['belongs to root', 0],
  ['belongs to a user', 1234],
])('a project that %s', (_, owner) => {
  const own = (): void => {
    execFileSync('chown', ['-R', `${owner}:${owner}`, project]);
  };

  test('is seen without its secrets, worked on, and untouched until accepted', async () => {
    plant(project, {
      'src/a.ts': 'one\n',
      'src/deep/x/.env': 'SECRET=1',
      '.aws/credentials': 'x',
      'old/b': '1',
      'old/.env.local': 'SECRET=2',
    });
    own();
    const before = snapshot(project);
    const copy = await prepare();
    expect(copy.user.uid).toBe(owner === 0 ? 1000 : owner);
    enter(copy);
    expect(inside(copy, 'find . | sort | tr "\\n" " "')).toBe(
      '. ./old ./old/b ./src ./src/a.ts ./src/deep ./src/deep/x ',
    );
    expect(inside(copy, 'stat -c %u . src src/deep src/a.ts | sort -u').trim()).toBe(
      String(copy.user.uid),
    );
    inside(
      copy,
      'echo two >> src/a.ts; echo new > src/n.ts; rm -r old; mkdir old; echo mine > src/deep/x/.env',
    );
    expect(await workspace().countChanges(session)).toBeGreaterThan(1);
    expect(snapshot(project)).toEqual(before);
    await leave(copy);

    const { changes } = unwrap(await workspace().changes(session, never));
    expect(
      changes.map(
        (row) => `${row.change} ${row.path}${row.heldBack === undefined ? '' : ' (held)'}`,
      ),
    ).toEqual([
      'deleted old/b',
      'modified src/a.ts',
      'added src/deep/x/.env (held)',
      'added src/n.ts',
    ]);
    expect(snapshot(project)).toEqual(before);
    expect(unwrap(await workspace().accept(session, never))).toMatchObject({ applied: 3 });
    expect(readFileSync(join(project, 'src/a.ts'), 'utf8')).toBe('one\ntwo\n');
    expect(readFileSync(join(project, 'src/deep/x/.env'), 'utf8')).toBe('SECRET=1');
    expect(readFileSync(join(project, 'old/.env.local'), 'utf8')).toBe('SECRET=2');
    for (const path of ['src/a.ts', 'src/n.ts', 'old'])
      expect(statSync(join(project, path)).uid).toBe(owner);
    // What was held back stays to be looked at, and accepting again takes nothing more.
    expect(unwrap(await workspace().changes(session, never)).changes).toMatchObject([
      { path: 'src/deep/x/.env', change: 'added' },
    ]);
    expect(unwrap(await workspace().accept(session, never))).toMatchObject({
      applied: 0,
      heldBack: [{ path: 'src/deep/x/.env' }],
    });
    expect(readFileSync(join(project, 'src/deep/x/.env'), 'utf8')).toBe('SECRET=1');
  });

  test('git works inside, commits come back, hooks and settings do not', async () => {
    const git = (...command: string[]): string =>
      execFileSync(
        'git',
        ['-c', 'safe.directory=*', '-c', 'user.name=t', '-c', 'user.email=t@e', ...command],
        {
          cwd: project,
          encoding: 'utf8',
        },
      );
    plant(project, { 'a.txt': 'one\n' });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-qm', 'first');
    git('remote', 'add', 'o', 'https://me:tok123456@example.com/x');
    own();
    const config = readFileSync(join(project, '.git/config'), 'utf8');
    const copy = await prepare();
    enter(copy);
    const env =
      'export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*" GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@e GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@e;';
    expect(inside(copy, `${env} git status --porcelain`)).toBe('');
    expect(inside(copy, `${env} git remote -v; cat .git/config`)).not.toContain('tok123456');
    inside(
      copy,
      `${env} echo two > b.txt; git add .; git commit -qm second; git branch extra; git gc -q;
       mkdir -p .git/hooks; printf '#!/bin/sh\\ntouch ${folder.path}/pwned\\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit;
       git config core.fsmonitor 'touch ${folder.path}/pwned'`,
    );
    await leave(copy);
    const report = unwrap(await workspace().accept(session, never));
    expect(report.heldBack.map((row) => row.path)).toEqual(
      expect.arrayContaining(['.git/config', '.git/hooks/pre-commit']),
    );
    expect(git('log', '--format=%s')).toBe('second\nfirst\n');
    expect(git('branch', '--format=%(refname:short)')).toContain('extra');
    expect(git('fsck', '--full')).not.toContain('missing');
    expect(git('status', '--porcelain')).toBe('');
    git('commit', '--allow-empty', '-qm', 'third');
    expect(existsSync(join(folder.path, 'pwned'))).toBe(false);
    expect(readFileSync(join(project, '.git/config'), 'utf8')).toBe(config);
  });
});

test('a host edit meanwhile refuses the whole accept and loses nothing', async () => {
  plant(project, { 'a.txt': 'one\n', 'b.txt': 'one\n' });
  const copy = await prepare();
  enter(copy);
  inside(copy, 'echo session > a.txt; echo session > b.txt');
  await leave(copy);
  writeFileSync(join(project, 'a.txt'), 'host\n');
  const before = snapshot(project);
  expect(await workspace().accept(session, never)).toMatchObject({
    error: { code: 'workspace.conflict' },
  });
  expect(snapshot(project)).toEqual(before);
  expect(unwrap(await workspace().changes(session, never)).changes).toHaveLength(2);
});

test('a crash leaves a mount that the sweep takes away, without a scratch on the project', async () => {
  plant(project, { 'a.txt': 'one' });
  const before = snapshot(project);
  await prepare();
  expect(mountsUnder(session)).toBe(1);
  expect(() => writeFileSync(join(session, 'workspace/lower/x'), '')).toThrow('EROFS');
  unwrap(await workspace().sweep(join(folder.path, 'state/sessions')));
  expect(mountsUnder(session)).toBe(0);
  expect(snapshot(project)).toEqual(before);
});

test('discard removes what is ours and leaves the session’s record', async () => {
  plant(project, { 'a.txt': 'one' });
  writeFileSync(join(session, 'session.json'), '{}');
  const before = snapshot(project);
  const copy = await prepare();
  enter(copy);
  inside(copy, 'mkdir shut; echo x > shut/y; chmod 000 shut');
  execFileSync('umount', [merged]);
  unmounts.pop();
  unwrap(await workspace().discard(session));
  expect(readdirSync(session)).toEqual(['session.json']);
  expect(snapshot(project)).toEqual(before);
});

test('a second prepare in the same folder fails and leaves the first alone', async () => {
  plant(project, { 'a.txt': 'one' });
  const copy = await prepare();
  const again = await workspace().prepare(
    { project, mode: 'overlay', hide: { add: [], show: [] }, folder: session },
    never,
  );
  expect(again).toMatchObject({ ok: false, error: { code: 'workspace.failed' } });
  expect(readdirSync(overlayOf(copy).lower)).toEqual(['a.txt']);
});

test('the engine’s volume driver takes the working copy as it is', async () => {
  plant(project, { 'a.txt': 'one\n', '.env': 'SECRET=1' });
  const copy = await prepare();
  const { lower, upper, work, options } = overlayOf(copy);
  const name = `glovebox-test-${randomId()}`;
  const o = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`, ...options].join(',');
  execFileSync('docker', [
    'volume',
    'create',
    '--label',
    'glovebox.test=workspace',
    '-o',
    'type=overlay',
    '-o',
    'device=overlay',
    '-o',
    `o=${o}`,
    name,
  ]);
  try {
    // The smallest image there is: the host's own shell and its two libraries.
    const loader = execFileSync('sh', ['-c', "ldd /bin/sh | grep -o '/[^ ]*'"], {
      encoding: 'utf8',
    });
    const files = [
      'bin/sh',
      ...loader
        .trim()
        .split('\n')
        .map((path) => path.slice(1)),
    ];
    const tar = execFileSync('tar', ['-C', '/', '-ch', ...files], { maxBuffer: 64 * 1024 * 1024 });
    execFileSync('docker', ['import', '-', `${name}:test`], { input: tar });
    const seen = execFileSync(
      'docker',
      [
        'run',
        '--rm',
        '--label=glovebox.test=workspace',
        '--network=none',
        '--cap-drop=ALL',
        `--user=${copy.user.uid}:${copy.user.gid}`,
        `--volume=${name}:${project}`,
        `--workdir=${project}`,
        `${name}:test`,
        '/bin/sh',
        '-c',
        'read -r line < a.txt; echo "$line"; [ -e .env ] || echo hidden; echo in > b.txt; echo *',
      ],
      { encoding: 'utf8' },
    );
    expect(seen).toBe('one\nhidden\na.txt b.txt\n');
  } finally {
    execFileSync('docker', ['volume', 'rm', name]);
    execFileSync('docker', ['rmi', '-f', `${name}:test`]);
  }
  unwrap(await copy.release());
  const { changes } = unwrap(await workspace().changes(session, never));
  expect(changes).toMatchObject([{ path: 'b.txt', change: 'added' }]);
});

/** One edit, as shell; paths come from a small set, so that edits meet. */
const NAMES = ['a', 'b', 'd/a', 'd/e/f', 'd/e', 'd', 'g/h'];
const name = fc.constantFrom(...NAMES);
const edit = fc.oneof(
  fc
    .tuple(name, fc.string({ minLength: 0, maxLength: 5, unit: fc.constantFrom('x', 'y', '\n') }))
    .map(
      ([path, content]) => `mkdir -p "$(dirname ${path})" && printf '%s' '${content}' > ${path}`,
    ),
  name.map((path) => `rm -rf ${path}`),
  name.map((path) => `mkdir -p ${path}`),
  fc.tuple(name, name).map(([from, to]) => `mv -T ${from} ${to}`),
  fc.tuple(name, name).map(([from, to]) => `ln ${from} ${to}`),
  fc
    .tuple(name, fc.constantFrom('a', 'b', 'd'))
    .map(
      ([path, target]) =>
        `case ${path} in */*) ln -s ../${target} ${path};; *) ln -s ${target} ${path};; esac`,
    ),
  fc
    .tuple(name, fc.constantFrom('600', '755', '644'))
    .map(([path, mode]) => `[ -f ${path} ] && [ ! -L ${path} ] && chmod ${mode} ${path}`),
  name.map((path) => `[ -f ${path} ] && touch ${path}`),
);

test('accepting gives what the session saw, for any edits', { timeout: 600_000 }, async () => {
  const start: Tree = { a: 'one', 'd/a': 'two', 'd/e/f': 'three', 'd/k': 'kept', 'g/h': 'four' };
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 12 }), async (edits) => {
      unwrap(await workspace().discard(session));
      execFileSync('sh', ['-c', 'rm -rf "$1" && mkdir "$1"', 'sh', project]);
      plant(project, start);
      const copy = await prepare();
      enter(copy);
      inside(copy, edits.map((line) => `( ${line} ) 2>/dev/null; true`).join('\n'));
      const seen = ignoringOwners(snapshot(merged));
      await leave(copy);
      // A link that was moved up may lead out of the project: it is held back, as the comparison's tests say.
      fc.pre(!Object.entries(seen).some(leadsOut));
      const before = snapshot(project);
      unwrap(await workspace().changes(session, never));
      expect(snapshot(project)).toEqual(before);
      const accepted = unwrap(await workspace().accept(session, never));
      expect(accepted.heldBack).toEqual([]);
      expect(ignoringOwners(snapshot(project))).toEqual(seen);
    }),
    { numRuns: 60 },
  );
});

const leadsOut = ([path, what]: readonly [string, string]): boolean =>
  what.startsWith('link ') && join(dirname(path), what.slice('link '.length)).startsWith('..');

/** Inside, root's files are the sandbox user's; on the host they are root's again, all of them. */
const ignoringOwners = (tree: Tree): Tree =>
  Object.fromEntries(
    Object.entries(tree).map(([path, what]) => [path, what.replace(/ (?:0:0|1000:1000) /, ' ')]),
  );

test('every accepted file belongs to the project’s owner', async () => {
  plant(project, { 'a.txt': 'one' });
  chownSync(project, 0, 0);
  const copy = await prepare();
  enter(copy);
  inside(copy, 'mkdir -p n/m; echo x > n/m/f; ln -s f n/m/l');
  await leave(copy);
  unwrap(await workspace().accept(session, never));
  const owners = Object.values(snapshot(project))
    .filter((what) => what.startsWith('file'))
    .map((what) => what.split(' ')[2]);
  expect(owners).toEqual(['0:0', '0:0']);
});
