import { randomId } from '../kit/index.ts';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import type { Act } from './acts.ts';
import { holdFolder, holdIn, readIn, type HeldFolder } from './held-folder.ts';
import type { Manifest } from './manifest.ts';
import { exchangeId } from './sandbox-user.ts';

/** Carrying out stopped at an act; what came before it is done, and doing it all again is harmless. */
export class ApplyError extends Error {
  readonly code: string;
  readonly path: string;
  readonly done: number;
  constructor(path: string, done: number, cause: unknown) {
    super((cause as Error).message, { cause });
    this.name = 'ApplyError';
    this.code = (cause as NodeJS.ErrnoException).code ?? '';
    this.path = path;
    this.done = done;
  }
}

/** Holds the folder of one path at a time, reusing what the path before had in common with it. */
const createDescent = (root: HeldFolder) => {
  const held: { readonly name: string; readonly folder: HeldFolder }[] = [];
  return {
    /** The folder that an entry lies in; throws where a part of the way is no folder. */
    parentOf: (path: string): HeldFolder => {
      const parts = path.split('/').slice(0, -1);
      let shared = 0;
      while (
        shared < held.length &&
        shared < parts.length &&
        held[shared]?.name === parts[shared]
      ) {
        shared += 1;
      }
      while (held.length > shared) held.pop()?.folder.close();
      for (const name of parts.slice(shared)) {
        held.push({ name, folder: holdIn(held.at(-1)?.folder ?? root, name) });
      }
      return held.at(-1)?.folder ?? root;
    },
    close: () => {
      while (held.length > 0) held.pop()?.folder.close();
    },
  };
};

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * Carries out acts on the host project: each way is walked folder by folder without following a link, each
 * file is written beside its place and renamed into it. Writes come before removals, so that a failure
 * leaves more than there should be rather than less. Synchronous: runs in a thread.
 */
export const applyActs = (
  project: string,
  upper: string,
  acts: readonly Act[],
  manifest: Manifest,
): void => {
  const isRoot = process.getuid?.() === 0;
  const mine = (id: number, shown: number): number =>
    manifest.mapped ? exchangeId(id, shown) : id;
  const suffix = `.glovebox-${randomId()}`;
  const to = holdFolder(project);
  const from = holdFolder(upper);
  const there = createDescent(to);
  const here = createDescent(from);
  const closed: { readonly path: string; readonly mode: number }[] = [];

  /** Puts something new into its place; what was there is kept aside until the new thing stands. */
  const place = (
    folder: HeldFolder,
    name: string,
    replaces: boolean,
    put: (target: string) => void,
  ): void => {
    const target = folder.at(name);
    if (!replaces) {
      put(target);
      return;
    }
    const aside = folder.at(`${suffix}.old`);
    renameSync(target, aside);
    try {
      put(target);
    } catch (failure) {
      renameSync(aside, target);
      throw failure;
    }
    rmSync(aside, { recursive: true });
  };

  const write = (act: Extract<Act, { type: 'write' }>): void => {
    const name = nameOf(act.path);
    const folder = there.parentOf(act.path);
    const source = readIn(here.parentOf(act.path), name);
    const draft = folder.at(suffix);
    try {
      const stat = fstatSync(source);
      if (!stat.isFile()) throw new Error(`${act.path} is not a plain file any more`);
      copyFileSync(
        `/proc/self/fd/${source}`,
        draft,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      );
      if (isRoot)
        chownSync(draft, mine(stat.uid, manifest.user.uid), mine(stat.gid, manifest.user.gid));
      chmodSync(draft, act.mode);
      utimesSync(draft, stat.atimeMs / 1000, stat.mtimeMs / 1000);
      const existing = lstatSync(folder.at(name), { throwIfNoEntry: false });
      if (existing?.isDirectory() === true) {
        place(folder, name, true, (target) => renameSync(draft, target));
      } else renameSync(draft, folder.at(name));
    } catch (failure) {
      rmSync(draft, { force: true });
      throw failure;
    } finally {
      closeSync(source);
    }
  };

  const dressLike = (act: Act, target: string): void => {
    if (!isRoot) return;
    const stat = lstatSync(here.parentOf(act.path).at(nameOf(act.path)));
    lchownSync(target, mine(stat.uid, manifest.user.uid), mine(stat.gid, manifest.user.gid));
  };

  const carryOut = (act: Act): void => {
    const name = nameOf(act.path);
    switch (act.type) {
      case 'write':
        write(act);
        return;
      case 'link':
        place(there.parentOf(act.path), name, act.replaces, (target) => {
          symlinkSync(act.target, target);
          dressLike(act, target);
        });
        return;
      case 'folder': {
        const folder = there.parentOf(act.path);
        // A first try that failed later on has made it already.
        if (lstatSync(folder.at(name), { throwIfNoEntry: false })?.isDirectory() === true) return;
        place(folder, name, act.replaces, (target) => {
          mkdirSync(target, { mode: 0o700 });
          dressLike(act, target);
        });
        closed.push({ path: act.path, mode: act.mode });
        return;
      }
      case 'mode': {
        const folder = there.parentOf(act.path);
        const stat = lstatSync(folder.at(name));
        if (stat.isSymbolicLink()) throw new Error(`${act.path} is a link now`);
        if (stat.isDirectory()) closed.push({ path: act.path, mode: act.mode });
        else chmodSync(folder.at(name), act.mode);
        return;
      }
      case 'delete': {
        const target = there.parentOf(act.path).at(name);
        if (act.directory) rmSync(target, { recursive: true });
        else unlinkSync(target);
      }
    }
  };

  let done = 0;
  const ordered = [
    ...acts.filter((act) => act.type !== 'delete'),
    ...acts.filter((act) => act.type === 'delete').toReversed(),
  ];
  try {
    for (const act of ordered) {
      try {
        carryOut(act);
      } catch (failure) {
        throw new ApplyError(act.path, done, failure);
      }
      done += 1;
    }
    // Last, because a folder without write permission would take no files.
    for (const { path, mode } of closed.toReversed())
      chmodSync(there.parentOf(path).at(nameOf(path)), mode);
  } finally {
    there.close();
    here.close();
    to.close();
    from.close();
  }
};
