import { fstatSync, type BigIntStats } from 'node:fs';
import { MAX_CHANGES, MAX_PATH_CHARS, type FileChange } from '../contract/index.ts';
import type { Act, Comparison } from './acts.ts';
import { contentIn, hashIn, sameContent } from './file-content.ts';
import { isGitName } from './git-names.ts';
import {
  belowGit,
  decidesHistory,
  isPlainPackedRefs,
  isPlainPointer,
  judgeGitChange,
  looksLikeRepository,
  MAX_REF_BYTES,
} from './git-rules.ts';
import { holdFolder, holdIn, linkIn, statIn, type HeldFolder } from './held-folder.ts';
import { countLines, MAX_DIFF_BYTES, type LineCounts } from './line-counts.ts';
import { staysInside } from './link-rules.ts';
import type { Manifest } from './manifest.ts';
import { native } from './native.ts';
import { OPAQUE_ATTRIBUTE } from './overlay.ts';
import { MAX_DEPTH } from './survey.ts';
import { wouldRun } from './would-run.ts';

/** Time all line counts of one review may take together; later rows come without. */
export const LINE_COUNT_BUDGET_MS = 5_000;
const ORIGIN_ATTRIBUTE = 'user.overlay.origin';
/** Names by which a folder that is a repository of its own is read. */
const REPOSITORY_NAMES = new Set([
  'head',
  'objects',
  'refs',
  'config',
  'config.worktree',
  'hooks',
  'info',
  'commondir',
  'modules',
  'worktrees',
]);
/** Permission bits that travel; set-id bits never do. */
const PERMISSIONS = 0o1777n;

type Type = FileChange['type'];

const typeOf = (stat: BigIntStats): Type =>
  stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'directory'
      : stat.isSymbolicLink()
        ? 'symlink'
        : 'other';

const modeOf = (stat: BigIntStats): number => Number(stat.mode & PERMISSIONS);
const isWhiteout = (stat: BigIntStats): boolean => stat.isCharacterDevice() && stat.rdev === 0n;

/** Names that the session sees in a folder. */
const shownNames = (
  upper: HeldFolder,
  names: readonly string[],
  lower: HeldFolder | undefined,
): readonly string[] => {
  const gone = new Set<string>();
  for (const name of names) {
    const stat = statIn(upper, name);
    if (stat !== undefined && isWhiteout(stat)) gone.add(name);
  }
  return [...names, ...(lower?.names() ?? [])].filter((name) => !gone.has(name));
};

/** One folder, seen in the session's layer and in the project. */
type Place = {
  readonly path: string;
  readonly depth: number;
  readonly upper: HeldFolder;
  readonly lower: HeldFolder | undefined;
  /** The project's folder was removed and made anew: what is not above is deleted. */
  readonly opaque: boolean;
  /** The host added or removed something in this folder since the session began. */
  readonly lowerMoved: boolean;
};

const withFolder = <T>(parent: HeldFolder, name: string, use: (held: HeldFolder) => T): T => {
  const held = holdIn(parent, name);
  try {
    return use(held);
  } finally {
    held.close();
  }
};
/** The session changed a file that the host has removed or renamed meanwhile. */
const vanished = (place: Place, name: string): boolean =>
  place.lowerMoved && native().attribute(place.upper.at(name), ORIGIN_ATTRIBUTE) !== undefined;
/** Why the content of a file that moves a branch is not believed; undefined where it is. */
const gitContentRefusal = (upper: HeldFolder, name: string, path: string): string | undefined => {
  const below = belowGit(path);
  if (below === undefined || !decidesHistory(below)) return undefined;
  if (below === 'packed-refs') {
    const text = contentIn(upper, name, 16 * MAX_DIFF_BYTES)?.toString('latin1');
    return text !== undefined && isPlainPackedRefs(text)
      ? undefined
      : 'not a valid list of branches';
  }
  const text = contentIn(upper, name, MAX_REF_BYTES)?.toString('utf8');
  return text !== undefined && isPlainPointer(text)
    ? undefined
    : 'it does not name a commit or a branch';
};

/**
 * Compares a session's upper layer with the project below it, as overlayfs would merge them. Follows no
 * link in either. Synchronous: runs in a thread.
 */
export const compareLayers = (upperPath: string, manifest: Manifest): Comparison => {
  const rows: FileChange[] = [];
  const acts: Act[] = [];
  const conflicts: string[] = [];
  let cut = false;
  let planned = 0;
  const startedNs = BigInt(manifest.startedNs);
  const hidden = new Set(manifest.hidden.map((entry) => entry.path));
  const hiddenPaths = [...hidden];
  const placed = new Map(manifest.placed.map((entry) => [entry.path, entry.sha256]));
  const countUntil = performance.now() + LINE_COUNT_BUDGET_MS;

  const holdsHidden = (path: string): boolean =>
    hiddenPaths.some((other) => other.startsWith(`${path}/`));
  const movedSince = (stat: BigIntStats): boolean => stat.ctimeNs >= startedNs;

  const show = (row: FileChange): void => {
    if (rows.length >= MAX_CHANGES) cut = true;
    else if (row.path.length <= MAX_PATH_CHARS) rows.push(row);
    else
      rows.push({
        ...row,
        path: row.path.slice(0, MAX_PATH_CHARS),
        heldBack: 'its path is too long',
      });
  };
  const holdBack = (row: FileChange, reason: string): void => show({ ...row, heldBack: reason });

  /** Shows a row and plans its act, unless something holds it back. */
  const plan = (row: FileChange, act: Act, conflict: boolean): void => {
    const below = belowGit(row.path);
    if (conflict && below !== undefined && !decidesHistory(below)) {
      holdBack(row, 'git on your machine wrote it too; yours is kept');
      return;
    }
    if (conflict) conflicts.push(row.path);
    show(conflict ? { ...row, conflict: true } : row);
    acts.push(act);
    planned += 1;
  };

  const lines = (before: () => Buffer | undefined, after: () => Buffer | undefined): LineCounts =>
    performance.now() < countUntil ? countLines(before(), after()) : {};

  /** Whether anything in a folder of the host changed since the session began, or is a git folder. */
  const inspectTree = (folder: HeldFolder, depth: number): { moved: boolean; git: boolean } => {
    let moved = false;
    for (const name of folder.names()) {
      if (isGitName(name) || depth >= MAX_DEPTH) return { moved: true, git: true };
      const stat = statIn(folder, name);
      if (stat === undefined) continue;
      moved ||= movedSince(stat);
      if (!stat.isDirectory()) continue;
      const child = holdIn(folder, name);
      try {
        const inside = inspectTree(child, depth + 1);
        if (inside.git) return { moved: true, git: true };
        moved ||= inside.moved;
      } finally {
        child.close();
      }
    }
    return { moved, git: false };
  };

  /** What stands against removing a folder of the host whole. */
  const treeState = (place: Place, name: string, path: string) => {
    if (place.lower === undefined) return { moved: false, keeps: undefined };
    const state = withFolder(place.lower, name, (held) => inspectTree(held, place.depth));
    const keeps = holdsHidden(path)
      ? 'it holds hidden files of yours and stays'
      : state.git
        ? 'it holds a git folder and stays'
        : undefined;
    return { moved: state.moved, keeps };
  };

  const remove = (place: Place, name: string, path: string, stat: BigIntStats): void => {
    if (hidden.has(path) || place.lower === undefined) return;
    const type = typeOf(stat);
    const row: FileChange = { path, change: 'deleted', type };
    const refusal = judgeGitChange(path, 'delete', type);
    if (refusal !== undefined) {
      holdBack(row, refusal);
      return;
    }
    if (type !== 'directory') {
      const counts =
        type === 'file' && stat.size <= BigInt(MAX_DIFF_BYTES) && belowGit(path) === undefined
          ? lines(
              () => place.lower && contentIn(place.lower, name, MAX_DIFF_BYTES),
              () => undefined,
            )
          : {};
      const runs = wouldRun(path, false);
      plan(
        { ...row, ...counts, ...(runs === undefined ? {} : { wouldRun: runs }) },
        { type: 'delete', path, directory: false },
        movedSince(stat),
      );
      return;
    }
    const state = treeState(place, name, path);
    if (state.keeps === undefined) {
      plan(row, { type: 'delete', path, directory: true }, state.moved || movedSince(stat));
      return;
    }
    // Some of it stays: the rest goes one by one.
    holdBack(row, state.keeps);
    if (place.depth >= MAX_DEPTH) return;
    withFolder(place.lower, name, (held) => {
      const inside = { ...place, path, depth: place.depth + 1, lower: held };
      for (const child of held.names()) {
        const childStat = statIn(held, child);
        if (childStat !== undefined) remove(inside, child, `${path}/${child}`, childStat);
      }
    });
  };

  const visitFile = (
    place: Place,
    name: string,
    path: string,
    stat: BigIntStats,
    below: BigIntStats | undefined,
  ): void => {
    const { upper, lower } = place;
    const was = below === undefined ? undefined : typeOf(below);
    const bytes = Number(stat.size);
    const mode = modeOf(stat);
    const executable = (mode & 0o111) !== 0;
    const wasExecutable = below !== undefined && was === 'file' && (modeOf(below) & 0o111) !== 0;
    const same =
      was === 'file' &&
      lower !== undefined &&
      below?.size === stat.size &&
      sameContent(upper, lower, name);
    if (same && below !== undefined && modeOf(below) === mode) return;
    const kept = placed.get(path);
    if (kept !== undefined && hashIn(upper, name, MAX_DIFF_BYTES) === kept) return;

    const change: FileChange['change'] =
      below === undefined ? 'added' : was !== 'file' ? 'type' : same ? 'mode' : 'modified';
    const runs = wouldRun(path, executable && !wasExecutable);
    const base: FileChange = {
      path,
      change,
      type: 'file',
      bytes,
      ...(runs === undefined ? {} : { wouldRun: runs }),
    };
    const refusal =
      judgeGitChange(
        path,
        change === 'added' ? 'add' : change === 'mode' ? 'mode' : 'change',
        'file',
      ) ?? gitContentRefusal(upper, name, path);
    if (refusal !== undefined) {
      holdBack(base, refusal);
      return;
    }
    if (change === 'mode') {
      plan(base, { type: 'mode', path, mode }, below !== undefined && movedSince(below));
      return;
    }
    if (was === 'directory') {
      const state = treeState(place, name, path);
      if (state.keeps !== undefined) {
        holdBack(base, state.keeps);
        return;
      }
      plan(base, { type: 'write', path, mode, bytes, replaces: true }, state.moved);
      return;
    }
    const small =
      bytes <= MAX_DIFF_BYTES && (was !== 'file' || (below?.size ?? 0n) <= BigInt(MAX_DIFF_BYTES));
    const counts =
      small && belowGit(path) === undefined
        ? lines(
            () =>
              was === 'file' && lower !== undefined
                ? contentIn(lower, name, MAX_DIFF_BYTES)
                : undefined,
            () => contentIn(upper, name, MAX_DIFF_BYTES),
          )
        : {};
    const conflict = below === undefined ? vanished(place, name) : movedSince(below);
    plan(
      { ...base, ...counts },
      { type: 'write', path, mode, bytes, replaces: below !== undefined },
      conflict,
    );
  };

  const visitLink = (
    place: Place,
    name: string,
    path: string,
    below: BigIntStats | undefined,
  ): void => {
    const target = linkIn(place.upper, name);
    if (
      below?.isSymbolicLink() === true &&
      place.lower !== undefined &&
      linkIn(place.lower, name) === target
    ) {
      return;
    }
    const change = below === undefined ? 'added' : below.isSymbolicLink() ? 'modified' : 'type';
    const runs = wouldRun(path, false);
    const row: FileChange = {
      path,
      change,
      type: 'symlink',
      ...(runs === undefined ? {} : { wouldRun: runs }),
    };
    const state = below?.isDirectory() === true ? treeState(place, name, path) : undefined;
    const refusal =
      judgeGitChange(path, change === 'added' ? 'add' : 'change', 'symlink') ??
      (staysInside(manifest.project, path, target)
        ? undefined
        : 'the link leads out of the project') ??
      state?.keeps;
    if (refusal !== undefined) {
      holdBack(row, refusal);
      return;
    }
    const conflict = below !== undefined && (state?.moved ?? movedSince(below));
    plan(row, { type: 'link', path, target, replaces: below !== undefined }, conflict);
  };

  const visitFolder = (
    place: Place,
    name: string,
    path: string,
    stat: BigIntStats,
    below: BigIntStats | undefined,
  ): void => {
    const mode = modeOf(stat);
    const merged = below?.isDirectory() === true;
    const row: FileChange = {
      path,
      change: below === undefined ? 'added' : merged ? 'mode' : 'type',
      type: 'directory',
    };
    if (place.depth >= MAX_DEPTH) {
      holdBack(row, 'it lies too deep');
      return;
    }
    if (!merged) {
      const refusal = judgeGitChange(path, below === undefined ? 'add' : 'change', 'directory');
      if (refusal !== undefined) {
        holdBack(row, refusal);
        return;
      }
    }
    // Below an opaque folder nothing of the project shows through, marked or not.
    const opaque =
      merged &&
      (place.opaque || native().attribute(place.upper.at(name), OPAQUE_ATTRIBUTE) !== undefined);
    let upper: HeldFolder;
    try {
      upper = holdIn(place.upper, name);
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'EACCES') throw failure;
      holdBack(row, 'its mode keeps it from being read');
      return;
    }
    try {
      const lower = merged && place.lower !== undefined ? holdIn(place.lower, name) : undefined;
      try {
        const names = upper.names();
        const shown = shownNames(upper, names, opaque ? undefined : lower);
        if (looksLikeRepository(shown) && belowGit(path) === undefined) {
          holdBack(row, 'git would take it for a repository');
          return;
        }
        if (!merged) {
          const act: Act = { type: 'folder', path, mode, replaces: below !== undefined };
          const conflict = below !== undefined && movedSince(below);
          if (below !== undefined || names.length === 0) plan(row, act, conflict);
          else acts.push(act);
        } else if (modeOf(below) !== mode && belowGit(path) === undefined) {
          plan(row, { type: 'mode', path, mode }, false);
        }
        visitNames(
          {
            path,
            depth: place.depth + 1,
            upper,
            lower,
            opaque,
            lowerMoved: merged ? movedSince(below) : place.lowerMoved,
          },
          names,
        );
      } finally {
        lower?.close();
      }
    } finally {
      upper.close();
    }
  };

  const visitNames = (place: Place, names: readonly string[]): void => {
    for (const name of names.toSorted()) {
      const path = place.path === '' ? name : `${place.path}/${name}`;
      const stat = statIn(place.upper, name);
      if (stat === undefined) {
        // Only a name that is not UTF-8 cannot be looked up again; ours are among the hidden.
        if (!hidden.has(path)) {
          holdBack({ path, change: 'added', type: 'other' }, 'its name is not UTF-8');
        }
        continue;
      }
      const below = place.lower === undefined ? undefined : statIn(place.lower, name);
      if (hidden.has(path)) {
        if (!isWhiteout(stat)) {
          holdBack(
            {
              path,
              change: 'added',
              type: typeOf(stat),
              ...(stat.isFile() ? { bytes: Number(stat.size) } : {}),
            },
            'your project has a hidden file of that name',
          );
        }
      } else if (isWhiteout(stat)) {
        if (below !== undefined) remove(place, name, path, below);
      } else if (stat.isDirectory()) visitFolder(place, name, path, stat, below);
      else if (stat.isFile()) visitFile(place, name, path, stat, below);
      else if (stat.isSymbolicLink()) visitLink(place, name, path, below);
      else {
        const change = below === undefined ? 'added' : 'type';
        holdBack({ path, change, type: 'other' }, 'devices, pipes and sockets are not taken over');
      }
    }
    if (!place.opaque || place.lower === undefined) return;
    const kept = new Set(names);
    for (const name of place.lower.names().toSorted()) {
      const stat = kept.has(name) ? undefined : statIn(place.lower, name);
      if (stat !== undefined)
        remove(place, name, place.path === '' ? name : `${place.path}/${name}`, stat);
    }
  };

  const upper = holdFolder(upperPath);
  try {
    const lower = holdFolder(manifest.project);
    try {
      const names = upper.names();
      const shape = looksLikeRepository(shownNames(upper, names, lower));
      const taken = shape
        ? names.filter((name) => !REPOSITORY_NAMES.has(name.toLowerCase()))
        : names;
      for (const name of shape ? names.filter((n) => REPOSITORY_NAMES.has(n.toLowerCase())) : []) {
        holdBack(
          { path: name, change: 'modified', type: 'other' },
          'git would take the project for a bare repository',
        );
      }
      const moved = movedSince(fstatSync(lower.descriptor, { bigint: true }));
      visitNames({ path: '', depth: 0, upper, lower, opaque: false, lowerMoved: moved }, taken);
    } finally {
      lower.close();
    }
  } finally {
    upper.close();
  }
  return { changes: rows, acts, planned, cut, conflicts };
};
