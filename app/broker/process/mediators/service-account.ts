import { createPrivateKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { err, failure, ok, type Clock, type Result } from '../../../kit/index.ts';
import {
  parseServiceAccount,
  type CredentialGrant,
  type ServiceAccountSecret,
} from '../../../policy/index.ts';
import type { HeldCredential } from '../inject.ts';
import type { Refusal } from '../refuse.ts';
import { publicKeyOf, signRs256, verifiesRs256, writeJwt, type Jwt } from './jwt.ts';

/** Longest life of an assertion, in seconds: Google's own limit. */
export const MAX_ASSERTION_SECONDS = 3600;
/** How far clocks may differ, in seconds. */
export const ASSERTION_SKEW_SECONDS = 300;

/** A service account whose assertions are made anew here, with the sandbox's own key. */
export type ServiceAccount = {
  readonly grant: CredentialGrant;
  readonly secret: ServiceAccountSecret;
  readonly realKey: KeyObject;
  /** The public half of the key that was made for the sandbox. */
  readonly sandboxKey: KeyObject;
};

const KeyFile = z.object({ private_key: z.string() });

/** The service account of a held credential; undefined where it is of another kind, or its files are not there. */
export const serviceAccountOf = ({ grant, secret }: HeldCredential): ServiceAccount | undefined => {
  if (grant.kind !== 'google-service-account') return undefined;
  const parsed = parseServiceAccount(secret);
  const [file] = grant.files;
  if (!parsed.ok || file === undefined) return undefined;
  try {
    const sandboxKey = publicKeyOf(KeyFile.parse(JSON.parse(file.content)).private_key);
    const realKey = createPrivateKey(parsed.value.privateKey);
    return sandboxKey.ok
      ? { grant, secret: parsed.value, realKey, sandboxKey: sandboxKey.value }
      : undefined;
  } catch {
    // A key that cannot be read signs nothing: what names the account is then refused upstream.
    return undefined;
  }
};

const Claims = z.strictObject({
  iss: z.string(),
  /** Acting for a person needs another `sub`; that is not exchanged. */
  sub: z.string().optional(),
  aud: z.string().optional(),
  scope: z.string().optional(),
  target_audience: z.string().optional(),
  iat: z.number(),
  exp: z.number(),
});
type Claims = z.infer<typeof Claims>;

const refuse = (grant: CredentialGrant, why: string): Result<never, Refusal> =>
  err(
    failure(
      'oauth.bad-assertion',
      `The assertion for ${grant.credential} ${why}.`,
      'Sign with the key file that GOOGLE_APPLICATION_CREDENTIALS names inside.',
    ),
  );

/**
 * Checks an assertion that the sandbox's key signed and makes it anew with the real one: the same
 * claims, those that are known and no others, for an hour at most.
 */
export const reissue = (
  { grant, secret, realKey, sandboxKey }: ServiceAccount,
  jwt: Jwt,
  clock: Clock,
  audience: (claims: Claims) => boolean,
): Result<string, Refusal> => {
  if (!verifiesRs256(jwt, sandboxKey)) return refuse(grant, 'is not signed with the sandbox’s key');
  const parsed = Claims.safeParse(jwt.claims);
  if (!parsed.success) return refuse(grant, 'makes claims that are not exchanged');
  const claims = parsed.data;
  if (claims.iss !== secret.clientEmail || (claims.sub ?? claims.iss) !== secret.clientEmail)
    return refuse(grant, 'speaks for another account');
  const now = clock.now() / 1000;
  if (
    claims.iat > now + ASSERTION_SKEW_SECONDS ||
    claims.exp < now - ASSERTION_SKEW_SECONDS ||
    claims.exp <= claims.iat ||
    claims.exp - claims.iat > MAX_ASSERTION_SECONDS
  )
    return refuse(grant, 'is not for this hour');
  if (!audience(claims)) return refuse(grant, 'is for another service than it was sent to');
  const header = { alg: 'RS256', typ: 'JWT', kid: secret.privateKeyId };
  return ok(writeJwt(header, claims, signRs256(realKey)));
};
