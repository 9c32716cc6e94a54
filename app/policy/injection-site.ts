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
