import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { same, type Broken } from '../promises.ts';
import type { Account } from './held.ts';

export type Claims = Readonly<Record<string, string | number>>;

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A JSON Web Token as Google's client libraries sign one. */
export const signJwt = (privateKey: string, keyId: string, claims: Claims): string => {
  const input = `${encode({ alg: 'RS256', typ: 'JWT', kid: keyId })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(input), createPrivateKey(privateKey));
  return `${input}.${signature.toString('base64url')}`;
};

/** A token of some issuer that nobody here could verify: as long as real ones are, and mostly alike. */
export const foreignJwt = (unique: string): string => {
  const claims = {
    iss: 'https://identity.example.test/tenants/0123456789abcdef0123456789abcdef/v2.0',
    aud: ['https://api.test/', 'https://pub.google.test/', 'https://graph.example.test/'],
    scope: 'openid profile email offline_access files.read files.write mail.read mail.send',
    sub: 'user-0123456789abcdef0123456789abcdef',
    jti: unique,
  };
  const head = encode({ alg: 'RS256', typ: 'JWT', kid: 'issuer-key-0123456789abcdef' });
  const signature = Buffer.from(`signature of ${unique} `.repeat(8)).toString('base64url');
  return `${head}.${encode(claims)}.${signature}`;
};

/** A key that opens nothing. */
export const createKey = (): string =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;

/** What is wrong with an assertion that should be the real account's, making these claims. */
export const assertionWrong = (
  what: string,
  { publicKey, keyId }: Account,
  jwt: string,
  claims: Claims,
): readonly Broken[] => {
  const [head = '', body = '', signature = ''] = jwt.split('.');
  const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  const real = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    createPublicKey(publicKey),
    Buffer.from(signature, 'base64url'),
  );
  if (!real) return [`${what} is not signed with the real key`];
  const sorted = (value: unknown): string =>
    JSON.stringify(Object.entries(value as Claims).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return [
    ...same(`${what}: claims`, sorted(decode(body)), sorted(claims)),
    ...same(
      `${what}: head`,
      sorted(decode(head)),
      sorted({ alg: 'RS256', typ: 'JWT', kid: keyId }),
    ),
  ];
};
