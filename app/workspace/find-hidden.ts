import { lstat, realpath } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { HiddenFile, ProjectInspection } from '../contract/index.ts';
import type { Clock } from '../kit/index.ts';
import { ThreadTimeout, type Threads } from './threads.ts';
import type { ScanOutput, ScanRequest } from './scan-content.ts';
import type { Candidate, Found, Survey, SurveyRequest } from './survey.ts';

/** Time the content scan may take; what is unread then is judged by name and counted as unread. */
export const SCAN_BUDGET_MS = 20_000;
/** Bytes the content scan reads at most. */
export const MAX_SCAN_BYTES = 256 * 1024 * 1024;
/** Threads that read content at once. */
export const MAX_SCAN_THREADS = 3;
/** Files a scan thread is worth starting for. */
const FILES_PER_WORKER = 200;
/** Extra time before a scan thread that does not come back is ended. */
const SCAN_GRACE_MS = 5_000;
/** Verdicts kept in memory, by the file's identity. */
export const MAX_CACHED_VERDICTS = 200_000;

export type HiddenSet = {
  readonly found: readonly Found[];
  readonly sanitise: readonly string[];
  readonly gitFolders: readonly string[];
  readonly scan: ProjectInspection['scan'];
};

/** Remembers what the scanner said of a file for as long as size, times and inode stay the same. */
export type VerdictCache = Map<string, readonly string[]>;

const LIKELY =
  /\.(?:json|ya?ml|toml|ini|cfg|conf|config|properties|env|sh|txt|xml|tf|py|rb|php)$|\/?[^./]+$/i;

/** Likely places first, shallow before deep: what the budget leaves out is what matters least. */
const byLikelihood = (a: Candidate, b: Candidate): number =>
  Number(LIKELY.test(b.path)) - Number(LIKELY.test(a.path)) ||
  a.path.split('/').length - b.path.split('/').length ||
  a.bytes - b.bytes;

const ruleOf = (kinds: readonly string[]): string =>
  `${kinds.length} ${kinds.length === 1 ? 'secret' : 'secrets'} inside (${[...new Set(kinds)].join(', ')})`;

const within = (path: string, of: ReadonlySet<string>): boolean => {
  if (of.size === 0) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (of.has(path.slice(0, end))) return true;
  }
  return false;
};

/** What the hidden links lead to inside the project: hiding the link alone would hide nothing. */
const linkTargets = async (root: string, found: readonly Found[]): Promise<readonly Found[]> => {
  const targets: Found[] = [];
  for (const entry of found) {
    if (entry.directory || entry.leaf !== undefined) continue;
    const path = join(root, entry.path);
    if (!(await lstat(path)).isSymbolicLink()) continue;
    // A link that leads nowhere hides nothing.
    const target = await realpath(path).catch(() => undefined);
    if (target?.startsWith(`${root}/`) !== true) continue;
    targets.push({
      path: target.slice(root.length + 1),
      directory: (await lstat(target)).isDirectory(),
      by: 'name',
      rule: `what ${entry.path} leads to`,
    });
  }
  return targets;
};

/** Judges the whole project: names at every depth, content within the budget, further names of hidden files. */
export const findHidden = async (
  request: SurveyRequest,
  tools: { readonly clock: Clock; readonly threads: Threads; readonly cache: VerdictCache },
  signal: AbortSignal,
): Promise<HiddenSet> => {
  const { clock, threads, cache } = tools;
  const started = clock.monotonic();
  const surveyed = await threads.call<Survey>('survey', request, signal);
  const verdicts = new Map<string, readonly string[]>();
  const todo: Candidate[] = [];
  let bytes = 0;
  let planned = 0;
  let unread = surveyed.unread;
  for (const candidate of surveyed.candidates.toSorted(byLikelihood)) {
    const known = cache.get(candidate.identity);
    if (known !== undefined) {
      verdicts.set(candidate.path, known);
      bytes += candidate.bytes;
    } else if (planned + candidate.bytes > MAX_SCAN_BYTES) unread += 1;
    else {
      planned += candidate.bytes;
      todo.push(candidate);
    }
  }

  const deadlineMs = Date.now() + SCAN_BUDGET_MS;
  const workers = Math.min(
    MAX_SCAN_THREADS,
    Math.max(1, availableParallelism() - 1),
    Math.ceil(todo.length / FILES_PER_WORKER),
  );
  const scanPart = async (part: readonly Candidate[]): Promise<void> => {
    const input: ScanRequest = { root: request.root, paths: part.map((c) => c.path), deadlineMs };
    try {
      const output = await threads.call<ScanOutput>(
        'scan',
        input,
        signal,
        SCAN_BUDGET_MS + SCAN_GRACE_MS,
      );
      bytes += output.bytes;
      for (const [n, answer] of output.answers.entries()) {
        const candidate = part[n];
        if (answer.kinds === undefined || candidate === undefined) unread += 1;
        else {
          verdicts.set(answer.path, answer.kinds);
          if (cache.size < MAX_CACHED_VERDICTS) cache.set(candidate.identity, answer.kinds);
        }
      }
    } catch (failure) {
      if (!(failure instanceof ThreadTimeout)) throw failure;
      unread += part.length;
    }
  };
  await Promise.all(
    Array.from({ length: workers }, (_, n) => scanPart(todo.filter((_c, i) => i % workers === n))),
  );

  const show = new Set(request.show);
  const found: Found[] = [...surveyed.found];
  const hiddenInodes = new Map(surveyed.hiddenInodes);
  const hidden = new Set(found.map((entry) => entry.path));
  for (const candidate of surveyed.candidates) {
    const kinds = verdicts.get(candidate.path) ?? [];
    if (kinds.length === 0 || within(candidate.path, show)) continue;
    found.push({ path: candidate.path, directory: false, by: 'content', rule: ruleOf(kinds) });
    hidden.add(candidate.path);
    if (candidate.links > 1) hiddenInodes.set(candidate.inode, candidate.path);
  }
  for (const [inode, first] of hiddenInodes) {
    for (const path of surveyed.linked.get(inode) ?? []) {
      if (hidden.has(path) || within(path, show)) continue;
      found.push({ path, directory: false, by: 'content', rule: `the same file as ${first}` });
      hidden.add(path);
    }
  }
  for (const entry of await linkTargets(request.root, found)) {
    if (within(entry.path, hidden) || within(entry.path, show)) continue;
    found.push(entry);
    hidden.add(entry.path);
  }
  return {
    found: found
      .filter(
        (entry) => !within(entry.path.slice(0, Math.max(0, entry.path.lastIndexOf('/'))), hidden),
      )
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    sanitise: surveyed.sanitise.filter((path) => !within(path, hidden)),
    gitFolders: surveyed.gitFolders,
    scan: { files: surveyed.files, bytes, unread, durationMs: clock.monotonic() - started },
  };
};

/** What the contract shows of an entry. */
export const asHiddenFile = (entry: Found): HiddenFile => ({
  path: entry.path,
  directory: entry.directory,
  by: entry.by,
  rule: entry.rule,
});
