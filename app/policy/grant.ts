import type { HostRule } from './host-rule.ts';

/** Where in a request a credential may be put. Declared by its kind; nothing else is ever tried. */
export type InjectionSite =
  | { readonly type: 'header'; readonly name: string }
  /** `Authorization: Bearer …` (and GitHub's `token …`). */
  | { readonly type: 'authorization' }
  /** `Authorization: Basic …`: decoded, swapped in user or password, encoded. */
  | { readonly type: 'basic' };

/** Permission to use one credential in this session. The placeholder is what the sandbox holds. */
export type CredentialGrant = {
  readonly credential: string;
  readonly kind: string;
  readonly hosts: readonly HostRule[];
  readonly sites: readonly InjectionSite[];
  readonly placeholder: string;
  /** Variables inside the sandbox that hold the placeholder. */
  readonly env: readonly string[];
};
