import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Code } from '../contract/index.ts';
import { fail, ok, randomId, type Failure, type Result, type Scope } from '../kit/index.ts';
import { isAlive, Owner, thisOwner } from '../session/index.ts';

const LockFile = z.strictObject({ owner: Owner, url: z.string().max(2048).optional() });
type LockFile = z.infer<typeof LockFile>;

/** The lock of a running app; `setUrl` tells a second start where the first one is. */
export type HomeLock = { readonly setUrl: (url: string) => void };

const ATTEMPTS = 5;

const read = (path: string): LockFile | undefined => {
  try {
    const parsed = LockFile.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Lets one app shell (window or browser) run per home folder; commands need no lock. Refuses with
 * `host.already-running`, naming the process and where it is open. A dead owner's lock is taken over.
 */
export const lockHome = (home: string, scope: Scope): Result<HomeLock, Failure<Code>> => {
  const path = join(home, 'host.lock');
  const mine: LockFile = { owner: thisOwner() };
  const draft = join(home, `host.lock.${randomId(6)}`);
  const write = (lock: LockFile): void => {
    writeFileSync(draft, `${JSON.stringify(lock)}\n`, { mode: 0o600, flag: 'wx' });
  };
  write(mine);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        // A link appears whole or not at all, and never over an existing lock.
        linkSync(draft, path);
        scope.defer(() => {
          if (read(path)?.owner.pid === mine.owner.pid) rmSync(path, { force: true });
        });
        return ok({
          setUrl: (url) => {
            write({ ...mine, url });
            renameSync(draft, path);
          },
        });
      } catch (why) {
        if ((why as NodeJS.ErrnoException).code !== 'EEXIST') throw why;
      }
      const holder = read(path);
      if (holder !== undefined && isAlive(holder.owner)) {
        const where = holder.url === undefined ? '' : ` at ${holder.url}`;
        return fail(
          'host.already-running',
          `Glovebox is already running${where} (process ${holder.owner.pid}).`,
          'Use that one, or end it first.',
        );
      }
      // Moved aside first: of two that find it stale, one renames it and the other comes too late.
      const stale = join(home, `host.lock.stale.${randomId(6)}`);
      try {
        renameSync(path, stale);
        rmSync(stale, { force: true });
      } catch {
        // Gone in the meantime: try again.
      }
    }
    return fail('host.already-running', `${path} is held by another start.`, 'Try again.');
  } finally {
    rmSync(draft, { force: true });
  }
};
