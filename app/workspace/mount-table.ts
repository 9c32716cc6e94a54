import { readFileSync } from 'node:fs';

export type MountEntry = {
  readonly target: string;
  readonly readOnly: boolean;
  readonly type: string;
};

const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

/** Parses `/proc/<pid>/mountinfo` (proc_pid_mountinfo(5)): fields 5 and 6, then `-`, type, source, super options. */
export const parseMounts = (text: string): readonly MountEntry[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const fields = before.split(' ');
      const [type = '', , superOptions = ''] = after.split(' ');
      const options = [...(fields[5] ?? '').split(','), ...superOptions.split(',')];
      // mountinfo is bytes; read as latin1 so that octal escapes and plain bytes mix, then taken as UTF-8.
      const target = Buffer.from(unescape(fields[4] ?? ''), 'latin1').toString('utf8');
      return { target, readOnly: options.includes('ro'), type };
    });

/** The mounts a process sees; none where there is no such table (not Linux). */
export const mountsOf = (process: 'self' | number): readonly MountEntry[] => {
  try {
    return parseMounts(readFileSync(`/proc/${process}/mountinfo`, 'latin1'));
  } catch {
    // No table means no mounts that this room made: it makes them on Linux only.
    return [];
  }
};

/** Mount points strictly below a folder, relative to it. */
export const mountsBelow = (folder: string, mounts: readonly MountEntry[]): readonly string[] => [
  ...new Set(
    mounts
      .map((entry) => entry.target)
      .filter((target) => target.startsWith(`${folder}/`))
      .map((target) => target.slice(folder.length + 1)),
  ),
];
