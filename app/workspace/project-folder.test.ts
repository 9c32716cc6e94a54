import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseMounts } from './mount-table.ts';
import { openProject } from './project-folder.ts';
import { exchangeId, exchangeMap, sandboxUserFor } from './sandbox-user.ts';
import { temporaryFolder } from './test-tree.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  folder.remove();
});

const code = async (
  path: string,
  glovebox = join(folder.path, 'state'),
  home = join(folder.path, 'home'),
) => {
  const opened = await openProject(path, glovebox, home);
  return opened.ok ? 'ok' : opened.error.code;
};

describe('openProject', () => {
  test('takes a plain folder, by its real path', async () => {
    mkdirSync(join(folder.path, 'home/p'), { recursive: true });
    symlinkSync(join(folder.path, 'home/p'), join(folder.path, 'link'));
    const opened = await openProject(
      join(folder.path, 'link'),
      '/nowhere/state',
      join(folder.path, 'home'),
    );
    expect(opened).toMatchObject({
      ok: true,
      value: { path: join(folder.path, 'home/p'), readOnly: false },
    });
  });

  test('refuses what is no folder', async () => {
    writeFileSync(join(folder.path, 'file'), '');
    expect(await code(join(folder.path, 'file'))).toBe('project.not-a-folder');
    expect(await code(join(folder.path, 'missing'))).toBe('project.not-a-folder');
  });

  test.each(['/', '/etc', '/usr/share', '/home', '/tmp', '/var', '/proc/self', '/dev', '/run'])(
    'refuses the system folder %s',
    async (path) => {
      expect(['project.forbidden', 'project.not-a-folder']).toContain(await code(path));
    },
  );

  test('refuses the home folder, what holds it, and where tools keep secrets', async () => {
    mkdirSync(join(folder.path, 'home/.ssh/x'), { recursive: true });
    mkdirSync(join(folder.path, 'home/.config/nvim'), { recursive: true });
    expect(await code(join(folder.path, 'home'))).toBe('project.forbidden');
    expect(await code(folder.path)).toBe('project.forbidden');
    expect(await code(join(folder.path, 'home/.ssh/x'))).toBe('project.forbidden');
    expect(await code(join(folder.path, 'home/.config'))).toBe('project.forbidden');
    expect(await code(join(folder.path, 'home/.config/nvim'))).toBe('ok');
  });

  test('refuses Glovebox’s own folder, below and above, also through a link', async () => {
    mkdirSync(join(folder.path, 'up/state/sessions'), { recursive: true });
    symlinkSync(join(folder.path, 'up'), join(folder.path, 'link'));
    const own = join(folder.path, 'link/state');
    for (const path of ['up', 'up/state', 'up/state/sessions', 'link']) {
      expect(await code(join(folder.path, path), own)).toBe('project.forbidden');
    }
  });

  test('every refusal says what to do', async () => {
    for (const path of ['/', join(folder.path, 'missing')]) {
      const opened = await openProject(path, '/nowhere', '/nowhere');
      expect(!opened.ok && opened.error.hint).toBeTruthy();
    }
  });
});

describe('sandboxUserFor', () => {
  test('is never root', () => {
    expect(sandboxUserFor({ uid: 1001, gid: 1002 }, { uid: 0, gid: 0 })).toEqual({
      user: { uid: 1001, gid: 1002 },
      mapped: false,
    });
    expect(sandboxUserFor({ uid: 0, gid: 0 }, { uid: 1001, gid: 1002 }).user).toEqual({
      uid: 1001,
      gid: 1002,
    });
    expect(sandboxUserFor({ uid: 0, gid: 0 }, { uid: 1001, gid: 0 }).user).toEqual({
      uid: 1001,
      gid: 1001,
    });
    expect(sandboxUserFor({ uid: 0, gid: 0 }, { uid: 0, gid: 0 })).toEqual({
      user: { uid: 1000, gid: 1000 },
      mapped: true,
    });
  });

  test('the exchange is its own inverse and the map covers every id once', () => {
    for (const id of [0, 1, 33, 999, 1000, 1001, 65534])
      expect(exchangeId(exchangeId(id, 1000), 1000)).toBe(id);
    const lines = exchangeMap(1000)
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    expect(lines.reduce((sum, [, , count = 0]) => sum + count, 0)).toBe(4_294_967_295);
  });
});

test('the mount table is read with its escapes and both option fields', () => {
  const text = [
    String.raw`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root ro,errors=continue`,
    '37 35 98:0 / /plain rw shared:1 - ext4 /dev/x rw',
    '',
  ].join('\n');
  expect(parseMounts(text)).toEqual([
    { target: '/mnt 2', readOnly: true, type: 'ext3' },
    { target: '/plain', readOnly: false, type: 'ext4' },
  ]);
});
