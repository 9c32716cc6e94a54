import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SandboxMount } from '../policy/index.ts';
import { isGitSettings, sanitised } from './overlay.ts';
import type { SessionFolder } from './session-folder.ts';
import type { Found } from './survey.ts';

/** What `.git/commondir` says where it is made: the git folder is its own (gitrepository-layout(5)). */
const OWN_COMMON_FOLDER = '.\n';

export type LiveRequest = {
  readonly project: string;
  /** Where the project is bound from: itself, or its idmapped mount. */
  readonly source: string;
  readonly folder: SessionFolder;
  readonly found: readonly Found[];
  readonly sanitise: readonly string[];
  readonly gitFolders: readonly string[];
};

type Kind = 'file' | 'folder' | 'link' | 'other' | undefined;

const kindAt = (path: string): Kind => {
  try {
    const stat = lstatSync(path);
    if (stat.isFile()) return 'file';
    if (stat.isDirectory()) return 'folder';
    return stat.isSymbolicLink() ? 'link' : 'other';
  } catch {
    return undefined;
  }
};

/**
 * Binds of live mode: the folder itself, an empty file or folder over each hidden one, and everything
 * through which a git folder could make the host's git run something, read-only. A git folder is bound
 * onto itself, so that it cannot be renamed away and replaced. What has to be made in the project, so that
 * something can be mounted over it, is noted in `created` as it is made.
 */
export const liveMounts = (request: LiveRequest, created: string[]): readonly SandboxMount[] => {
  const { project, source, folder } = request;
  const emptyFile = join(folder.masks, 'empty');
  const emptyFolder = join(folder.masks, 'folder');
  mkdirSync(emptyFolder, { recursive: true, mode: 0o755 });
  chmodSync(folder.masks, 0o755);
  writeFileSync(emptyFile, '', { mode: 0o444 });

  const mounts: SandboxMount[] = [{ type: 'bind', source, target: project, readOnly: false }];
  const over = (path: string, from: string, readOnly = true): void => {
    mounts.push({ type: 'bind', source: from, target: join(project, path), readOnly });
  };
  const itself = (path: string, readOnly = true): void => over(path, join(source, path), readOnly);

  for (const git of request.gitFolders) {
    const at = join(project, git);
    if (kindAt(at) === 'file') itself(git);
    if (kindAt(at) !== 'folder' || kindAt(join(at, 'HEAD')) === undefined) continue;
    itself(git, false);
    const owner = lstatSync(at);
    const make = (name: string, text?: string): void => {
      const path = `${git}/${name}`;
      if (kindAt(join(project, path)) !== undefined) return;
      if (text === undefined) mkdirSync(join(project, path), { mode: 0o755 });
      else writeFileSync(join(project, path), text, { flag: 'wx', mode: 0o644 });
      if (process.getuid?.() === 0) chownSync(join(project, path), owner.uid, owner.gid);
      created.push(path);
    };
    make('hooks');
    make('info');
    make('config', '');
    make('config.worktree', '');
    make('commondir', OWN_COMMON_FOLDER);
    for (const name of [
      'hooks',
      'info',
      'config',
      'config.worktree',
      'commondir',
      'modules',
      'worktrees',
    ]) {
      const path = `${git}/${name}`;
      const kind = kindAt(join(project, path));
      if (kind === undefined) continue;
      // A link cannot be held in place by a bind over it: bound over, what it leads to would be.
      if (kind === 'link' || kind === 'other') {
        throw new Error(`${path} is a link, which a live session cannot protect`);
      }
      itself(path);
    }
  }

  request.sanitise.forEach((path, n) => {
    const clean = sanitised(project, path);
    if (clean === undefined) return;
    const copy = join(folder.masks, `clean-${n}`);
    writeFileSync(copy, clean, { mode: 0o444 });
    // Records (FETCH_HEAD, logs) are written by git itself; read-only they would break it, so settings only.
    if (isGitSettings(path)) over(path, copy);
  });

  for (const entry of request.found) {
    if (entry.leaf !== undefined) throw new Error(`${entry.path}: a name that is not UTF-8`);
    const kind = kindAt(join(project, entry.path));
    // What a hidden link leads to is hidden itself; the link alone says nothing.
    if (kind === undefined || kind === 'link') continue;
    over(entry.path, kind === 'folder' ? emptyFolder : emptyFile);
  }
  return withoutDoubles(mounts);
};

/** The last mount at a target wins; parents come before what lies in them. */
const withoutDoubles = (mounts: readonly SandboxMount[]): readonly SandboxMount[] => {
  const byTarget = new Map(mounts.map((mount) => [mount.target, mount]));
  return [...byTarget.values()].toSorted((a, b) => (a.target < b.target ? -1 : 1));
};

/** Takes away what `liveMounts` made in the project, as far as it is still as it was made. */
export const removeCreated = (project: string, created: readonly string[]): void => {
  for (const path of created.toReversed()) {
    const at = join(project, path);
    const kind = kindAt(at);
    if (kind === 'folder') {
      try {
        rmdirSync(at);
      } catch (failure) {
        // Somebody uses it now: it stays.
        if ((failure as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw failure;
      }
    } else if (kind === 'file') {
      const expected = path.endsWith('/commondir') ? OWN_COMMON_FOLDER : '';
      if (readFileSync(at, 'utf8') === expected) rmSync(at);
    }
  }
};
