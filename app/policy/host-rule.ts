import type { Brand } from '../kit/index.ts';

/**
 * A host in its one canonical form: lower case, IDNA to ASCII, no trailing dot, no control characters;
 * addresses in their standard spelling (odd IPv4 forms and IPv4-mapped IPv6 folded to dotted IPv4). Minted by `parseHost` only.
 */
export type CanonicalHost = Brand<string, 'CanonicalHost'>;

/** One host pattern with an optional port; without a port, 443 and 80. */
export type HostRule = {
  readonly type: 'exact' | 'suffix';
  /** For `suffix`, the part behind `*.`; it never matches the bare suffix itself. */
  readonly host: CanonicalHost;
  readonly port: number | undefined;
};
