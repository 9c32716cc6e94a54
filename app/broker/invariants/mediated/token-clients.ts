import { signJwt, type Claims } from './assertions.ts';
import { CLIENT_ID, CREDENTIAL, TOKEN_TARGETS, type PlaceKey } from './held.ts';
import type { TokenClient } from './token-plan.ts';
import type { MediatedWorld } from './world.ts';

type Client = {
  readonly credential: number;
  readonly place: PlaceKey;
  readonly target: string;
  /** Where its tokens are good. */
  readonly good: PlaceKey;
};
export const CLIENTS: Readonly<Record<TokenClient, Client>> = {
  refresh: {
    credential: CREDENTIAL.refresh,
    place: 'auth',
    target: TOKEN_TARGETS[0],
    good: 'api',
  },
  confidential: {
    credential: CREDENTIAL.confidential,
    place: 'auth',
    target: TOKEN_TARGETS[1],
    good: 'api',
  },
  account: {
    credential: CREDENTIAL.account,
    place: 'accounts',
    target: TOKEN_TARGETS[2],
    good: 'pub',
  },
};

/** How long a token is good, in seconds. */
export const HOUR = 3600;

/** What an assertion says, and the key that signs it. */
export const assertionOf = (
  world: MediatedWorld,
  audience: string,
  wrong: string,
): { readonly jwt: string; readonly claims: Claims } => {
  const now = Math.floor(Date.now() / 1000);
  const claims: Claims = {
    iss: wrong === 'issuer' ? 'other@project.iam.gserviceaccount.com' : world.account.email,
    aud: wrong === 'audience' ? 'https://elsewhere.test/' : audience,
    iat: now,
    exp: now + (wrong === 'lifetime' ? 2 * HOUR : HOUR),
    scope: 'https://www.googleapis.com/auth/pubsub',
  };
  const placeholder = world.rig.grants[CREDENTIAL.account]?.placeholder ?? '';
  return {
    jwt: signJwt(wrong === 'key' ? world.strangerKey : world.sandboxKey, placeholder, claims),
    claims,
  };
};

export const basicOf = (password: string): string =>
  `Basic ${Buffer.from(`${CLIENT_ID}:${password}`).toString('base64')}`;
