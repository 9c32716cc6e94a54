/** Characters that case-insensitive and normalising file systems drop when they look a name up. */
const IGNORED = /[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;

/**
 * Whether some file system would take this name for `.git`: any case, NTFS short name and trailing dots,
 * HFS+ ignorable characters (the spellings git itself refuses, see core.protectHFS and core.protectNTFS).
 */
export const isGitName = (name: string): boolean => {
  const plain = name.normalize('NFKC').replace(IGNORED, '').toLowerCase();
  return /^(?:\.git|git~1)[. ]*(?::.*)?$/.test(plain);
};

/** Index of the outermost `.git` part of a path, or -1. */
export const gitPartIn = (parts: readonly string[]): number =>
  parts.findIndex((part) => isGitName(part));

/** Names inside a git folder whose files are data named by hash or branch, not by a person. */
export const GIT_DATA_FOLDERS: ReadonlySet<string> = new Set(['objects', 'refs', 'logs', 'lfs']);
