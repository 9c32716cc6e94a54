import type { Code } from '../contract/index.ts';
import { failure, FailureError, type Clock, type Failure } from '../kit/index.ts';

/**
 * Runs tasks at the same time. When one fails the others are told through `abort`, and all have ended
 * before the first failure comes out: nothing is opened behind the back of the clean-up that follows.
 */
export const together = async (
  abort: AbortController,
  tasks: readonly (() => Promise<void>)[],
): Promise<void> => {
  let failed: { readonly why: unknown } | undefined;
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task();
      } catch (why) {
        failed ??= { why };
        abort.abort(why);
      }
    }),
  );
  if (failed !== undefined) throw failed.why;
};

/** Waits for something that opens nothing, and no longer than until the signal: whoever stops must not wait for it. */
export const unlessAborted = async <T>(signal: AbortSignal, task: Promise<T>): Promise<T> => {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([task, promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
};

/** Waits no longer than `ms`: the task gets a signal that fires then, and the failure names what was waited for. */
export const within = async <T>(
  clock: Clock,
  signal: AbortSignal,
  limit: { readonly ms: number; readonly late: Failure<Code> },
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const late = new AbortController();
  const cancel = clock.after(limit.ms, () => late.abort(new FailureError(limit.late)));
  try {
    const either = AbortSignal.any([signal, late.signal]);
    return await unlessAborted(either, task(either));
  } catch (why) {
    throw late.signal.aborted ? late.signal.reason : why;
  } finally {
    cancel();
  }
};

/** The readable form of whatever was thrown on the way up; a bug becomes `session.failed` and stays in the log. */
export const asFailure = (why: unknown, what: string): Failure<Code> => {
  if (why instanceof FailureError) return why.failure as Failure<Code>;
  const code = (why as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return failure(
      'workspace.disk-full',
      `${what} failed: the disk is full.`,
      'Free some space, then start again.',
    );
  }
  return failure('session.failed', `${what} failed.`, 'The log in Glovebox’s folder has more.');
};

/** Hands a promise's value on when it comes; for followers that nobody waits for. The promise must not reject. */
export const when = <T>(promise: Promise<T>, follow: (value: T) => void | Promise<void>): void => {
  void (async () => {
    await follow(await promise);
  })();
};
