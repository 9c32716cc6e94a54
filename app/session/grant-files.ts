import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '../kit/index.ts';
import {
  parseOauthSecret,
  parseServiceAccount,
  type CredentialGrant,
  type GrantFile,
} from '../policy/index.ts';

/** Where Google's client libraries look for the path of a credential file. */
const GOOGLE_VARIABLE = 'GOOGLE_APPLICATION_CREDENTIALS';
/** As long as Google's own keys: a client that checks the length finds nothing odd. */
const KEY_BITS = 2048;

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const placeholderOf = (grant: CredentialGrant, part: string): string =>
  grant.parts.find(({ name }) => name === part)?.placeholder ?? grant.placeholder;

/** A key that signs like a real one and opens nothing: the broker signs anew with the real one. */
const mintKey = async (): Promise<string> => {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
};

/**
 * The credential files that clients need inside, in the form that the stored secret has. What is no
 * secret in it (names, addresses of services) stays; every secret is a placeholder.
 */
export const grantFiles = async (
  grant: CredentialGrant,
  secret: Secret,
): Promise<readonly GrantFile[]> => {
  const name = `${grant.credential}.json`;
  if (grant.kind === 'google-service-account') {
    const account = parseServiceAccount(secret.expose());
    if (!account.ok) return [];
    // Only what such a file is known to hold: whatever else the stored one has stays outside.
    const { project_id, client_email, client_id, auth_uri, token_uri, universe_domain } =
      account.value.fields;
    const content = json({
      type: 'service_account',
      project_id,
      private_key_id: grant.placeholder,
      private_key: await mintKey(),
      client_email,
      client_id,
      auth_uri,
      token_uri: token_uri ?? account.value.tokenUri,
      universe_domain,
    });
    return [{ name, content, env: [GOOGLE_VARIABLE] }];
  }
  if (grant.kind === 'oauth-refresh') {
    const client = parseOauthSecret(secret.expose());
    if (!client.ok) return [];
    const { clientId, clientSecret, tokenUri, fields } = client.value;
    const forGoogle = fields['type'] === 'authorized_user';
    const content = json({
      ...(forGoogle ? { type: 'authorized_user' } : {}),
      token_uri: tokenUri,
      client_id: clientId,
      ...(clientSecret === undefined
        ? {}
        : { client_secret: placeholderOf(grant, 'client-secret') }),
      refresh_token: placeholderOf(grant, 'refresh-token'),
    });
    return [{ name, content, env: forGoogle ? [GOOGLE_VARIABLE] : [] }];
  }
  return [];
};
