import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { fail, ok, parseJsonObject, type JsonObject, type Result } from '../../../kit/index.ts';

/** Longest JSON Web Token that is read, in characters. */
export const MAX_JWT_CHARS = 16_384;

/** A JSON Web Token in its compact form (RFC 7519, RFC 7515 3.1), read but not verified. */
export type Jwt = {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** What the signature is over. */
  readonly signingInput: string;
  readonly signature: Buffer;
};

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

const readPart = (part: string): JsonObject | undefined => {
  try {
    const bytes = Buffer.from(part, 'base64url');
    return parseJsonObject(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // No UTF-8: no token.
    return undefined;
  }
};

/** Reads a compact JSON Web Token; undefined where the text is none. Verifies nothing. */
export const readJwt = (text: string): Jwt | undefined => {
  if (text.length > MAX_JWT_CHARS) return undefined;
  const [, head, body, signature] = COMPACT.exec(text) ?? [];
  if (head === undefined || body === undefined || signature === undefined) return undefined;
  const header = readPart(head);
  const claims = readPart(body);
  if (header === undefined || claims === undefined || typeof header['alg'] !== 'string')
    return undefined;
  return {
    header,
    claims,
    signingInput: `${head}.${body}`,
    signature: Buffer.from(signature, 'base64url'),
  };
};

const encode = (part: JsonObject): string =>
  Buffer.from(JSON.stringify(part)).toString('base64url');

/** Writes a token in its compact form; `signer` gets what the signature is over. */
export const writeJwt = (
  header: JsonObject,
  claims: JsonObject,
  signer: (signingInput: string) => Buffer,
): string => {
  const signingInput = `${encode(header)}.${encode(claims)}`;
  return `${signingInput}.${signer(signingInput).toString('base64url')}`;
};

/** Signs with RS256 (RFC 7518 3.3). */
export const signRs256 =
  (privateKey: KeyObject): ((signingInput: string) => Buffer) =>
  (signingInput) =>
    sign('sha256', Buffer.from(signingInput), privateKey);

/** Whether the token is signed with RS256 by this key; no other algorithm is taken, whatever its header says. */
export const verifiesRs256 = (jwt: Jwt, publicKey: KeyObject): boolean =>
  jwt.header['alg'] === 'RS256' &&
  verify('sha256', Buffer.from(jwt.signingInput), publicKey, jwt.signature);

/** The public half of a private RSA key in PEM; `credential.bad-value` where it is none. */
export const publicKeyOf = (privateKeyPem: string): Result<KeyObject> => {
  try {
    const key = createPublicKey(privateKeyPem);
    if (key.asymmetricKeyType === 'rsa') return ok(key);
  } catch {
    // OpenSSL's words add nothing, and the text is a key.
  }
  return fail('credential.bad-value', 'The key file holds no RSA key.');
};
