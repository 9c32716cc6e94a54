import { assertNever, fail, ok, type Result } from '../kit/index.ts';
import type { AssistantName, NetworkRequest, Preset } from '../contract/index.ts';
import {
  formatHostRule,
  matchesHostRule,
  overlappingRules,
  parseHostRule,
  type HostRule,
} from './host-rule.ts';
import { parseGitRule, type GitRule } from './git-rule.ts';
import type { CanonicalHost } from './host.ts';
import { ASSISTANT_PRESETS, REGISTRY_HOSTS } from './presets.ts';
import { parseResolve, parseResolver, type ResolveRule } from './resolve.ts';

/** A rule with the words that the timeline and the window show for it. */
export type NamedRule = {
  readonly rule: HostRule;
  readonly words: string;
  /** Who named the host: a person for this session, a preset, or a credential's grant. */
  readonly by: 'user' | 'preset' | 'grant';
};

/** What this session may reach. Deny wins; order never matters. */
export type NetworkPolicy = {
  readonly default: 'deny' | 'ask' | 'allow';
  readonly allow: readonly NamedRule[];
  readonly deny: readonly NamedRule[];
  /** Hosts whose TLS is passed on unopened, told by the server name; reached, but not inspected. */
  readonly passThrough: readonly NamedRule[];
  readonly git: readonly GitRule[];
  readonly resolve: readonly ResolveRule[];
  readonly dns: { readonly address: string; readonly port: number } | undefined;
};

/** The answer for one destination, with the rule that gave it in words. */
export type DestinationVerdict =
  | { readonly verdict: 'allowed'; readonly rule: string }
  /** No rule names it, and a person decides. */
  | { readonly verdict: 'ask'; readonly rule: string }
  | {
      readonly verdict: 'denied';
      readonly code: 'egress.no-rule' | 'egress.denied-by-rule';
      readonly rule: string;
    };

const ruleFor = (
  rules: readonly NamedRule[],
  host: CanonicalHost,
  port: number,
): NamedRule | undefined => rules.find(({ rule }) => matchesHostRule(rule, host, port));

/**
 * Judges host and port, before any name is resolved: deny rules, then allow rules, then the default.
 * `allowed` is not yet leave to dial: the resolved address is judged by `judgeAddress`.
 */
export const judgeDestination = (
  policy: NetworkPolicy,
  host: CanonicalHost,
  port: number,
): DestinationVerdict => {
  const denied = ruleFor(policy.deny, host, port);
  if (denied !== undefined) {
    return { verdict: 'denied', code: 'egress.denied-by-rule', rule: denied.words };
  }
  const allowed = ruleFor(policy.passThrough, host, port) ?? ruleFor(policy.allow, host, port);
  if (allowed !== undefined) return { verdict: 'allowed', rule: allowed.words };
  switch (policy.default) {
    case 'allow':
      return { verdict: 'allowed', rule: 'default allow' };
    case 'ask':
      return { verdict: 'ask', rule: 'default ask' };
    case 'deny':
      return { verdict: 'denied', code: 'egress.no-rule', rule: 'default deny' };
    default:
      return assertNever(policy.default, 'judging a destination');
  }
};

/** The rule by which TLS to this host is passed on unopened; undefined where it is inspected or denied. */
export const passesThrough = (
  policy: NetworkPolicy,
  host: CanonicalHost,
  port: number,
): NamedRule | undefined =>
  ruleFor(policy.deny, host, port) === undefined
    ? ruleFor(policy.passThrough, host, port)
    : undefined;

/**
 * The rule by which bytes that are neither TLS nor HTTP may go to this destination: one that the user
 * wrote for exactly this host and port. Presets, wildcards and grants mean the web. Never where a git
 * rule looks at the host: unread bytes would go around it.
 */
export const allowsRaw = (
  policy: NetworkPolicy,
  host: CanonicalHost,
  port: number,
): NamedRule | undefined => {
  if (ruleFor(policy.deny, host, port) !== undefined) return undefined;
  if (policy.git.some((rule) => matchesHostRule(rule.host, host, port))) return undefined;
  return policy.allow.find(
    ({ rule, by }) =>
      by === 'user' && rule.type === 'exact' && rule.port === port && rule.host === host,
  );
};

/** The resolve rule for exactly this destination; its address may be private because the user named it. */
export const findResolve = (
  policy: NetworkPolicy,
  host: CanonicalHost,
  port: number,
): ResolveRule | undefined =>
  policy.resolve.find((rule) => rule.host === host && rule.port === port);

const parseRules = (
  texts: readonly string[],
  words: (text: string) => string,
  by: NamedRule['by'] = 'user',
): Result<NamedRule[]> => {
  const rules: NamedRule[] = [];
  for (const text of texts) {
    const rule = parseHostRule(text);
    if (!rule.ok) {
      const { code, message, hint } = rule.error;
      return fail(code, `${words(text)}: ${message}`, hint);
    }
    rules.push({ rule: rule.value, words: words(formatHostRule(rule.value)), by });
  }
  return ok(rules);
};

const presetRules = (preset: Preset, assistant: AssistantName): Result<NamedRule[]> => {
  switch (preset) {
    case 'assistant':
      return parseRules(ASSISTANT_PRESETS[assistant].hosts, () => `preset ${assistant}`, 'preset');
    case 'registries':
      return parseRules(REGISTRY_HOSTS, () => 'preset registries', 'preset');
    default:
      return assertNever(preset, 'reading a preset');
  }
};

const parseGitRules = (texts: readonly string[]): Result<GitRule[]> => {
  const rules: GitRule[] = [];
  for (const text of texts) {
    const rule = parseGitRule(text);
    if (!rule.ok)
      return fail(rule.error.code, `git: ${text}: ${rule.error.message}`, rule.error.hint);
    rules.push(rule.value);
  }
  return ok(rules);
};

/** Turns what the user asked for into the rules of one session. Fails on anything it cannot read whole. */
export const buildNetworkPolicy = (
  request: NetworkRequest,
  assistant: AssistantName,
): Result<NetworkPolicy> => {
  const allow: NamedRule[] = [];
  for (const preset of new Set(request.presets)) {
    const rules = presetRules(preset, assistant);
    if (!rules.ok) return rules;
    allow.push(...rules.value);
  }
  const named = parseRules(request.allow, (text) => `--allow ${text}`);
  if (!named.ok) return named;
  const deny = parseRules(request.deny, (text) => `--deny ${text}`);
  if (!deny.ok) return deny;
  const passThrough = parseRules(request.passThrough ?? [], (text) => `--pass-through ${text}`);
  if (!passThrough.ok) return passThrough;
  const git = parseGitRules(request.git ?? []);
  if (!git.ok) return git;
  const unread = passThrough.value.find(({ rule }) =>
    git.value.some(({ host }) => overlappingRules(rule, host)),
  );
  if (unread !== undefined) {
    return fail(
      'policy.refused',
      `${unread.words}: a git rule looks at that host, and would see nothing of what passes unopened.`,
      'Leave out one of the two.',
    );
  }
  const resolve: ResolveRule[] = [];
  for (const text of request.resolve) {
    const rule = parseResolve(text);
    if (!rule.ok) return fail(rule.error.code, `--resolve ${text}: ${rule.error.message}`);
    const { host, port } = rule.value;
    if (resolve.some((other) => other.host === host && other.port === port)) {
      return fail('policy.invalid', `--resolve names ${host}:${port} twice.`);
    }
    resolve.push(rule.value);
  }
  const dns = request.dns === undefined ? ok(undefined) : parseResolver(request.dns);
  if (!dns.ok) return fail(dns.error.code, `--dns: ${dns.error.message}`);
  return ok({
    default: request.default,
    allow: [...allow, ...named.value],
    deny: deny.value,
    passThrough: passThrough.value,
    git: git.value,
    resolve,
    dns: dns.value,
  });
};

/** Most lines that `describeNetworkPolicy` gives; the last one says what was left out. */
export const MAX_POLICY_LINES = 512;

const at = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** The policy in words, one rule a line, as the timeline records it at the start. */
export const describeNetworkPolicy = (policy: NetworkPolicy): string[] => {
  const presets = new Map<string, string[]>();
  const lines: string[] = [];
  for (const { rule, words, by } of policy.allow) {
    // A grant's hosts are told with the grant.
    if (by === 'grant') continue;
    if (by === 'preset') {
      presets.set(words, [...(presets.get(words) ?? []), formatHostRule(rule)]);
    } else {
      lines.push(words);
    }
  }
  const all = [
    `default ${policy.default}`,
    ...policy.deny.map(({ words }) => words),
    ...Array.from(presets, ([words, hosts]) => `${words}: ${hosts.join(', ')}`),
    ...lines,
    ...policy.passThrough.map(({ words }) => `${words} (not inspected)`),
    ...policy.git.map(({ words }) => `git: ${words}`),
    ...policy.resolve.map(
      (rule) => `--resolve ${at(rule.host, rule.port)}:${at(rule.address, rule.addressPort)}`,
    ),
    ...(policy.dns === undefined ? [] : [`--dns ${at(policy.dns.address, policy.dns.port)}`]),
  ];
  if (all.length <= MAX_POLICY_LINES) return all;
  const kept = all.slice(0, MAX_POLICY_LINES - 1);
  return [...kept, `and ${all.length - kept.length} more`];
};
