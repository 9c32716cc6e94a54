import type { Clock } from '../../kit/index.ts';

/** What the process may take, in bytes. */
export type MemoryLimits = {
  /** Needed by what is under way: past it nothing new is let in until there is less. */
  readonly crowded: number;
  /** Resident: past it the process ends: the sandbox must not take the host's memory by way of its broker. */
  readonly most: number;
};

export const MAX_RESIDENT: MemoryLimits = { crowded: 1024 ** 3, most: 2 * 1024 ** 3 };
/** How often memory is looked at, in milliseconds. */
export const MEMORY_CHECK_MS = 250;

export type MemoryGuard = {
  readonly crowded: () => boolean;
  readonly close: () => void;
};

export type MemoryGuardDeps = {
  readonly clock: Clock;
  /** Bytes of resident memory. */
  readonly resident: () => number;
  /** Bytes that are needed still: left alone, a process with nothing to do keeps its garbage, and the allocator what it had. */
  readonly needed: () => number;
};

/** Looks at memory from time to time; throws from the clock's task past the most. */
export const createMemoryGuard = (
  { clock, resident, needed }: MemoryGuardDeps,
  limits: MemoryLimits = MAX_RESIDENT,
): MemoryGuard => {
  let crowded = false;
  let cancel: () => void;
  const look = (): void => {
    const bytes = resident();
    if (bytes > limits.most) {
      throw new Error(`more than ${String(limits.most)} bytes of memory are in use`);
    }
    crowded = bytes > limits.crowded && needed() > limits.crowded;
    cancel = clock.after(MEMORY_CHECK_MS, look);
  };
  cancel = clock.after(MEMORY_CHECK_MS, look);
  return { crowded: () => crowded, close: () => cancel() };
};
