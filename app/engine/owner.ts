import { readFileSync, readlinkSync } from 'node:fs';
import { runHostCommand } from './host-command.ts';

/**
 * A process told apart from every later one with the same number. On Linux `start` is
 * `boot id/pid namespace/start ticks` (proc(5), field 22 of /proc/PID/stat), elsewhere what `ps -o lstart` says.
 */
export type OwnerIdentity = { readonly pid: number; readonly start: string };

const linuxBoot = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** Field 22 of proc(5)'s stat line; the command name in field 2 may hold spaces and brackets. */
export const startTicks = (stat: string): string | undefined =>
  stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')[19]
    ?.match(/^\d+$/)?.[0];

const linuxStart = (pid: number | 'self'): string | undefined => {
  try {
    const ticks = startTicks(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
    if (ticks === undefined) return undefined;
    return `${linuxBoot()}/${readlinkSync('/proc/self/ns/pid')}/${ticks}`;
  } catch {
    // No such process: an answer, not a failure.
    return undefined;
  }
};

const psStart = async (pid: number): Promise<string | undefined> => {
  const answer = await runHostCommand('ps', ['-o', 'lstart=', '-p', String(pid)], {
    env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
  });
  const text = answer.ok ? answer.value.trim() : '';
  return text === '' ? undefined : text;
};

/** When that process started, or undefined where it is not there. */
export const processStart = async (
  pid: number,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> => (platform === 'linux' ? linuxStart(pid) : psStart(pid));

/** This process, as owner of what it creates. */
export const thisOwner = async (): Promise<OwnerIdentity> => ({
  pid: process.pid,
  start: (await processStart(process.pid)) ?? `unknown/${String(Date.now())}`,
});

/**
 * Whether the owner is gone for certain. An owner of this boot in another pid namespace cannot be
 * seen from here and counts as alive: removing what somebody still uses would lose work.
 */
export const isOwnerDead = (
  owner: OwnerIdentity,
  startNow: string | undefined,
  here: string,
): boolean => {
  const [boot, namespace] = owner.start.split('/');
  const [hereBoot, hereNamespace] = here.split('/');
  if (
    owner.start.includes('/') &&
    here.includes('/') &&
    boot === hereBoot &&
    namespace !== hereNamespace
  ) {
    return false;
  }
  return startNow !== owner.start;
};
