import { gitPartIn, isGitName } from './git-names.ts';

/** Largest ref or HEAD file that is believed. */
export const MAX_REF_BYTES = 1024;

export type GitAct = 'add' | 'change' | 'delete' | 'mode';
export type GitEntry = 'file' | 'directory' | 'symlink' | 'other';

const OBJECT = /^objects\/[0-9a-f]{2}\/(?:[0-9a-f]{38}|[0-9a-f]{62})$/;
const PACK = /^objects\/pack\/pack-(?:[0-9a-f]{40}|[0-9a-f]{64})\.(?:pack|idx|rev)$/;
const POINTER = /^(?:HEAD|refs\/.+)$/;
const RECORD = /^(?:packed-refs|index|ORIG_HEAD|FETCH_HEAD|MERGE_HEAD|COMMIT_EDITMSG|logs\/.+)$/;
const FOLDER = /^(?:objects|objects\/[0-9a-f]{2}|objects\/pack|refs(?:\/.+)?|logs(?:\/.+)?)$/;
/** git-check-ref-format(1): no control characters, no `..`, `@{`, `~^:?*[\`, no part that begins with a dot or ends in `.lock`. */
const BAD_REF = /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\.|\/\/|\.lock(?:\/|$)|[./]$/;

/** Files of a git folder whose content decides where a branch points; a conflict in them is a real one. */
export const decidesHistory = (below: string): boolean =>
  POINTER.test(below) || below === 'packed-refs';

/** Whether a HEAD or ref file says nothing but a commit or another ref. */
export const isPlainPointer = (text: string): boolean => {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})\n?$/.test(text)) return true;
  const target = /^ref: (refs\/[^\n]+)\n?$/.exec(text)?.[1];
  return target !== undefined && !BAD_REF.test(target);
};

/** Whether a packed-refs file holds nothing but its header, refs and peeled commits. */
export const isPlainPackedRefs = (text: string): boolean =>
  text
    .split('\n')
    .every(
      (line) =>
        line === '' ||
        /^# pack-refs with:[ a-z-]*$/.test(line) ||
        /^\^[0-9a-f]{40,64}$/.test(line) ||
        (/^[0-9a-f]{40,64} refs\/\S+$/.test(line) &&
          !BAD_REF.test(line.slice(line.indexOf(' ') + 1))),
    );

/** Part of a path below its git folder, or undefined outside of one. `''` is the folder itself. */
export const belowGit = (path: string): string | undefined => {
  const parts = path.split('/');
  const at = gitPartIn(parts);
  return at === -1 ? undefined : parts.slice(at + 1).join('/');
};

/**
 * Why a change inside a git folder is held back, or undefined where it is plain data (objects, refs, the
 * index, logs). Everything else there is, or names, something that the host's git would run or believe.
 */
export const judgeGitChange = (path: string, act: GitAct, entry: GitEntry): string | undefined => {
  const parts = path.split('/');
  const at = gitPartIn(parts);
  if (at === -1) return undefined;
  const below = parts.slice(at + 1).join('/');
  if (below === '') return 'a git folder is never added, replaced or removed';
  if (parts[at] !== '.git' || parts.slice(at + 1).some(isGitName))
    return 'it passes for a git folder';
  if (entry === 'symlink' || entry === 'other')
    return 'links and special files are not taken into a git folder';
  if (act === 'mode') return 'modes inside a git folder stay as they are';
  if (entry === 'directory') {
    if (FOLDER.test(below) && (act === 'add' || !below.startsWith('objects'))) return undefined;
    return 'git’s own folders stay as they are';
  }
  if (OBJECT.test(below) || PACK.test(below)) {
    return act === 'add' ? undefined : 'objects that exist are never replaced or removed';
  }
  if (POINTER.test(below)) {
    return below !== 'HEAD' && BAD_REF.test(below) ? 'not a valid branch name' : undefined;
  }
  if (RECORD.test(below)) return undefined;
  return 'git on your machine could run what it says';
};

/** Whether the names of a folder make git take it for a repository of its own (gitrepository-layout(5)). */
export const looksLikeRepository = (names: Iterable<string>): boolean => {
  const lower = new Set(Array.from(names, (name) => name.toLowerCase()));
  return (
    lower.has('head') && ((lower.has('objects') && lower.has('refs')) || lower.has('commondir'))
  );
};
