import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileChange } from '../contract/index.ts';
import { applyActs } from './apply.ts';
import { compareLayers } from './compare.ts';
import { acceptLayers, countUpper, reviewLayers } from './review.ts';
import { manifestOf, plant, snapshot, temporaryFolder, type Tree } from './test-tree.ts';

let folder: ReturnType<typeof temporaryFolder>;
let project: string;
let upper: string;
let outside: string;
beforeEach(() => {
  folder = temporaryFolder();
  project = join(folder.path, 'project');
  upper = join(folder.path, 'upper');
  outside = join(folder.path, 'outside');
  for (const path of [project, upper, outside]) mkdirSync(path);
  writeFileSync(join(outside, 'victim'), 'untouched');
});
afterEach(() => {
  const victim = readFileSync(join(outside, 'victim'), 'utf8');
  folder.remove();
  if (victim !== 'untouched') throw new Error('accept wrote outside of the project');
});

const review = (
  lower: Tree,
  layer: Tree,
  hidden: readonly string[] = [],
): readonly FileChange[] => {
  plant(project, lower);
  plant(upper, layer);
  return reviewLayers({ upper, manifest: manifestOf(project, hidden) }).changes;
};
const accept = (hidden: readonly string[] = [], more: object = {}) =>
  acceptLayers({ upper, manifest: { ...manifestOf(project, hidden), ...more } });
const held = (changes: readonly FileChange[]): readonly string[] =>
  changes.filter((row) => row.heldBack !== undefined).map((row) => row.path);
const text = (path: string): string => readFileSync(join(project, path), 'utf8');

describe('what changed', () => {
  test('added, modified, deleted, mode and type, with lines', () => {
    const changes = review(
      {
        'mod.txt': 'a\nb\nc\n',
        'gone.txt': 'x\ny\n',
        tool: 'x',
        'was-file': 'x',
        'same.txt': 'same',
        'd/k': '1',
      },
      {
        'mod.txt': 'a\nB\nc\nd\n',
        'gone.txt': 'whiteout',
        tool: 'x',
        'was-file': 'link:same.txt',
        'same.txt': 'same',
        'new/deep/file.txt': 'one\ntwo\n',
        empty: 'folder',
        d: 'whiteout',
      },
    );
    chmodSync(join(upper, 'tool'), 0o755);
    const again = reviewLayers({ upper, manifest: manifestOf(project) }).changes;
    expect(changes.map((row) => row.path)).not.toContain('same.txt');
    expect(again).toEqual([
      { path: 'd', change: 'deleted', type: 'directory' },
      { path: 'empty', change: 'added', type: 'directory' },
      { path: 'gone.txt', change: 'deleted', type: 'file', added: 0, removed: 2 },
      { path: 'mod.txt', change: 'modified', type: 'file', bytes: 8, added: 2, removed: 1 },
      { path: 'new/deep/file.txt', change: 'added', type: 'file', bytes: 8, added: 2, removed: 0 },
      { path: 'tool', change: 'mode', type: 'file', bytes: 1, wouldRun: 'it is executable' },
      { path: 'was-file', change: 'type', type: 'symlink' },
    ]);
  });

  test('a folder made anew deletes what it no longer holds', () => {
    const changes = review(
      { 'd/old': '1', 'd/kept': '1' },
      { d: 'opaque', 'd/kept': '1', 'd/new': '2' },
    );
    expect(changes.map((row) => `${row.change} ${row.path}`)).toEqual([
      'added d/new',
      'deleted d/old',
    ]);
  });

  test('what we hid is no change; what the session put in its place is held back', () => {
    const lower = { 'a/.env': 'SECRET=1', '.aws/config': 'x' };
    expect(review(lower, { 'a/.env': 'whiteout', '.aws': 'whiteout' }, ['a/.env', '.aws'])).toEqual(
      [],
    );
    plant(upper, { 'b/.env': 'mine' });
    const changes = reviewLayers({
      upper,
      manifest: manifestOf(project, ['a/.env', '.aws', 'b/.env']),
    }).changes;
    expect(held(changes)).toEqual(['b/.env']);
  });

  test('says what would run', () => {
    const changes = review(
      {},
      {
        'package.json': '{}',
        '.vscode/tasks.json': '{}',
        Makefile: 'x',
        '.envrc': 'x',
        '.github/workflows/ci.yml': 'x',
        '.husky/pre-commit': 'x',
        '.gitattributes': 'x',
        'run.sh': 'script',
        'src/a.ts': 'x',
      },
    );
    const silent = changes.filter((row) => row.wouldRun === undefined).map((row) => row.path);
    expect(silent).toEqual(['src/a.ts']);
  });

  test('marks what the host changed meanwhile', () => {
    plant(project, { 'a.txt': 'host edit', 'b.txt': 'x' });
    plant(upper, { 'a.txt': 'session edit' });
    const manifest = { ...manifestOf(project), startedNs: '1' };
    expect(reviewLayers({ upper, manifest }).changes).toMatchObject([
      { path: 'a.txt', conflict: true },
    ]);
    const before = snapshot(project);
    expect(acceptLayers({ upper, manifest })).toMatchObject({
      type: 'refused',
      failure: { code: 'workspace.conflict', message: expect.stringContaining('a.txt') },
    });
    expect(snapshot(project)).toEqual(before);
  });
});

describe('what is held back', () => {
  test('everything of git that the host would run or believe', () => {
    const changes = review(
      {
        '.git/HEAD': 'ref: refs/heads/main\n',
        '.git/config': '[core]\n',
        [`.git/objects/ab/${'c'.repeat(38)}`]: 'o',
      },
      {
        '.git/HEAD': 'ref: refs/heads/other\n',
        '.git/config': '[core]\n\tfsmonitor = ./pwn\n',
        '.git/hooks/pre-commit': 'script',
        '.git/commondir': '../evil\n',
        '.git/info/attributes': '* filter=x\n',
        [`.git/objects/ab/${'c'.repeat(38)}`]: 'replaced',
        [`.git/objects/ab/${'d'.repeat(38)}`]: 'new',
        '.git/refs/heads/other': `${'a'.repeat(40)}\n`,
        '.git/refs/heads/bad': '../../../x',
        '.git/refs/heads/link': 'link:../../config',
        'sub/.git/config': '[core]\n',
        'sub/.GIT/hooks/x': 'script',
        'wt/.git': 'gitdir: ../evil\n',
        'evil/HEAD': 'ref: refs/heads/main\n',
        'evil/config': '[core]\n',
        'evil/objects': 'folder',
        'evil/refs': 'folder',
      },
    );
    expect(held(changes)).toEqual([
      '.git/commondir',
      '.git/config',
      '.git/hooks',
      '.git/info',
      `.git/objects/ab/${'c'.repeat(38)}`,
      '.git/refs/heads/bad',
      '.git/refs/heads/link',
      'evil',
      'sub/.GIT',
      'sub/.git',
      'wt/.git',
    ]);
    const answer = accept();
    expect(answer).toMatchObject({ type: 'accepted', report: { applied: 3 } });
    expect(text('.git/HEAD')).toBe('ref: refs/heads/other\n');
    expect(text('.git/config')).toBe('[core]\n');
    for (const path of [
      '.git/hooks',
      '.git/commondir',
      'evil',
      'wt/.git',
      'sub/.git',
      '.git/refs/heads/bad',
    ]) {
      expect(existsSync(join(project, path))).toBe(false);
    }
  });

  test('a project cannot be turned into a bare repository', () => {
    const changes = review(
      { 'a.txt': '1' },
      {
        HEAD: 'ref: refs/heads/main\n',
        config: '[core]\n\tfsmonitor = ./pwn\n',
        objects: 'folder',
        'refs/x': '1',
        'b.txt': '2',
      },
    );
    expect(held(changes).toSorted()).toEqual(['HEAD', 'config', 'objects', 'refs']);
    accept();
    expect(existsSync(join(project, 'b.txt'))).toBe(true);
    expect(existsSync(join(project, 'HEAD'))).toBe(false);
  });

  test('a new repository, even the project’s first', () => {
    expect(held(review({ 'a.txt': '1' }, { '.git/config': 'x', '.git/HEAD': 'x' }))).toEqual([
      '.git',
    ]);
  });

  test.each([
    ['/etc/passwd'],
    ['../outside/victim'],
    ['../../x'],
    ['a/../../outside'],
    ['sub/../../outside/victim'],
    ['host-link/victim'],
    ['/'],
  ])('a link to %s', (target) => {
    expect(
      held(review({ 'host-link': `link:${outside}`, 'sub/x': '1' }, { link: `link:${target}` })),
    ).toEqual(['link']);
  });

  test('links that stay inside come over as they are', () => {
    review({ 'lib/a.js': '1' }, { 'bin/a': 'link:../lib/a.js', here: 'link:lib' });
    accept();
    expect(readlinkSync(join(project, 'bin/a'))).toBe('../lib/a.js');
    expect(readlinkSync(join(project, 'here'))).toBe('lib');
  });

  test('pipes and sockets; set-id bits are dropped', () => {
    plant(upper, { tool: 'script' });
    execFileSync('mkfifo', [join(upper, 'pipe')]);
    chmodSync(join(upper, 'tool'), 0o6755);
    expect(accept()).toMatchObject({ report: { applied: 1, heldBack: [{ path: 'pipe' }] } });
    expect(statSync(join(project, 'tool')).mode & 0o7777).toBe(0o755);
  });

  test('a removed folder keeps the hidden files and the repositories in it', () => {
    const changes = review(
      {
        'a/.env': 'SECRET=1',
        'a/b/code.ts': '1',
        'v/lib/.git/HEAD': 'x',
        'v/lib/code': '1',
        'plain/x': '1',
      },
      { a: 'whiteout', v: 'whiteout', plain: 'whiteout' },
      ['a/.env'],
    );
    expect(held(changes)).toEqual(['a', 'v', 'v/lib', 'v/lib/.git']);
    accept(['a/.env']);
    expect(text('a/.env')).toBe('SECRET=1');
    expect(text('v/lib/.git/HEAD')).toBe('x');
    for (const path of ['a/b', 'v/lib/code', 'plain'])
      expect(existsSync(join(project, path))).toBe(false);
  });

  test('a hidden file is not lost to a file in place of its folder', () => {
    const changes = review({ 'a/.env': 'SECRET=1' }, { a: 'now a file' }, ['a/.env']);
    expect(held(changes)).toEqual(['a']);
    accept(['a/.env']);
    expect(text('a/.env')).toBe('SECRET=1');
  });

  test('git’s own index is kept where the host wrote it too', () => {
    plant(project, { '.git/HEAD': 'ref: refs/heads/main\n', '.git/index': 'host' });
    plant(upper, { '.git/index': 'session' });
    const manifest = { ...manifestOf(project), startedNs: '1' };
    expect(acceptLayers({ upper, manifest })).toMatchObject({
      type: 'accepted',
      report: { applied: 0, heldBack: [{ path: '.git/index' }] },
    });
    expect(text('.git/index')).toBe('host');
  });
});

describe('accept follows no link', () => {
  test('a folder of the session where the host has a link to the outside', () => {
    review({ d: `link:${outside}` }, { 'd/victim': 'overwritten' });
    // The session saw a link and made a folder of it: the link goes, the folder comes, outside stays.
    expect(accept()).toMatchObject({ type: 'accepted' });
    expect(text('d/victim')).toBe('overwritten');
  });

  test('a link of the session where the host has a file', () => {
    review({ 'a.txt': 'x' }, { 'a.txt': 'link:../outside/victim' });
    expect(accept()).toMatchObject({ report: { applied: 0, heldBack: [{ path: 'a.txt' }] } });
    expect(text('a.txt')).toBe('x');
  });

  test('a file of the session where the host has a link to the outside', () => {
    review({ victim: `link:${join(outside, 'victim')}` }, { victim: 'overwritten' });
    accept();
    expect(text('victim')).toBe('overwritten');
  });

  test('a deletion of a link removes the link', () => {
    review({ d: `link:${outside}` }, { d: 'whiteout' });
    accept();
    expect(existsSync(join(project, 'd'))).toBe(false);
  });

  test('file to folder and folder to file', () => {
    review({ a: 'file', 'b/c': 'x' }, { 'a/inner': 'x', b: 'file now' });
    expect(accept()).toMatchObject({ type: 'accepted' });
    expect(text('a/inner')).toBe('x');
    expect(text('b')).toBe('file now');
  });

  test('nothing of our own is left beside what was written', () => {
    review({ 'a/b': '1', c: '2' }, { 'a/b': '2', c: 'opaque', 'c/d': '3' });
    accept();
    expect(Object.keys(snapshot(project)).toSorted()).toEqual(['a', 'a/b', 'c', 'c/d']);
  });
});

describe('accept', () => {
  test('keeps modes and times, and can be repeated after it stopped', () => {
    review({}, { 'x/tool': 'script', 'x/note': 'n' });
    utimesSync(join(upper, 'x/tool'), 1_600_000_000, 1_600_000_000);
    accept();
    const stat = statSync(join(project, 'x/tool'));
    expect(stat.mode & 0o777).toBe(0o755);
    expect(stat.mtimeMs).toBe(1_600_000_000_000);
    expect(accept()).toMatchObject({ type: 'accepted', report: { applied: 0 } });
  });

  test('a failure on the way says how far it came, keeps what was there, and can be tried again', () => {
    review({ 'b/keep': '1', c: 'old' }, { a: '1', 'b/new': '2', c: 'new' });
    const blocked = join(upper, 'b/new');
    chmodSync(blocked, 0o644);
    const manifest = manifestOf(project);
    const comparison = compareLayers(upper, manifest);
    // The layer loses a file between comparison and writing, as a failing disk would.
    rmSync(blocked);
    expect(() => applyActs(project, upper, comparison.acts, manifest)).toThrow(
      expect.objectContaining({ path: 'b/new', done: 1, code: 'ENOENT' }),
    );
    expect(snapshot(project)).toMatchObject({
      a: expect.any(String),
      'b/keep': expect.any(String),
    });
    expect(text('c')).toBe('old');
    expect(accept()).toMatchObject({ type: 'accepted', report: { applied: 1 } });
    expect(text('c')).toBe('new');
  });

  test('more than fits is refused before the first write', () => {
    review({}, { small: '1' });
    truncateSync(join(upper, 'small'), 2 ** 43);
    expect(accept()).toMatchObject({ type: 'refused', failure: { code: 'workspace.disk-full' } });
    expect(snapshot(project)).toEqual({});
  });
});

test('the count leaves out what we put there', async () => {
  plant(upper, { 'a/.env': 'whiteout', 'a/x': '1', y: '1', 'z/empty': 'folder' });
  expect(await countUpper(upper, manifestOf(project, ['a/.env']))).toBe(2);
});
