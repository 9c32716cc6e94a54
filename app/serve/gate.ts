import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 32;
/** Browsers that may be in at once; a further one puts the oldest out. */
export const MAX_BROWSERS = 8;
/** How long a printed link may wait to be opened. */
export const LINK_LIFETIME_MS = 15 * 60_000;

const mint = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** Compares in a time that does not depend on where the two differ, nor on their lengths. */
const same = (a: string, b: string): boolean =>
  timingSafeEqual(
    createHash('sha256').update(a, 'utf8').digest(),
    createHash('sha256').update(b, 'utf8').digest(),
  );

/** Who may come in: whoever brings the current link's token, once, and then the cookie that it was exchanged for. */
export type Gate = {
  /** A fresh token; the one before it is void from now on. */
  readonly renew: () => string;
  /** The cookie's value for the right token, which is spent by it; undefined otherwise. */
  readonly redeem: (token: string) => string | undefined;
  readonly knows: (cookie: string) => boolean;
};

export const createGate = (deps: { readonly now: () => number }): Gate => {
  let link: { readonly token: string; readonly until: number } | undefined;
  let cookies: readonly string[] = [];
  return {
    renew: () => {
      const token = mint();
      link = { token, until: deps.now() + LINK_LIFETIME_MS };
      return token;
    },
    redeem: (token) => {
      if (link === undefined || deps.now() > link.until || !same(token, link.token)) {
        return undefined;
      }
      link = undefined;
      const cookie = mint();
      cookies = [...cookies, cookie].slice(-MAX_BROWSERS);
      return cookie;
    },
    // No early return: each known value is compared.
    knows: (cookie) => cookies.map((known) => same(cookie, known)).includes(true),
  };
};
