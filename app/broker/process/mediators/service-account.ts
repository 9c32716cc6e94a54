import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  err,
  failure,
  numberSchema,
  objectSchema,
  ok,
  optionalSchema,
  parseJsonObject,
  readWith,
  textSchema,
  type Clock,
  type Result,
} from '../../../kit/index.ts';
import { parseServiceAccount } from '../../../policy/enforce.ts';
import type { CredentialGrant, ServiceAccountSecret } from '../../../policy/index.ts';
import type { HeldCredential } from '../inject.ts';
import type { Refusal } from '../refuse.ts';
import { MAX_JWT_CHARS, publicKeyOf, signRs256, verifiesRs256, writeJwt, type Jwt } from './jwt.ts';

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

/** The service account of a held credential; undefined where it is of another kind, or its files are not there. */
export const serviceAccountOf = ({ grant, secret }: HeldCredential): ServiceAccount | undefined => {
  if (grant.kind !== 'google-service-account') return undefined;
  const parsed = parseServiceAccount(secret);
  const [file] = grant.files;
  if (!parsed.ok || file === undefined) return undefined;
  try {
    const pem = parseJsonObject(file.content)?.['private_key'];
    if (typeof pem !== 'string') return undefined;
    const sandboxKey = publicKeyOf(pem);
    const realKey = createPrivateKey(parsed.value.privateKey);
    return sandboxKey.ok
      ? { grant, secret: parsed.value, realKey, sandboxKey: sandboxKey.value }
      : undefined;
  } catch {
    // A key that cannot be read signs nothing: what names the account is then refused upstream.
    return undefined;
  }
};

type Claims = {
  readonly iss: string;
  /** Acting for a person needs another `sub`; that is not exchanged. */
  readonly sub?: string | undefined;
  readonly aud?: string | undefined;
  readonly scope?: string | undefined;
  readonly target_audience?: string | undefined;
  readonly iat: number;
  readonly exp: number;
};
const claimText = textSchema({ max: MAX_JWT_CHARS });
const claimsSchema = objectSchema<Claims>({
  iss: claimText,
  sub: optionalSchema(claimText),
  aud: optionalSchema(claimText),
  scope: optionalSchema(claimText),
  target_audience: optionalSchema(claimText),
  iat: numberSchema,
  exp: numberSchema,
});

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
  const claims = readWith(claimsSchema, jwt.claims);
  if (claims === undefined) return refuse(grant, 'makes claims that are not exchanged');
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
