import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type BigIntStats,
  type Dirent,
} from 'node:fs';
import { join } from 'node:path';
import { MAX_HIDDEN_FILES, type HiddenFile } from '../contract/index.ts';
import { MAX_GIT_CONFIG_BYTES, withoutGitSecrets } from './git-credentials.ts';
import { GIT_DATA_FOLDERS, isGitName } from './git-names.ts';
import { holds, judgeName, type EntryKind } from './name-rules.ts';

/** Files larger than this are judged by their name alone. */
export const MAX_SCAN_FILE_BYTES = 512 * 1024;
/** Files beyond this number are judged by their name alone. */
export const MAX_SCAN_FILES = 20_000;
/** Deepest folder that is walked; deeper ones are hidden, because nothing is known of them. */
export const MAX_DEPTH = 256;

/** Folders of other people's code and built things: names are judged, content is not read. */
const UNSCANNED_FOLDERS = new Set([
  'node_modules',
  'bower_components',
  '.venv',
  'venv',
  'site-packages',
  '__pycache__',
  '.tox',
  '.gradle',
  '.pnpm-store',
]);
const UNSCANNED_ENDINGS =
  /\.(?:png|jpe?g|gif|webp|ico|woff2?|ttf|otf|eot|mp[34]|mov|zip|gz|tgz|bz2|xz|zst|jar|war|class|so|dylib|dll|exe|o|a|wasm|pdf|pyc|map|lock)$/i;

export type SurveyRequest = {
  readonly root: string;
  readonly add: readonly string[];
  readonly show: readonly string[];
  /** Folders on which something else is mounted, relative to the root. */
  readonly mountpoints: readonly string[];
};

/** One entry to hide. `leaf` holds the bytes of a last part that is not valid UTF-8. */
export type Found = HiddenFile & { readonly leaf?: Uint8Array };

/** A file whose content the scanner should read. `identity` changes whenever the content may have. */
export type Candidate = {
  readonly path: string;
  readonly bytes: number;
  readonly identity: string;
  readonly inode: string;
  readonly links: number;
};

export type Survey = {
  readonly found: readonly Found[];
  readonly candidates: readonly Candidate[];
  /** Every file with more than one name: `dev:ino` to its paths. */
  readonly linked: ReadonlyMap<string, readonly string[]>;
  /** `dev:ino` of every hidden file with more than one name, with the path that hid it. */
  readonly hiddenInodes: ReadonlyMap<string, string>;
  /** Git files in which a credential is written, to be shown without it. */
  readonly sanitise: readonly string[];
  /** Git folders (`.git`) of the project, files (worktrees) included. */
  readonly gitFolders: readonly string[];
  readonly files: number;
  readonly unread: number;
};

const kindOf = (entry: Dirent): EntryKind => {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
};

/** Reads a whole regular file of at most `limit` bytes; never follows a link, never blocks on a pipe. */
export const readPlain = (path: string, limit: number): Buffer | undefined => {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(
      path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size > limit) return undefined;
    const bytes = Buffer.alloc(stat.size);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } catch {
    // Unreadable is an answer here: the caller judges by name and counts the file as unread.
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
};

const inodeOf = (stat: BigIntStats): string => `${stat.dev}:${stat.ino}`;

/** What a folder's hiding means for what lies in it. */
type Inherited = { readonly rule: HiddenFile } | undefined;

/** Walks the project once, judging every name at every depth. Synchronous: runs in a thread. */
export const survey = (request: SurveyRequest): Survey => {
  const found: Found[] = [];
  const candidates: Candidate[] = [];
  const linked = new Map<string, string[]>();
  const hiddenInodes = new Map<string, string>();
  const sanitise: string[] = [];
  const gitFolders: string[] = [];
  let files = 0;
  let unread = 0;
  const add = new Set(request.add);
  const show = new Set(request.show);
  const shownWithin = new Set<string>();
  for (const path of request.show) {
    const parts = path.split('/');
    for (let n = 1; n < parts.length; n += 1) shownWithin.add(parts.slice(0, n).join('/'));
  }
  const mountpoints = new Set(request.mountpoints);

  const hide = (entry: Found): void => {
    if (found.length >= MAX_HIDDEN_FILES) throw new Error('too many hidden files');
    found.push(entry);
  };

  const readVerdict = (path: string, test: Parameters<typeof holds>[0]): boolean => {
    const bytes = readPlain(join(request.root, path), MAX_SCAN_FILE_BYTES);
    // In doubt hidden: the name already says that this is where secrets live.
    return bytes === undefined || holds(test, bytes.toString('latin1'));
  };

  const isVirtualenv = (path: string): boolean => {
    try {
      return lstatSync(join(request.root, path, 'pyvenv.cfg')).isFile();
    } catch {
      return false;
    }
  };

  const verdictOf = (
    path: string,
    kind: EntryKind,
  ): Omit<HiddenFile, 'path' | 'directory'> | undefined => {
    if (add.has(path)) return { by: 'user', rule: 'added by you' };
    if (mountpoints.has(path)) return { by: 'name', rule: 'another disk is mounted here' };
    const verdict = judgeName(path, kind);
    if (verdict === undefined) return undefined;
    if (verdict.type === 'hide') {
      if (kind === 'directory' && verdict.rule === '.env files' && isVirtualenv(path))
        return undefined;
      return { by: 'name', rule: verdict.rule };
    }
    return readVerdict(path, verdict.test) ? { by: 'content', rule: verdict.rule } : undefined;
  };

  type Place = {
    readonly path: string;
    readonly depth: number;
    readonly scanned: boolean;
    readonly shown: boolean;
    /** The folder itself is hidden: nothing below is listed, only its inodes count. */
    readonly hidden: boolean;
    /** Everything below is hidden one by one, because something below is shown. */
    readonly each: Inherited;
    /** Inside a git folder: parts below it, or undefined. */
    readonly git: readonly string[] | undefined;
  };

  const visitFile = (path: string, kind: EntryKind, place: Place, hidden: boolean): void => {
    files += 1;
    if (kind !== 'file') return;
    let stat: BigIntStats;
    try {
      stat = lstatSync(join(request.root, path), { bigint: true });
    } catch {
      unread += 1;
      return;
    }
    const inode = inodeOf(stat);
    if (stat.nlink > 1n) {
      if (hidden) hiddenInodes.set(inode, path);
      else linked.set(inode, [...(linked.get(inode) ?? []), path]);
    }
    if (hidden || stat.size === 0n) return;
    if (place.git !== undefined) {
      visitGitFile(path, place.git);
      return;
    }
    if (!place.scanned || UNSCANNED_ENDINGS.test(path)) {
      unread += 1;
      return;
    }
    if (stat.size > BigInt(MAX_SCAN_FILE_BYTES) || candidates.length >= MAX_SCAN_FILES) {
      unread += 1;
      return;
    }
    candidates.push({
      path,
      bytes: Number(stat.size),
      identity: `${inode}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`,
      inode,
      links: Number(stat.nlink),
    });
  };

  const visitGitFile = (path: string, below: readonly string[]): void => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const settings = name === 'config' || name === 'config.worktree' || name.startsWith('config.');
    if (!settings && name !== 'FETCH_HEAD' && below[0] !== 'logs') {
      unread += 1;
      return;
    }
    const bytes = readPlain(join(request.root, path), MAX_GIT_CONFIG_BYTES);
    if (bytes === undefined) {
      if (settings && !show.has(path)) {
        hide({ path, directory: false, by: 'name', rule: 'git settings that could not be read' });
      }
      return;
    }
    if (withoutGitSecrets(bytes.toString('latin1'), settings) !== undefined) sanitise.push(path);
  };

  const visit = (entry: Dirent, place: Place): readonly Place[] => {
    const path = place.path === '' ? entry.name : `${place.path}/${entry.name}`;
    const kind = kindOf(entry);
    const git = isGitName(entry.name) ? [] : place.git?.concat(entry.name);
    const data = place.git !== undefined && GIT_DATA_FOLDERS.has(git?.[0] ?? '');
    const shown = place.shown || show.has(path);
    if (isGitName(entry.name)) gitFolders.push(path);

    const own =
      add.has(path) || !(shown || place.hidden || data) ? verdictOf(path, kind) : undefined;
    const verdict = own ?? (shown ? undefined : place.each?.rule);
    let hidden = place.hidden;
    let each: Inherited = shown ? undefined : place.each;
    if (verdict !== undefined && !hidden) {
      if (kind === 'directory' && shownWithin.has(path)) {
        each = { rule: { path, directory: true, by: verdict.by, rule: verdict.rule } };
      } else {
        hide({ path, directory: kind === 'directory', by: verdict.by, rule: verdict.rule });
        hidden = true;
      }
    }
    if (kind !== 'directory') {
      visitFile(path, kind, place, hidden);
      return [];
    }
    if (mountpoints.has(path)) return [];
    if (place.depth >= MAX_DEPTH) {
      if (!hidden) hide({ path, directory: true, by: 'name', rule: 'too deep to be looked at' });
      return [];
    }
    const scanned = place.scanned && !UNSCANNED_FOLDERS.has(entry.name.toLowerCase());
    return [{ path, depth: place.depth + 1, scanned, shown, hidden, each, git }];
  };

  const list = (place: Place): readonly Dirent[] => {
    const folder = join(request.root, place.path);
    let entries: readonly Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (failure) {
      if (place.path === '') throw failure;
      // Unreadable for us; with the sandbox's user it may be readable, so it is hidden.
      if (!place.hidden && !place.shown) {
        hide({
          path: place.path,
          directory: true,
          by: 'name',
          rule: 'a folder that cannot be read',
        });
      }
      return [];
    }
    if (!entries.some((entry) => entry.name.includes('\ufffd'))) return entries;
    // A name that is not UTF-8 cannot be judged, shown or named in a rule: hidden by its bytes.
    for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
      const text = entry.name.toString('utf8');
      if (Buffer.from(text, 'utf8').equals(entry.name) || place.hidden) continue;
      hide({
        path: place.path === '' ? text : `${place.path}/${text}`,
        directory: entry.isDirectory(),
        by: 'name',
        rule: 'a name that is not UTF-8',
        leaf: Uint8Array.from(entry.name),
      });
    }
    return entries.filter((entry) => existsAsNamed(join(folder, entry.name)));
  };

  const stack: Place[] = [
    {
      path: '',
      depth: 0,
      scanned: true,
      shown: false,
      hidden: false,
      each: undefined,
      git: undefined,
    },
  ];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    for (const entry of list(place)) stack.push(...visit(entry, place));
  }
  return { found, candidates, linked, hiddenInodes, sanitise, gitFolders, files, unread };
};

const existsAsNamed = (path: string): boolean => {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
};
