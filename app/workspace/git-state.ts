import { lstat, open, readFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';

/** A HEAD or a pointer file is a line; anything longer is not one. */
const MAX_POINTER_BYTES = 8192;

export type GitSight = {
  readonly branch?: string;
  /** Set where git will not work inside the sandbox as it does outside. */
  readonly warning?: string;
};

const readSmall = async (path: string): Promise<string | undefined> => {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_POINTER_BYTES) return undefined;
    return await readFile(file, 'utf8');
  } catch {
    // No HEAD, no branch: the inspection then says nothing about git rather than something invented.
    return undefined;
  } finally {
    await file?.close();
  }
};

/** The branch of a HEAD file's text, or the short form of a detached commit. */
export const branchOfHead = (head: string): string | undefined => {
  const reference = /^ref: refs\/heads\/([^\s\0]{1,500})\s*$/.exec(head)?.[1];
  if (reference !== undefined) return reference;
  const commit = /^([0-9a-f]{40}|[0-9a-f]{64})\s*$/.exec(head)?.[1];
  return commit === undefined ? undefined : `${commit.slice(0, 10)} (detached)`;
};

/** Reads `.git` by hand: git itself would run what the repository's configuration names. */
export const lookAtGit = async (project: string): Promise<GitSight | undefined> => {
  const dot = join(project, '.git');
  let kind: 'folder' | 'file' | 'other';
  try {
    const stat = await lstat(dot);
    kind = stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other';
  } catch {
    return undefined;
  }
  if (kind === 'other') return { warning: '.git is a link; git will not work inside the session.' };
  let folder = dot;
  if (kind === 'file') {
    const pointer = /^gitdir: (.+?)\s*$/.exec((await readSmall(dot)) ?? '')?.[1];
    if (pointer === undefined) return {};
    folder = pointer.startsWith('/') ? pointer : join(project, pointer);
  }
  const branch = branchOfHead((await readSmall(join(folder, 'HEAD'))) ?? '');
  return {
    ...(branch === undefined ? {} : { branch }),
    ...(kind === 'file'
      ? {
          warning:
            'This is a git worktree whose repository lies outside the folder; git will not work inside the session.',
        }
      : {}),
  };
};
