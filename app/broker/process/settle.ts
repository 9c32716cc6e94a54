import type { Clock } from '../../kit/index.ts';
import { collectAll } from './collector.ts';
import { createTrimHeap } from './native-heap.ts';

/** How long after it began to listen a process settles, in milliseconds: its session is still starting. */
export const SETTLE_MS = 500;

/**
 * Gives back, once, what starting took and nothing needs any more: a tenth of the memory that the
 * process has at rest, and without a load V8 and the C library would never look for it. Stops the
 * process for some 30 ms. Gives a function that calls it off.
 */
export const settleLater = (clock: Clock): (() => void) =>
  clock.after(SETTLE_MS, () => {
    collectAll();
    createTrimHeap()();
  });
