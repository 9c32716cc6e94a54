import { assertNever } from '../../kit/index.ts';
import type { CanonicalHost, CredentialGrant, InjectionSite } from '../../policy/index.ts';
import { grantCovers, grantsIn } from './trip.ts';

/** A request's header section as pairs of name and value, in order, as sent. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** A credential as the broker process holds it. */
export type HeldCredential = { readonly grant: CredentialGrant; readonly secret: string };

export type Destination = {
  readonly host: CanonicalHost;
  readonly port: number;
  readonly tls: boolean;
};

export type Injection =
  | {
      readonly type: 'ready';
      readonly headers: HeaderPairs;
      /** The credentials that were put in. */
      readonly used: readonly CredentialGrant[];
    }
  | {
      readonly type: 'tripped';
      readonly code: 'grant.wrong-host' | 'grant.wrong-place' | 'grant.cleartext';
      readonly grant: CredentialGrant;
      readonly where: string;
    };

const BEARER = /^(bearer|token)( +)(\S+)$/i;
const BASIC = /^(basic)( +)([a-z0-9+/]+={0,2})$/i;

const swapBasic = (value: string, placeholder: string, secret: string): string | undefined => {
  const match = BASIC.exec(value);
  const [, scheme, space, encoded] = match ?? [];
  if (scheme === undefined || space === undefined || encoded === undefined) return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) return undefined;
  const user = decoded.slice(0, colon);
  const password = decoded.slice(colon + 1);
  // Both parts at once would be one credential in two places; no client does that.
  if ((user === placeholder) === (password === placeholder)) return undefined;
  const swapped = user === placeholder ? `${secret}:${password}` : `${user}:${secret}`;
  return `${scheme}${space}${Buffer.from(swapped).toString('base64')}`;
};

const swapAt = (
  site: InjectionSite,
  name: string,
  value: string,
  { grant: { placeholder }, secret }: HeldCredential,
): string | undefined => {
  switch (site.type) {
    case 'header': {
      if (name !== site.name.toLowerCase()) return undefined;
      const at = value.indexOf(placeholder);
      if (at < 0 || value.includes(placeholder, at + 1)) return undefined;
      return `${value.slice(0, at)}${secret}${value.slice(at + placeholder.length)}`;
    }
    case 'authorization': {
      const [, scheme, space, token] = BEARER.exec(value) ?? [];
      if (name !== 'authorization' || token !== placeholder) return undefined;
      return `${String(scheme)}${String(space)}${secret}`;
    }
    case 'basic':
      return name === 'authorization' ? swapBasic(value, placeholder, secret) : undefined;
    case 'query':
    case 'path':
    case 'json':
    case 'form':
    case 'aws-sigv4':
    case 'oauth-refresh':
    case 'google-service-account':
    case 'postgres':
      return undefined;
    default:
      return assertNever(site, 'swapping a placeholder');
  }
};

/** What a placeholder in the wrong spot means: the wrong host, the wrong place at the right one, or no TLS. */
export const tripCode = (
  grant: CredentialGrant,
  to: Destination,
): 'grant.wrong-host' | 'grant.wrong-place' | 'grant.cleartext' => {
  if (!to.tls)
    return grant.hosts.some((rule) => grantCovers(grant, to.host, rule.port ?? 443))
      ? 'grant.cleartext'
      : 'grant.wrong-host';
  return grantCovers(grant, to.host, to.port) ? 'grant.wrong-place' : 'grant.wrong-host';
};

/** Says what a placeholder in some text of a request means; undefined where there is none. */
export const tripIn = (
  credentials: readonly HeldCredential[],
  to: Destination,
  text: string,
  where: string,
): Injection | undefined => {
  const [grant] = grantsIn(
    credentials.map((held) => held.grant),
    text,
  );
  return grant === undefined
    ? undefined
    : { type: 'tripped', code: tripCode(grant, to), grant, where };
};

/**
 * Puts real values in place of placeholders: only in the sites of the grant's kind, once each, only
 * over TLS, only at a host and port of the grant. A placeholder anywhere else trips.
 */
export const injectHead = (
  credentials: readonly HeldCredential[],
  to: Destination,
  target: string,
  headers: HeaderPairs,
): Injection => {
  const inTarget = tripIn(credentials, to, target, 'the path or query');
  if (inTarget !== undefined) return inTarget;
  const used: CredentialGrant[] = [];
  const result: (readonly [string, string])[] = [];
  for (const [rawName, value] of headers) {
    const name = rawName.toLowerCase();
    const inName = tripIn(credentials, to, rawName, 'a header name');
    if (inName !== undefined) return inName;
    const present = grantsIn(
      credentials.map((held) => held.grant),
      value,
    );
    let swapped = value;
    for (const grant of present) {
      const trip = (code = tripCode(grant, to)): Injection => ({
        type: 'tripped',
        code,
        grant,
        where: `the header ${name}`,
      });
      const held = credentials.find((other) => other.grant === grant);
      if (held === undefined || !to.tls || !grantCovers(grant, to.host, to.port)) return trip();
      const next = grant.sites
        .map((site) => swapAt(site, name, swapped, held))
        .find((text) => text !== undefined);
      // A second header with the same credential is never needed, and servers read such pairs differently.
      if (next === undefined || used.includes(grant)) return trip('grant.wrong-place');
      swapped = next;
      used.push(grant);
    }
    result.push([rawName, swapped]);
  }
  return { type: 'ready', headers: result, used };
};
