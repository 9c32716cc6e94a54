export type { CredentialGrant, InjectionSite } from './grant.ts';
export type { CanonicalHost, HostRule } from './host-rule.ts';
export type { NamedRule, NetworkPolicy, ResolveRule } from './network.ts';
export type { SandboxLimits, SandboxMount, SandboxUser } from './plan.ts';
