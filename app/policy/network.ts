import type { HostRule } from './host-rule.ts';

/** A rule with the words that the timeline and the window show for it. */
export type NamedRule = { readonly rule: HostRule; readonly words: string };

/** `HOST:PORT:ADDRESS[:PORT]`: this destination leads to that address, even a private one, and only this destination. */
export type ResolveRule = {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly addressPort: number;
};

/** What this session may reach. Deny wins; order never matters. */
export type NetworkPolicy = {
  readonly default: 'deny' | 'allow';
  readonly allow: readonly NamedRule[];
  readonly deny: readonly NamedRule[];
  readonly resolve: readonly ResolveRule[];
  readonly dns: { readonly address: string; readonly port: number } | undefined;
};
