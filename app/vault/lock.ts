import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, randomId, sleep, type Clock, type Result } from '../kit/index.ts';
import type { VaultFailure } from './port.ts';

/** How long a writer waits for another process. */
export const LOCK_WAIT_MS = 10_000;
const LOCK_RETRY_MS = 50;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const take = async (path: string): Promise<boolean> => {
  const mine = `${path}.${process.pid}.${randomId(8)}`;
  try {
    // Linked into place with its owner's number in it: a lock is never seen without.
    await writeFile(mine, String(process.pid), { mode: 0o600 });
    await link(mine, path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  } finally {
    await rm(mine, { force: true });
  }
};

const isStale = async (path: string): Promise<boolean> => {
  try {
    const pid = Number(await readFile(path, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 && !isAlive(pid);
  } catch {
    // Gone by now: the next attempt to take it tells.
    return false;
  }
};

/** Runs `task` while no other process of ours changes the vault. A dead owner's lock is taken over. */
export const withLock = async <T>(
  folder: string,
  clock: Clock,
  task: () => Promise<Result<T, VaultFailure>>,
): Promise<Result<T, VaultFailure>> => {
  const path = join(folder, 'lock');
  const deadline = clock.monotonic() + LOCK_WAIT_MS;
  while (!(await take(path))) {
    if (await isStale(path)) {
      await rm(path, { force: true });
      continue;
    }
    if (clock.monotonic() > deadline) {
      return fail(
        'vault.failed',
        'Another Glovebox process is changing the vault and does not finish.',
        `If none is running, remove ${path}.`,
      );
    }
    await sleep(clock, LOCK_RETRY_MS);
  }
  try {
    return await task();
  } finally {
    await rm(path, { force: true });
  }
};
