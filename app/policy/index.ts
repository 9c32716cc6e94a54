export { foldMapped, formatAddress, parseAddress } from './address.ts';
export {
  checkSecret,
  isFoundInside,
  KIND_LIST,
  kindInfo,
  MIN_SECRET_CHARS,
  mintPlaceholder,
  shapeOf,
} from './credential-kind.ts';
export type { KindInfo, SecretShape } from './kind-table.ts';
export { buildGrant } from './grant.ts';
export type { CredentialGrant, GrantFile, GrantScope } from './grant.ts';
export type { GrantPart } from './grant-part.ts';
export { judgeGit, parseGitRule } from './git-rule.ts';
export type { GitAct, GitOperation, GitRule, GitVerdict } from './git-rule.ts';
export { formatGrant, parseGrant } from './grant-text.ts';
export { formatSite } from './injection-site.ts';
export type { InjectionSite } from './injection-site.ts';
export { parseHost } from './host.ts';
export type { CanonicalHost } from './host.ts';
export { formatHostRule, matchesHostRule, overlappingRules, parseHostRule } from './host-rule.ts';
export type { HostRule } from './host-rule.ts';
export { isAddress, judgeAddress } from './judge-address.ts';
export {
  allowsRaw,
  buildNetworkPolicy,
  describeNetworkPolicy,
  findResolve,
  judgeDestination,
  MAX_POLICY_LINES,
  passesThrough,
} from './network.ts';
export type { DestinationVerdict, NamedRule, NetworkPolicy } from './network.ts';
export { canonicalPath } from './path.ts';
export type { CanonicalPath } from './path.ts';
export { matchesPathPattern, MAX_PATH_PATTERN_CHARS, parsePathPattern } from './path-pattern.ts';
export type { PathPattern } from './path-pattern.ts';
export {
  exchangeHost,
  GOOGLE_TOKEN_URI,
  parseAwsSecret,
  parseOauthSecret,
  parseServiceAccount,
  secretParts,
  withRefreshToken,
} from './secret-form.ts';
export type { AwsSecret, OauthSecret, SecretPart, ServiceAccountSecret } from './secret-form.ts';
export type { SandboxLimits, SandboxMount, SandboxUser } from './plan.ts';
export { ASSISTANT_PRESETS, REGISTRY_HOSTS } from './presets.ts';
export type { AssistantPreset } from './presets.ts';
export { parseDuration, parseSize } from './quantity.ts';
export { parseResolve, parseResolver } from './resolve.ts';
export type { ResolveRule } from './resolve.ts';
export { parsePolicyFile, policyFileSchema } from './policy-file.ts';
export type { PolicyFile } from './policy-file.ts';
