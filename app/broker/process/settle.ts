import type { Clock } from '../../kit/index.ts';
import { collectAll } from './collector.ts';
import { createTrimHeap } from './native-heap.ts';
import { forgetRooms } from './rooms.ts';

/** How long after it began to listen a process settles, in milliseconds: its session is still starting. */
export const SETTLE_MS = 500;
/** How long nothing may have begun before it settles again, in milliseconds. */
export const QUIET_MS = 15_000;

const settle = (): void => {
  forgetRooms();
  collectAll();
  createTrimHeap()();
};

/**
 * Gives back what starting took and nothing needs any more, a tenth of the memory that the process has
 * at rest, and what a load took once that is over: by themselves neither V8 nor the C library would
 * look for it. It stops the process for some 30 ms, once in each quiet time. `begun` counts what has
 * begun to leave so far. Gives a function that calls it off.
 */
export const settleWhenQuiet = (clock: Clock, begun: () => number): (() => void) => {
  let settled = 0;
  let seen = 0;
  const look = (): void => {
    const now = begun();
    if (now === seen && now !== settled) {
      settle();
      settled = now;
    }
    seen = now;
    cancel = clock.after(QUIET_MS, look);
  };
  let cancel = clock.after(SETTLE_MS, () => {
    settle();
    cancel = clock.after(QUIET_MS, look);
  });
  return () => cancel();
};
