import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  diskFile,
  folderEntries,
  hashEntries,
  MAX_WHOLE_HASH_BYTES,
  tarOf,
  type TarEntry,
} from './tarball.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gb-tar-'));
  await mkdir(join(folder, 'sub'));
  await writeFile(join(folder, 'b'), 'second');
  await writeFile(join(folder, 'sub/a'), 'first');
  await symlink('b', join(folder, 'link'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const bytesOf = async (entries: readonly TarEntry[]): Promise<Buffer> => buffer(tarOf(entries));

const file = (name: string, content: string): TarEntry => ({
  type: 'file',
  name,
  mode: 0o644,
  bytes: Buffer.from(content),
});

describe('a build context', () => {
  it('has the same bytes whatever the times, the order and who may read the files', async () => {
    const before = await bytesOf(await folderEntries(folder));
    await utimes(join(folder, 'b'), 1, 1);
    await chmod(join(folder, 'b'), 0o600);
    const after = await bytesOf((await folderEntries(folder)).toReversed());
    expect(after.equals(before)).toBe(true);
    expect(before.toString('latin1')).toMatch(/^b\0/);
  });

  it('has a hash that stays while nothing changes', async () => {
    const entries = await folderEntries(folder);
    expect(await hashEntries(entries.toReversed())).toBe(await hashEntries(entries));
  });

  it.each([
    ['a content', async () => writeFile(join(folder, 'sub/a'), 'First')],
    ['a name', async () => writeFile(join(folder, 'c'), '')],
    ['a right to run', async () => chmod(join(folder, 'b'), 0o755)],
    [
      'a link',
      async () => {
        await rm(join(folder, 'link'));
        await symlink('sub/a', join(folder, 'link'));
      },
    ],
  ])('has another hash after %s changed', async (_, change) => {
    const before = await hashEntries(await folderEntries(folder));
    await change();
    expect(await hashEntries(await folderEntries(folder))).not.toBe(before);
  });

  it('does not confuse where one entry ends and the next begins', async () => {
    expect(await hashEntries([file('a', 'bc')])).not.toBe(await hashEntries([file('ab', 'c')]));
    expect(await hashEntries([file('a', ''), file('b', '')])).not.toBe(
      await hashEntries([file('a', 'b')]),
    );
  });

  it('streams a large file and sees a change anywhere near its samples and in its size', async () => {
    const path = join(folder, 'large');
    const bytes = Buffer.alloc(MAX_WHOLE_HASH_BYTES + 1, 'x');
    await writeFile(path, bytes);
    const entry = await diskFile(path, 'large', 0o755);
    expect(entry.type).toBe('disk-file');
    const before = await hashEntries([entry]);
    expect((await bytesOf([entry])).subarray(512, 512 + bytes.length).equals(bytes)).toBe(true);
    bytes[bytes.length - 1] = 0;
    await writeFile(path, bytes);
    expect(await hashEntries([await diskFile(path, 'large', 0o755)])).not.toBe(before);
  });

  it('ends with an error where a file vanished meanwhile', async () => {
    const path = join(folder, 'b');
    const entry: TarEntry = { type: 'disk-file', name: 'b', mode: 0o644, path, size: 6 };
    await rm(path);
    await expect(bytesOf([entry])).rejects.toThrow('ENOENT');
  });
});
