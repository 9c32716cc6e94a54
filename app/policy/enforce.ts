/**
 * What enforces a policy that has been built, and nothing that reads one: no schemas, no YAML. A broker
 * process imports this, for what it loads every session pays in memory.
 */
export { foldMapped, formatAddress, parseAddress } from './address.ts';
export { judgeGit, parseGitRule } from './git-rule.ts';
export { parseHost } from './host.ts';
export { matchesHostRule } from './host-rule.ts';
export { isAddress, judgeAddress } from './judge-address.ts';
export { allowsRaw, findResolve, judgeDestination, passesThrough } from './network.ts';
export { canonicalPath } from './path.ts';
export { matchesPathPattern, MAX_PATH_PATTERN_CHARS, parsePathPattern } from './path-pattern.ts';
export {
  parseAwsSecret,
  parseOauthSecret,
  parseServiceAccount,
  secretParts,
} from './secret-form.ts';
