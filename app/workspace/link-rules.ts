import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Whether a link at `path` with this target stays inside the project. Strict: relative, `..` only at its
 * beginning (after a named part it would start from wherever that part leads), not past the top, and no link
 * of the host on the way that leads out.
 */
export const staysInside = (project: string, path: string, target: string): boolean => {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return false;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.findIndex((part) => part !== '..');
  const climb = ups === -1 ? parts.length : ups;
  if (parts.slice(climb).includes('..')) return false;
  const parent = dirname(path);
  const depth = parent === '.' ? 0 : parent.split('/').length;
  if (climb > depth) return false;
  const base = parent === '.' ? [] : parent.split('/').slice(0, depth - climb);
  return leadsInside(project, [...base, ...parts.slice(climb)]);
};

/** Whether the part of a path that exists on the host stays in the project once its links are followed. */
const leadsInside = (project: string, parts: readonly string[]): boolean => {
  for (let n = 1; n <= parts.length; n += 1) {
    const at = join(project, ...parts.slice(0, n));
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) return true;
    if (!stat.isSymbolicLink()) continue;
    try {
      const real = realpathSync(at);
      if (real !== project && !real.startsWith(`${project}/`)) return false;
    } catch {
      // A link of the host that leads nowhere now could lead anywhere later.
      return !readlinkSync(at).startsWith('/') && !readlinkSync(at).split('/').includes('..');
    }
  }
  return true;
};
