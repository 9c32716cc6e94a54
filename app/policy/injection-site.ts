import { assertNever } from '../kit/index.ts';

/** Where in a request a credential may be put. Declared by its kind; nothing else is ever tried. */
export type InjectionSite =
  | { readonly type: 'header'; readonly name: string }
  /** `Authorization: Bearer …` (and GitHub's `token …`). */
  | { readonly type: 'authorization' }
  /** `Authorization: Basic …`: decoded, swapped in user or password, encoded. */
  | { readonly type: 'basic' }
  /** The whole value of this query parameter. */
  | { readonly type: 'query'; readonly name: string }
  /** One whole path segment, behind a literal prefix that may be empty (`bot` for `/bot<token>/…`). */
  | { readonly type: 'path'; readonly prefix: string }
  /** A string in a JSON body, by its pointer (RFC 6901). */
  | { readonly type: 'json'; readonly pointer: string }
  /** A field of an `application/x-www-form-urlencoded` body. */
  | { readonly type: 'form'; readonly name: string }
  /** Requests signed with an AWS key pair: signed anew by the broker. */
  | { readonly type: 'aws-sigv4' }
  /** OAuth 2.0 refresh (RFC 6749 6): the exchange is the broker's. */
  | { readonly type: 'oauth-refresh' }
  /** A service account's signed assertion (RFC 7523): the exchange is the broker's. */
  | { readonly type: 'google-service-account' }
  /** A PostgreSQL password: the broker logs in. */
  | { readonly type: 'postgres' };

/** A site in words, as kinds and grants name it: `bearer`, `header:x-api-key`, `json:/auth/token`. */
export const formatSite = (site: InjectionSite): string => {
  switch (site.type) {
    case 'header':
      return `header:${site.name}`;
    case 'authorization':
      return 'bearer';
    case 'query':
    case 'form':
      return `${site.type}:${site.name}`;
    case 'json':
      return `json:${site.pointer}`;
    case 'path':
      return site.prefix === '' ? 'path' : `path:${site.prefix}`;
    case 'basic':
    case 'aws-sigv4':
    case 'oauth-refresh':
    case 'google-service-account':
    case 'postgres':
      return site.type;
    default:
      return assertNever(site, 'naming a site');
  }
};
