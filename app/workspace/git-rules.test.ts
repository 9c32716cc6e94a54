import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isGitName } from './git-names.ts';
import { withoutGitSecrets } from './git-credentials.ts';
import {
  isPlainPackedRefs,
  isPlainPointer,
  judgeGitChange,
  looksLikeRepository,
} from './git-rules.ts';

const hash = 'a'.repeat(40);

describe('judgeGitChange', () => {
  test.each([
    `.git/objects/ab/${'c'.repeat(38)}`,
    `.git/objects/pack/pack-${hash}.pack`,
    `.git/objects/pack/pack-${hash}.idx`,
    '.git/refs/heads/feature/x',
    '.git/refs/stash',
    '.git/packed-refs',
    '.git/HEAD',
    '.git/index',
    '.git/logs/refs/heads/main',
    '.git/ORIG_HEAD',
    '.git/COMMIT_EDITMSG',
    'sub/module/.git/refs/heads/x',
    'src/index.ts',
    '.gitignore',
  ])('lets %s through', (path) => {
    expect(judgeGitChange(path, 'add', 'file')).toBeUndefined();
  });

  test.each([
    '.git/config',
    '.git/config.worktree',
    '.git/hooks/pre-commit',
    '.git/info/attributes',
    '.git/commondir',
    '.git/objects/info/alternates',
    '.git/modules/x/config',
    '.git/worktrees/x/gitdir',
    '.git/description',
    '.git/index.lock',
    '.git/refs/heads/../../config',
    '.git/refs/heads/x.lock',
    '.git/refs/heads/a b',
    '.git/objects/ab/short',
    '.git/HEAD/x',
    '.GIT/HEAD',
    'git~1/HEAD',
    '.git\u200c/HEAD',
    '.git./HEAD',
    'sub/.git',
    '.git/refs/.git/config',
  ])('holds back %s', (path) => {
    expect(judgeGitChange(path, 'add', 'file')).toBeTypeOf('string');
  });

  test('never replaces or removes an object, never takes a link', () => {
    const object = `.git/objects/ab/${'c'.repeat(38)}`;
    expect(judgeGitChange(object, 'change', 'file')).toBeTypeOf('string');
    expect(judgeGitChange(object, 'delete', 'file')).toBeTypeOf('string');
    expect(judgeGitChange('.git/refs/heads/x', 'add', 'symlink')).toBeTypeOf('string');
    expect(judgeGitChange('.git/refs/heads/x', 'delete', 'file')).toBeUndefined();
  });
});

test('a pointer is a commit or a ref, nothing else', () => {
  expect(isPlainPointer(`${hash}\n`)).toBe(true);
  expect(isPlainPointer('ref: refs/heads/main\n')).toBe(true);
  for (const bad of ['ref: ../../etc/passwd\n', 'ref: refs/heads/../x', `${hash}\nmore`, '', 'x']) {
    expect(isPlainPointer(bad)).toBe(false);
  }
  expect(
    isPlainPackedRefs(
      `# pack-refs with: peeled fully-peeled sorted \n${hash} refs/heads/a\n^${hash}\n`,
    ),
  ).toBe(true);
  expect(isPlainPackedRefs(`${hash} refs/heads/../../x\n`)).toBe(false);
});

test('every spelling of .git that some file system folds is recognised', () => {
  for (const name of [
    '.git',
    '.GIT',
    '.Git',
    'GIT~1',
    '.git ',
    '.git...',
    '.g\u200dit',
    '.git::$INDEX_ALLOCATION',
  ]) {
    expect(isGitName(name)).toBe(true);
  }
  for (const name of ['git', '.gitignore', '.github', 'x.git']) expect(isGitName(name)).toBe(false);
});

test('a folder with HEAD and objects is a repository to git', () => {
  expect(looksLikeRepository(['HEAD', 'objects', 'refs'])).toBe(true);
  expect(looksLikeRepository(['head', 'commondir'])).toBe(true);
  expect(looksLikeRepository(['HEAD', 'objects'])).toBe(false);
});

describe('withoutGitSecrets', () => {
  test('cuts credentials out of addresses and drops settings that carry one', () => {
    const text = [
      '[remote "origin"]',
      '\turl = https://user:tok123@github.com/x/y',
      '[url "https://tok456@github.com/"]',
      '\tinsteadOf = gh:',
      '[http "https://github.com/"]',
      '\textraheader = AUTHORIZATION: basic c2VjcmV0',
      '[sendemail] smtpPass = hunter2',
      '\turl = ssh://git@github.com/x/y',
    ].join('\n');
    const clean = withoutGitSecrets(text, true) ?? '';
    for (const secret of ['tok123', 'tok456', 'c2VjcmV0', 'hunter2'])
      expect(clean).not.toContain(secret);
    expect(clean).toContain('url = https://github.com/x/y');
    expect(clean).toContain('ssh://git@github.com/x/y');
    expect(withoutGitSecrets(clean, true)).toBeUndefined();
  });

  test('drops the continuation of a dropped line', () => {
    expect(withoutGitSecrets('a = 1\n\tpassword = x\\\nsecretrest\nb = 2', true)).toBe(
      'a = 1\nb = 2',
    );
  });

  test('no password of any address survives', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9%._~-]{8,40}$/), (secret) => {
        const clean = withoutGitSecrets(`url = https://me:${secret}Z@host.example/x`, true) ?? '';
        expect(clean).toBe('url = https://host.example/x');
      }),
    );
  });
});
