import { fail, ok, type Brand, type Result } from '../kit/index.ts';
import { formatHostRule, matchesHostRule, parseHostRule, type HostRule } from './host-rule.ts';
import type { CanonicalHost } from './host.ts';
import { checkSegments, matchSegments, type SegmentMatch } from './segment-pattern.ts';

export type GitOperation = 'fetch' | 'push';

/** Which repositories of a host, as `owner/repo`, `owner/*` or `**`. Minted by `parseGitRule` only. */
export type RepositoryPattern = Brand<string, 'RepositoryPattern'>;
/** Which branches, as `main` or `release/*`; with `refs/` in front, which refs. Minted by `parseGitRule` only. */
export type BranchPattern = Brand<string, 'BranchPattern'>;

/** What a program may do with the repositories of a host. */
export type GitRule = {
  readonly verdict: 'allow' | 'deny' | 'ask';
  readonly operation: GitOperation;
  readonly host: HostRule;
  readonly repository: RepositoryPattern;
  /** Absent: whatever the branch. */
  readonly branch: BranchPattern | undefined;
  /** As the timeline and the window show it; `parseGitRule` reads it back. */
  readonly words: string;
};

/** Most characters of one git rule. */
export const MAX_GIT_RULE_CHARS = 1024;

const FORM = 'allow|deny|ask fetch|push HOST[:PORT]/REPOSITORY [branch BRANCH]';
const RULE = /^(allow|deny|ask) (fetch|push) ([^\s/]+)\/(\S+?)(?: branch (\S+))?$/;
// What git itself allows in no ref (git-check-ref-format), and what a URL would read otherwise.
const REF_PART = /^(?!\.)(?!.*\.\.)(?!.*\.lock$)[^\s\\~^:?[@{%]+(?<!\.)$/;
const REPOSITORY_PART = /^(?!\.{1,2}$)[A-Za-z0-9._~*+@-]+$/;

const invalid = (why: string): Result<never> =>
  fail('policy.invalid', why, `Write it like: ${FORM}.`);

/** Reads `allow push github.com/owner/repo branch main`. A branch goes with push alone: fetching names none. */
export const parseGitRule = (text: string): Result<GitRule> => {
  if (text.length > MAX_GIT_RULE_CHARS) return invalid('The git rule is too long.');
  const [, verdict, operation, hostText, repositoryText, branch] = RULE.exec(text) ?? [];
  if (verdict === undefined || operation === undefined || hostText === undefined) {
    return invalid('That is not a git rule.');
  }
  const host = parseHostRule(hostText);
  if (!host.ok) return host;
  const repository = (repositoryText ?? '').replace(/\.git$/, '');
  const parts = repository.split('/');
  if (!parts.every((part) => REPOSITORY_PART.test(part))) {
    return invalid('The repository of a git rule is not a path of plain names.');
  }
  const checked = checkSegments(parts, 'The repository');
  if (!checked.ok) return checked;
  if (branch !== undefined) {
    if (operation === 'fetch') return invalid('A branch goes with push alone.');
    const branches = branch.split('/');
    if (!branches.every((part) => REF_PART.test(part))) {
      return invalid('The branch of a git rule is not a branch’s name.');
    }
    const fits = checkSegments(branches, 'The branch');
    if (!fits.ok) return fits;
  }
  return ok({
    verdict: verdict as GitRule['verdict'],
    operation: operation as GitOperation,
    host: host.value,
    repository: repository as RepositoryPattern,
    branch: branch as BranchPattern | undefined,
    words: `${verdict} ${operation} ${formatHostRule(host.value)}/${repository}${branch === undefined ? '' : ` branch ${branch}`}`,
  });
};

/** One thing a git client is about to do. */
export type GitAct = {
  readonly operation: GitOperation;
  readonly host: CanonicalHost;
  readonly port: number;
  /** Path of the repository, percent escapes read, without the first slash and without `.git`. */
  readonly repository: string;
  /** Full name of the ref that a push changes (`refs/heads/main`); absent for a fetch. */
  readonly ref?: string;
};

const anyCase: SegmentMatch = {
  same: (one, other) => one.toLowerCase() === other.toLowerCase(),
  free: () => true,
};

const fits = (rule: GitRule, act: GitAct): boolean => {
  if (rule.operation !== act.operation) return false;
  if (!matchesHostRule(rule.host, act.host, act.port)) return false;
  // Forges take names in any case: a refusal must hold for all spellings, leave only for the one that was written.
  const match = rule.verdict === 'allow' ? undefined : anyCase;
  if (!matchSegments(rule.repository.split('/'), act.repository.split('/'), match)) return false;
  if (rule.branch === undefined) return true;
  const whole = rule.branch.startsWith('refs/') ? rule.branch : `refs/heads/${rule.branch}`;
  // Before the refs are known, a rule for some branches neither gives nor takes leave.
  return act.ref !== undefined && matchSegments(whole.split('/'), act.ref.split('/'), match);
};

export type GitVerdict = {
  readonly verdict: 'allow' | 'deny' | 'ask';
  /** The rule that decided, in words; absent where no rule speaks of it. */
  readonly words: string | undefined;
};

/**
 * Judges one act at a host that may be reached: deny wins over ask, ask over allow, order never
 * matters. Where rules allow or ask for that operation at that host and none of them fits, it is
 * denied; where none does, it is allowed.
 */
export const judgeGit = (rules: readonly GitRule[], act: GitAct): GitVerdict => {
  const hits = rules.filter((rule) => fits(rule, act));
  for (const verdict of ['deny', 'ask', 'allow'] as const) {
    const hit = hits.find((rule) => rule.verdict === verdict);
    if (hit !== undefined) return { verdict, words: hit.words };
  }
  const closed = rules.some(
    (rule) =>
      rule.verdict !== 'deny' &&
      rule.operation === act.operation &&
      matchesHostRule(rule.host, act.host, act.port),
  );
  return { verdict: closed ? 'deny' : 'allow', words: undefined };
};
