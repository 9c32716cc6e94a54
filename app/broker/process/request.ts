import type { CanonicalHost, CredentialGrant } from '../../policy/index.ts';

/** A request's header section as pairs of name and value, in order, as sent. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** A credential as the broker process holds it. */
export type HeldCredential = { readonly grant: CredentialGrant; readonly secret: string };

export type Destination = {
  readonly host: CanonicalHost;
  readonly port: number;
  readonly tls: boolean;
};
