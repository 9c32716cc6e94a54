import { readFileSync, readlinkSync } from 'node:fs';
import { z } from 'zod';

/** The process that runs a session: pid and start time tell it from a later process of the same pid. */
export const Owner = z.strictObject({
  pid: z.int().min(1),
  /** Start time in clock ticks since boot (proc(5), field 22), or empty where there is no /proc. */
  startTime: z.string().max(32),
  /** Tells this boot from others; empty where there is no /proc. */
  bootId: z.string().max(64),
  /** The pid namespace the pid counts in; empty where there is no /proc. */
  namespace: z.string().max(64),
});
export type Owner = z.infer<typeof Owner>;

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

const namespace = (): string => {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
};

const bootId = (): string => (read('/proc/sys/kernel/random/boot_id') ?? '').trim();

/** State letter and start time of a process; undefined where there is none. */
const stat = (pid: number): { state: string; startTime: string } | undefined => {
  const line = read(`/proc/${pid}/stat`);
  if (line === undefined) return undefined;
  // The command stands in parentheses and may itself hold spaces and parentheses.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[19];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
};

const answersSignals = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** A process that lives now, as an owner. */
export const ownerOf = (pid: number): Owner => ({
  pid,
  startTime: stat(pid)?.startTime ?? '',
  bootId: bootId(),
  namespace: namespace(),
});

/** This process as an owner. */
export const thisOwner = (): Owner => ownerOf(process.pid);

/** Whether the very process that wrote the record still lives. Without /proc only the pid can be asked. */
export const isAlive = (owner: Owner): boolean => {
  if (owner.bootId === '') return answersSignals(owner.pid);
  if (owner.bootId !== bootId()) return false;
  // In another pid namespace it cannot be seen; taking what somebody still uses would lose work.
  if (owner.namespace !== namespace()) return true;
  const now = stat(owner.pid);
  return (
    now !== undefined && now.state !== 'Z' && now.state !== 'X' && now.startTime === owner.startTime
  );
};

export const isSameOwner = (a: Owner, b: Owner): boolean =>
  a.pid === b.pid &&
  a.startTime === b.startTime &&
  a.bootId === b.bootId &&
  a.namespace === b.namespace;
