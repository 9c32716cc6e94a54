import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { readIn, type HeldFolder } from './held-folder.ts';

const COMPARE_CHUNK_BYTES = 256 * 1024;

const readAll = (descriptor: number, bytes: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  let filled = 0;
  while (filled < bytes) {
    const count = readSync(descriptor, buffer, filled, bytes - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
};

/** Content of a regular file of at most `limit` bytes; undefined where it is larger or something else. */
export const contentIn = (folder: HeldFolder, name: string, limit: number): Buffer | undefined => {
  const descriptor = readIn(folder, name);
  try {
    const stat = fstatSync(descriptor);
    return stat.isFile() && stat.size <= limit ? readAll(descriptor, stat.size) : undefined;
  } finally {
    closeSync(descriptor);
  }
};

/** Whether two regular files of the same size hold the same bytes. */
export const sameContent = (a: HeldFolder, b: HeldFolder, name: string): boolean => {
  const left = readIn(a, name);
  try {
    const right = readIn(b, name);
    try {
      const one = Buffer.alloc(COMPARE_CHUNK_BYTES);
      const two = Buffer.alloc(COMPARE_CHUNK_BYTES);
      for (let at = 0; ;) {
        const count = readSync(left, one, 0, one.length, at);
        let filled = 0;
        while (filled < count) {
          const more = readSync(right, two, filled, count - filled, at + filled);
          if (more === 0) return false;
          filled += more;
        }
        if (count === 0) return readSync(right, two, 0, 1, at) === 0;
        if (one.compare(two, 0, count, 0, count) !== 0) return false;
        at += count;
      }
    } finally {
      closeSync(right);
    }
  } finally {
    closeSync(left);
  }
};

/** SHA-256 of a file of at most `limit` bytes, in hexadecimal; undefined for anything else. */
export const hashIn = (folder: HeldFolder, name: string, limit: number): string | undefined => {
  const content = contentIn(folder, name, limit);
  return content === undefined ? undefined : createHash('sha256').update(content).digest('hex');
};
