import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** Files up to this size are hashed whole, larger ones by size and samples. */
export const MAX_WHOLE_HASH_BYTES = 16 * 1024 * 1024;
const SAMPLE_BYTES = 64 * 1024;
const SAMPLES = 64;

/** One entry of a build context. Modes are made equal for everyone, times are zero, owners are root. */
export type TarEntry =
  | { readonly type: 'file'; readonly name: string; readonly mode: number; readonly bytes: Buffer }
  | {
      readonly type: 'disk-file';
      readonly name: string;
      readonly mode: number;
      readonly path: string;
      readonly size: number;
    }
  | { readonly type: 'folder'; readonly name: string }
  | { readonly type: 'link'; readonly name: string; readonly target: string };

const byName = (a: TarEntry, b: TarEntry): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** Every file below a folder as entries with `prefix` before their names. Sockets and devices are left out. */
export const folderEntries = async (folder: string, prefix = ''): Promise<readonly TarEntry[]> => {
  const names = (await readdir(folder)).toSorted();
  const nested = await Promise.all(
    names.map(async (entry): Promise<readonly TarEntry[]> => {
      const path = join(folder, entry);
      const name = posix.join(prefix, entry);
      const about = await lstat(path);
      if (about.isDirectory())
        return [{ type: 'folder', name }, ...(await folderEntries(path, name))];
      if (about.isSymbolicLink()) return [{ type: 'link', name, target: await readlink(path) }];
      if (!about.isFile()) return [];
      return [await diskFile(path, name, (about.mode & 0o100) === 0 ? 0o644 : 0o755)];
    }),
  );
  return nested.flat();
};

/** A file of the disk as an entry; small ones are read at once, large ones when the tar is written. */
export const diskFile = async (path: string, name: string, mode: number): Promise<TarEntry> => {
  const { size } = await lstat(path);
  return size <= MAX_WHOLE_HASH_BYTES
    ? { type: 'file', name, mode, bytes: await readFile(path) }
    : { type: 'disk-file', name, mode, path, size };
};

/** Reads evenly spaced parts: a runtime of a hundred megabytes must not cost half a second at each start. */
const sampleOf = async (path: string, size: number): Promise<Buffer> => {
  const file = await open(path, 'r');
  try {
    const parts: Buffer[] = [];
    for (let index = 0; index < SAMPLES; index += 1) {
      const part = Buffer.alloc(SAMPLE_BYTES);
      const at = Math.floor(((size - SAMPLE_BYTES) * index) / (SAMPLES - 1));
      const { bytesRead } = await file.read(part, 0, SAMPLE_BYTES, at);
      parts.push(part.subarray(0, bytesRead));
    }
    return Buffer.concat(parts);
  } finally {
    await file.close();
  }
};

/** SHA-256 (hex) over names, kinds, modes and contents, whatever the order the entries came in. */
export const hashEntries = async (entries: readonly TarEntry[]): Promise<string> => {
  const hash = createHash('sha256');
  const field = (value: string | Buffer): void => {
    hash.update(`${String(Buffer.byteLength(value))}:`);
    hash.update(value);
  };
  for (const entry of entries.toSorted(byName)) {
    field(entry.type === 'disk-file' ? 'file' : entry.type);
    field(entry.name);
    switch (entry.type) {
      case 'file':
        field(String(entry.mode));
        field(entry.bytes);
        break;
      case 'disk-file':
        field(String(entry.mode));
        field(String(entry.size));
        field(await sampleOf(entry.path, entry.size));
        break;
      case 'link':
        field(entry.target);
        break;
      case 'folder':
        break;
    }
  }
  return hash.digest('hex');
};

/** The same entries always give the same bytes: sorted, times zero, owned by root. Errors surface on the stream. */
export const tarOf = (entries: readonly TarEntry[]): Readable => {
  const tar = pack();
  const common = { mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' };
  const write = async (): Promise<void> => {
    for (const entry of entries.toSorted(byName)) {
      switch (entry.type) {
        case 'folder':
          tar.entry({ ...common, name: `${entry.name}/`, type: 'directory', mode: 0o755 });
          break;
        case 'link':
          tar.entry({ ...common, name: entry.name, type: 'symlink', linkname: entry.target });
          break;
        case 'file':
          tar.entry({ ...common, name: entry.name, mode: entry.mode }, entry.bytes);
          break;
        case 'disk-file':
          await pipeline(
            createReadStream(entry.path),
            tar.entry({ ...common, name: entry.name, mode: entry.mode, size: entry.size }),
          );
          break;
      }
    }
    tar.finalize();
  };
  write().catch((failure: unknown) => {
    tar.destroy(failure instanceof Error ? failure : new Error(String(failure)));
  });
  return Readable.from(tar, { objectMode: false });
};
