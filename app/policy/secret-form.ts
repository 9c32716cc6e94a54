import { z } from 'zod';
import { MAX_SECRET_CHARS } from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';

/** Most characters of one field of a secret that has several. */
export const MAX_SECRET_FIELD_CHARS = 16_384;

/** An AWS key pair; with a session token where it is a temporary one. */
export type AwsSecret = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
};

/** What a refresh token is exchanged with (RFC 6749 6). */
export type OauthSecret = {
  readonly tokenUri: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly refreshToken: string;
  /** All fields as they were given: Google's clients read a file of this form. */
  readonly fields: Readonly<Record<string, unknown>>;
};

/** A Google service account's key (its downloaded JSON file). */
export type ServiceAccountSecret = {
  readonly clientEmail: string;
  readonly privateKeyId: string;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  readonly tokenUri: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** Where Google's tokens are exchanged, when the file does not say. */
export const GOOGLE_TOKEN_URI = 'https://oauth2.googleapis.com/token';

const Field = z.string().min(1).max(MAX_SECRET_FIELD_CHARS);
const AccessKeyId = Field.regex(/^A[A-Z0-9]{15,127}$/);
const SecretAccessKey = Field.regex(/^[A-Za-z0-9/+=]{16,256}$/);
const SessionToken = Field.regex(/^[\x21-\x7e]{16,}$/);
const Https = Field.refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:');

const AwsJson = z.object({
  AccessKeyId,
  SecretAccessKey,
  SessionToken: SessionToken.optional(),
});
const OauthJson = z.looseObject({
  token_uri: Https.optional(),
  client_id: Field.regex(/^[\x21-\x7e]+$/),
  client_secret: Field.min(8)
    .regex(/^[\x21-\x7e]+$/)
    .optional(),
  refresh_token: Field.min(8).regex(/^[\x21-\x7e]+$/),
});
const ServiceAccountJson = z.looseObject({
  type: z.literal('service_account'),
  client_email: Field.regex(/^[^\s@]+@[^\s@]+$/),
  private_key_id: Field.regex(/^[\x21-\x7e]+$/),
  private_key: Field.regex(
    /^-----BEGIN PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PRIVATE KEY-----\s*$/,
  ),
  token_uri: Https.optional(),
});

const bad = (why: string, hint: string): Result<never> =>
  fail('credential.bad-value', `The secret ${why}.`, hint);

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's words could repeat a part of the secret.
    return undefined;
  }
};

const AWS_HINT =
  'Give ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN], or the JSON of aws configure export-credentials.';

/** Reads an AWS key pair. `credential.bad-value` never repeats any of it. */
export const parseAwsSecret = (text: string): Result<AwsSecret> => {
  const [accessKeyId, secretAccessKey, ...rest] = text.split(':');
  const given = text.trimStart().startsWith('{')
    ? readJson(text)
    : {
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        ...(rest.length === 0 ? {} : { SessionToken: rest.join(':') }),
      };
  const parsed = AwsJson.safeParse(given);
  if (!parsed.success) return bad('is not an AWS key pair', AWS_HINT);
  return ok({
    accessKeyId: parsed.data.AccessKeyId,
    secretAccessKey: parsed.data.SecretAccessKey,
    sessionToken: parsed.data.SessionToken,
  });
};

/** Reads what a refresh token is exchanged with; Google's `authorized_user` file is of this form. */
export const parseOauthSecret = (text: string): Result<OauthSecret> => {
  const parsed = OauthJson.safeParse(readJson(text));
  if (!parsed.success || (parsed.data.token_uri ?? parsed.data['type']) === undefined) {
    return bad(
      'is not a refresh token with its client',
      'Give JSON with token_uri (https), client_id, refresh_token, and client_secret where there is one.',
    );
  }
  const { token_uri, client_id, client_secret, refresh_token } = parsed.data;
  return ok({
    tokenUri: token_uri ?? GOOGLE_TOKEN_URI,
    clientId: client_id,
    clientSecret: client_secret,
    refreshToken: refresh_token,
    fields: parsed.data,
  });
};

/** The same stored secret with the refresh token that its server has put in place of the old one. */
export const withRefreshToken = (text: string, refreshToken: string): Result<string> => {
  const client = parseOauthSecret(text);
  if (!client.ok) return client;
  const renewed = JSON.stringify({ ...client.value.fields, refresh_token: refreshToken });
  const checked = parseOauthSecret(renewed);
  return checked.ok ? ok(renewed) : checked;
};

/** Reads a service account's key file. */
export const parseServiceAccount = (text: string): Result<ServiceAccountSecret> => {
  const parsed = ServiceAccountJson.safeParse(readJson(text));
  if (!parsed.success) {
    return bad(
      'is not a service account’s key',
      'Give the JSON file that Google’s console gives for a key.',
    );
  }
  const { client_email, private_key_id, private_key, token_uri } = parsed.data;
  return ok({
    clientEmail: client_email,
    privateKeyId: private_key_id,
    privateKey: private_key,
    tokenUri: token_uri ?? GOOGLE_TOKEN_URI,
    fields: parsed.data,
  });
};

/**
 * Where the broker itself takes a credential to be exchanged, as `host[:port]`: the session has to
 * reach it besides the hosts of the grant. Undefined for kinds that are not exchanged.
 */
export const exchangeHost = (kind: string, secret: string): string | undefined => {
  const parsed =
    kind === 'oauth-refresh'
      ? parseOauthSecret(secret)
      : kind === 'google-service-account'
        ? parseServiceAccount(secret)
        : undefined;
  if (parsed?.ok !== true) return undefined;
  const { hostname, port } = new URL(parsed.value.tokenUri);
  return `${hostname}:${port === '' ? '443' : port}`;
};

/** One secret value, under the name of the grant's part that stands for it. */
export type SecretPart = { readonly name: string; readonly value: string };

const armourless = (pem: string): string => pem.replaceAll(/-----[A-Z ]+-----|\s/g, '');

/**
 * The values in a stored secret that must never be seen inside, each under the name of the part whose
 * placeholder stands for it. A secret that cannot be read as its kind counts as one value, whole.
 */
export const secretParts = (kind: string, secret: string): readonly SecretPart[] => {
  const whole = [{ name: 'value', value: secret }];
  if (secret.length > MAX_SECRET_CHARS) return whole;
  switch (kind) {
    case 'aws': {
      const pair = parseAwsSecret(secret);
      if (!pair.ok) return whole;
      const { accessKeyId, secretAccessKey, sessionToken } = pair.value;
      return [
        { name: 'access-key-id', value: accessKeyId },
        { name: 'secret-access-key', value: secretAccessKey },
        ...(sessionToken === undefined ? [] : [{ name: 'session-token', value: sessionToken }]),
      ];
    }
    case 'oauth-refresh': {
      const client = parseOauthSecret(secret);
      if (!client.ok) return whole;
      const { refreshToken, clientSecret } = client.value;
      return [
        { name: 'refresh-token', value: refreshToken },
        ...(clientSecret === undefined ? [] : [{ name: 'client-secret', value: clientSecret }]),
      ];
    }
    case 'google-service-account': {
      const account = parseServiceAccount(secret);
      if (!account.ok) return whole;
      const { privateKey } = account.value;
      // An echo may come with or without the armour and its line breaks.
      return [privateKey, armourless(privateKey)].map((value) => ({
        name: 'private-key-id',
        value,
      }));
    }
    default:
      return whole;
  }
};
