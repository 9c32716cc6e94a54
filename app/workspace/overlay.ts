import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  utimesSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MAX_GIT_CONFIG_BYTES, withoutGitSecrets } from './git-credentials.ts';
import type { Manifest } from './manifest.ts';
import { native } from './native.ts';
import { exchangeId } from './sandbox-user.ts';
import type { SessionFolder } from './session-folder.ts';
import { readPlain, type Found } from './survey.ts';

/**
 * `userxattr`: the kernel keeps its marks in `user.overlay.*`, which review reads without being root.
 * `nofollow` and `metacopy=off`: each change is a whole file at its own place, nothing in the upper layer
 * points anywhere.
 */
const OPTIONS = ['userxattr', 'redirect_dir=nofollow', 'metacopy=off'] as const;

/**
 * `index=on`: a hard link stays one file when it is written to. `nfs_export=on`: the guard can watch the whole
 * working copy with one mark and turn what it is told back into paths. The kernel falls back to neither where
 * a disk has no file handles. The index holds further names of changed files in a folder of root's, so it is
 * kept only where we can clear it away.
 */
export const overlayOptions = (weAreRoot: boolean): readonly string[] =>
  weAreRoot ? [...OPTIONS, 'index=on', 'nfs_export=on'] : OPTIONS;

export const OPAQUE_ATTRIBUTE = 'user.overlay.opaque';

export type UpperRequest = {
  readonly project: string;
  readonly folder: SessionFolder;
  readonly mapped: boolean;
  readonly user: Manifest['user'];
  readonly found: readonly Found[];
  readonly sanitise: readonly string[];
};

/** The settings of a git file (`config`, `config.worktree`) beside mere records (FETCH_HEAD, logs). */
export const isGitSettings = (path: string): boolean => /(?:^|\/)config(?:\.[^/]*)?$/.test(path);

/** Text of a git file without its credentials, as bytes; undefined where it has none or cannot be read. */
export const sanitised = (project: string, path: string): Buffer | undefined => {
  const bytes = readPlain(join(project, path), MAX_GIT_CONFIG_BYTES);
  if (bytes === undefined) return undefined;
  const clean = withoutGitSecrets(bytes.toString('latin1'), isGitSettings(path));
  return clean === undefined ? undefined : Buffer.from(clean, 'latin1');
};

/**
 * Fills a fresh upper layer: a whiteout for each hidden entry, a copy without credentials for each git file
 * that has some, and for both the folders above them, looking as they do in the project.
 */
export const fillUpper = (request: UpperRequest): Manifest['placed'] => {
  const { project, folder, mapped, user } = request;
  const isRoot = process.getuid?.() === 0;
  const made = new Map<string, Stats>();

  const dress = (target: string, stat: Stats): void => {
    if (isRoot) {
      const uid = mapped ? exchangeId(stat.uid, user.uid) : stat.uid;
      const gid = mapped ? exchangeId(stat.gid, user.gid) : stat.gid;
      chownSync(target, uid, gid);
    }
    chmodSync(target, stat.mode & 0o1777);
  };

  const ensureFolder = (path: string): void => {
    if (made.has(path)) return;
    if (path !== '') ensureFolder(parentOf(path));
    const stat = lstatSync(join(project, path));
    if (!stat.isDirectory()) throw new Error(`${path} is not a folder any more`);
    const target = join(folder.upper, path);
    mkdirSync(target, { recursive: path === '', mode: 0o700 });
    made.set(path, stat);
  };

  ensureFolder('');
  for (const entry of request.found) {
    const parent = parentOf(entry.path);
    ensureFolder(parent);
    const target = join(folder.upper, entry.path);
    native().whiteout(
      entry.leaf === undefined
        ? target
        : Buffer.concat([Buffer.from(`${join(folder.upper, parent)}/`), Buffer.from(entry.leaf)]),
    );
  }

  const placed: Manifest['placed'] = [];
  for (const path of request.sanitise) {
    const clean = sanitised(project, path);
    if (clean === undefined) continue;
    ensureFolder(parentOf(path));
    const stat = lstatSync(join(project, path));
    const target = join(folder.upper, path);
    writeFileSync(target, clean, { flag: 'wx', mode: 0o600 });
    dress(target, stat);
    utimesSync(target, stat.atimeMs / 1000, stat.mtimeMs / 1000);
    placed.push({ path, sha256: createHash('sha256').update(clean).digest('hex') });
  }
  // Deepest first, because filling a folder changes its time, and last, because it may take our own right to write.
  for (const [path, stat] of [...made].toReversed()) {
    const target = join(folder.upper, path);
    dress(target, stat);
    utimesSync(target, stat.atimeMs / 1000, stat.mtimeMs / 1000);
  }
  return placed;
};

const parentOf = (path: string): string => {
  const parent = dirname(path);
  return parent === '.' ? '' : parent;
};
