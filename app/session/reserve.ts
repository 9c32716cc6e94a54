import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';

/** Room kept back on the disk of GLOVEBOX_HOME for a session's last words. */
export const RESERVE_BYTES = 512 * 1024;

/**
 * Takes the room while there is some: a sandbox that fills the disk cannot keep its own end off the record.
 * Random, so that no file system makes nothing of it. Throws what the file system throws.
 */
export const keepReserve = (path: string): void => {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, randomBytes(RESERVE_BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** Gives the room back; idempotent. */
export const freeReserve = (path: string): void => rmSync(path, { force: true });
