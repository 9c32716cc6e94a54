import { chmodSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionFolder } from './session-folder.ts';

/** How a removal of what is not ours ends. */
const DENIED = ['EACCES', 'EPERM', 'ENOTEMPTY'];

const codeOf = (failure: unknown): string => (failure as NodeJS.ErrnoException).code ?? '';

/** Gives us back the folders the sandbox closed to itself (mode 000); links are not followed. */
const openUp = (folder: string): void => {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return;
  if (stat.uid === process.getuid?.()) chmodSync(folder, 0o700);
  let names: readonly string[] = [];
  try {
    names = readdirSync(folder);
  } catch (failure) {
    // Another user's: overlayfs leaves `work/work`, root's and empty, which its parent's owner may remove.
    if (codeOf(failure) !== 'EACCES') throw failure;
    rmdirSync(folder);
  }
  for (const name of names) openUp(join(folder, name));
};

/** Removes a folder of ours with all in it. Throws where something in it is not ours to remove. */
export const removeTree = (folder: string): void => {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (failure) {
    if (!DENIED.includes(codeOf(failure))) throw failure;
    openUp(folder);
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Whether all that is left in `work` is overlayfs' own scratch folder: root's, and without content of ours. */
const isScratch = (work: string): boolean =>
  readdirSync(work).every((name) => name === 'work') && process.getuid?.() !== 0;

/**
 * Removes what this room keeps for a session. The mount point of the project goes first and only if it is
 * empty: a project that is still mounted there must never be reached by a recursive removal. For a normal
 * user the kernel's empty scratch folder stays behind, because it is root's.
 */
export const removeSessionFolder = (folder: SessionFolder): void => {
  try {
    rmdirSync(folder.lower);
  } catch (failure) {
    if (codeOf(failure) !== 'ENOENT') throw failure;
  }
  for (const path of [folder.upper, folder.masks, folder.manifest]) removeTree(path);
  try {
    removeTree(folder.root);
  } catch (failure) {
    if (!DENIED.includes(codeOf(failure)) || !isScratch(folder.work)) throw failure;
  }
};
