import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';

/** Room kept back on the disk of GLOVEBOX_HOME for the last words of a session's timeline, in bytes. */
export const TIMELINE_RESERVE_BYTES = 512 * 1024;
/**
 * The same for the record of how it ended, beside what the request in it takes. On its own, because the
 * store of the timeline takes over what its log holds as soon as there is room, and that may be all of it.
 */
export const RECORD_RESERVE_BYTES = 64 * 1024;

/**
 * Takes the room while there is some: a sandbox that fills the disk cannot keep its own end off the record.
 * Random, so that no file system makes nothing of it. Throws what the file system throws.
 */
export const keepReserve = (path: string, bytes: number): void => {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, randomBytes(bytes));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** Gives the room back; idempotent. */
export const freeReserve = (path: string): void => rmSync(path, { force: true });
