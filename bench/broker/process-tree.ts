import { readdirSync, readFileSync } from 'node:fs';

/** Memory of process trees, in MiB. PSS counts a shared page by its share (proc_pid_smaps(5)). */
export type Memory = { readonly rssMiB: number; readonly pssMiB: number };

const KIB_PER_MIB = 1024;

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A process that has just ended.
    return '';
  }
};

/** The fields of proc_pid_stat(5) after the name, which may hold spaces and parentheses: the state is the first. */
const statOf = (pid: number): readonly string[] => {
  const stat = read(`/proc/${String(pid)}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
};

const parentOf = (pid: number): number => Number(statOf(pid)[1] ?? 0);

/** How long the kernel's clock tick is: USER_HZ is 100 on every Linux there is. */
const TICK_MS = 10;

/** Processor time that these process trees have used, in milliseconds; processes that ended do not count. */
export const cpuOf = (roots: readonly number[]): number =>
  treeOf(roots)
    .map(statOf)
    .reduce((sum, stat) => sum + (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) * TICK_MS, 0);

/** These processes and all below them. */
export const treeOf = (roots: readonly number[]): readonly number[] => {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const add = (pid: number): void => {
    if (found.includes(pid)) return;
    found.push(pid);
    for (const child of children.get(pid) ?? []) add(child);
  };
  for (const root of roots) add(root);
  return found;
};

const kibIn = (rollup: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);

export const memoryOf = (roots: readonly number[]): Memory => {
  let rss = 0;
  let pss = 0;
  for (const pid of treeOf(roots)) {
    const rollup = read(`/proc/${String(pid)}/smaps_rollup`);
    rss += kibIn(rollup, 'Rss');
    pss += kibIn(rollup, 'Pss');
  }
  return { rssMiB: rss / KIB_PER_MIB, pssMiB: pss / KIB_PER_MIB };
};

const SAMPLE_MS = 250;

/** Reads the memory again and again until stopped; gives the most that was seen. */
export const watchMemory = (roots: readonly number[]): (() => Memory) => {
  let most = memoryOf(roots);
  const sample = (): void => {
    const now = memoryOf(roots);
    most = {
      rssMiB: Math.max(most.rssMiB, now.rssMiB),
      pssMiB: Math.max(most.pssMiB, now.pssMiB),
    };
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    sample();
    return most;
  };
};
