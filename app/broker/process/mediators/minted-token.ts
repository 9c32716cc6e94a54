import { randomBytes } from 'node:crypto';
import { ok, type Clock, type Result } from '../../../kit/index.ts';
import type { CredentialGrant } from '../../../policy/index.ts';
import type { CredentialBook } from '../credential-book.ts';
import type { Refusal } from '../refuse.ts';
import { readJwt, writeJwt } from './jwt.ts';

/** Shortest placeholder of a token, in characters: enough that it cannot be guessed. */
export const MIN_TOKEN_CHARS = 32;
/** Most tokens of one session that are remembered; beyond it the oldest is forgotten. */
export const MAX_MINTED_TOKENS = 128;
/** How long a token is remembered whose answer names no end, in milliseconds. */
export const DEFAULT_TOKEN_MS = 12 * 60 * 60 * 1000;
/** How long a token is still known after its end, in milliseconds: clocks differ, and answers are under way. */
export const TOKEN_GRACE_MS = 5 * 60 * 1000;

/** Length of an id that stands for one that is no text, in characters. */
const TOKEN_ID_CHARS = 22;

/** Well-known beginnings of tokens by which clients tell one sort from another. */
const PREFIXES = [
  'ya29.',
  '1//',
  'gho_',
  'ghu_',
  'ghr_',
  'sk-ant-oat01-',
  'sk-ant-ort01-',
  'glpat-',
];

const randomChars = (count: number): string =>
  randomBytes(Math.ceil((count * 3) / 4))
    .toString('base64url')
    .slice(0, count);

/**
 * A placeholder that looks like this token: a JSON Web Token keeps its claims, so that programs that
 * read them go on, under a signature that nobody made; any other keeps its length and known prefix.
 */
export const mintLike = (token: string): string => {
  const jwt = readJwt(token);
  if (jwt !== undefined) {
    const { jti } = jwt.claims;
    // Some servers take the id alone for the token. As long as it was, so that all else keeps its place.
    const id = randomChars(typeof jti === 'string' ? jti.length : TOKEN_ID_CHARS);
    const claims = jti === undefined ? jwt.claims : { ...jwt.claims, jti: id };
    return writeJwt(jwt.header, claims, () =>
      randomBytes(Math.max(jwt.signature.length, MIN_TOKEN_CHARS)),
    );
  }
  const prefix = PREFIXES.find((text) => token.startsWith(text)) ?? '';
  return prefix + randomChars(Math.max(token.length, MIN_TOKEN_CHARS) - prefix.length);
};

/** Puts tokens that came back into the book, limited to their grant's hosts, and gives their placeholders. */
export type TokenMint = (
  grant: CredentialGrant,
  token: string,
  lifetimeMs: number | undefined,
) => Result<string, Refusal>;

type Minted = {
  readonly token: string;
  readonly grant: CredentialGrant;
  readonly until: number;
};

export const createTokenMint = (book: CredentialBook, clock: Clock): TokenMint => {
  let minted: readonly Minted[] = [];

  return (parent, token, lifetimeMs) => {
    const now = clock.monotonic();
    const known = minted.find(
      (entry) => entry.token === token && entry.grant.credential === parent.credential,
    );
    if (known !== undefined) return ok(known.grant.placeholder);
    const placeholder = mintLike(token);
    const grant: CredentialGrant = {
      ...parent,
      kind: 'bearer',
      sites: [{ type: 'authorization' }],
      placeholder,
      env: [],
      parts: [{ name: 'value', placeholder, env: [] }],
      files: [],
    };
    const full = minted.length >= MAX_MINTED_TOKENS;
    const old = minted.find(({ until }) => until < now) ?? (full ? minted[0] : undefined);
    if (old === undefined) {
      const added = book.add({ grant, secret: token });
      if (!added.ok) return added;
    } else {
      book.replace(old.grant, { grant, secret: token });
    }
    const until = now + (lifetimeMs ?? DEFAULT_TOKEN_MS) + TOKEN_GRACE_MS;
    minted = [...minted.filter((entry) => entry !== old), { token, grant, until }];
    return ok(placeholder);
  };
};
