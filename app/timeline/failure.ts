import { failure } from '../kit/index.ts';
import type { TimelineFailure } from './port.ts';

/** SQLite's primary result code for a full disk (https://sqlite.org/rescode.html). */
const SQLITE_FULL = 13;
/** Its extended code where the index of the log found no room (SQLITE_IOERR_SHMSIZE). */
const SQLITE_IOERR_SHMSIZE = 4874;
const FULL: ReadonlySet<unknown> = new Set([SQLITE_FULL, SQLITE_IOERR_SHMSIZE]);

/** The user's words for what a store call threw. Carries no event's content. */
export const storeFailure = (doing: string, thrown: unknown): TimelineFailure => {
  const { code, errcode } = (thrown ?? {}) as { code?: unknown; errcode?: unknown };
  if (FULL.has(errcode) || code === 'ENOSPC') {
    return failure(
      'timeline.failed',
      `${doing}: the disk is full.`,
      'Make room; recording goes on by itself.',
    );
  }
  const reason = thrown instanceof Error ? thrown.message : 'no reason was given';
  return failure('timeline.failed', `${doing}: ${reason}.`);
};
