import { MAX_SECRET_CHARS } from '../contract/bounds.ts';
import {
  choiceSchema,
  fail,
  looseObjectSchema,
  ok,
  optionalSchema,
  parsedSchema,
  parseJsonObject,
  readWith,
  textSchema,
  type Result,
  type Schema,
} from '../kit/index.ts';

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

const field = (pattern: RegExp, min = 1): Schema<string> =>
  textSchema({ min, max: MAX_SECRET_FIELD_CHARS, pattern });
const printable = (min: number): Schema<string> => field(/^[\x21-\x7e]+$/, min);
const httpsAddress = optionalSchema(
  parsedSchema(textSchema({ min: 1, max: MAX_SECRET_FIELD_CHARS }), 'an https address', (text) =>
    URL.canParse(text) && new URL(text).protocol === 'https:' ? text : undefined,
  ),
);

const awsFields = looseObjectSchema<{
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken?: string | undefined;
}>({
  AccessKeyId: field(/^A[A-Z0-9]{15,127}$/),
  SecretAccessKey: field(/^[A-Za-z0-9/+=]{16,256}$/),
  SessionToken: optionalSchema(field(/^[\x21-\x7e]{16,}$/)),
});
const oauthFields = looseObjectSchema<{
  readonly token_uri?: string | undefined;
  readonly client_id: string;
  readonly client_secret?: string | undefined;
  readonly refresh_token: string;
}>({
  token_uri: httpsAddress,
  client_id: printable(1),
  client_secret: optionalSchema(printable(8)),
  refresh_token: printable(8),
});
const serviceAccountFields = looseObjectSchema<{
  readonly type: 'service_account';
  readonly client_email: string;
  readonly private_key_id: string;
  readonly private_key: string;
  readonly token_uri?: string | undefined;
}>({
  type: choiceSchema(['service_account']),
  client_email: field(/^[^\s@]+@[^\s@]+$/),
  private_key_id: printable(1),
  private_key: field(
    /^-----BEGIN PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PRIVATE KEY-----\s*$/,
  ),
  token_uri: httpsAddress,
});

const bad = (why: string, hint: string): Result<never> =>
  fail('credential.bad-value', `The secret ${why}.`, hint);

const AWS_HINT =
  'Give ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN], or the JSON of aws configure export-credentials.';

/** Reads an AWS key pair. `credential.bad-value` never repeats any of it. */
export const parseAwsSecret = (text: string): Result<AwsSecret> => {
  const [accessKeyId, secretAccessKey, ...rest] = text.split(':');
  const given = text.trimStart().startsWith('{')
    ? parseJsonObject(text)
    : {
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        ...(rest.length === 0 ? {} : { SessionToken: rest.join(':') }),
      };
  const fields = readWith(awsFields, given);
  if (fields === undefined) return bad('is not an AWS key pair', AWS_HINT);
  return ok({
    accessKeyId: fields.AccessKeyId,
    secretAccessKey: fields.SecretAccessKey,
    sessionToken: fields.SessionToken,
  });
};

/** Reads what a refresh token is exchanged with; Google's `authorized_user` file is of this form. */
export const parseOauthSecret = (text: string): Result<OauthSecret> => {
  const fields = parseJsonObject(text);
  const read = readWith(oauthFields, fields);
  if (
    fields === undefined ||
    read === undefined ||
    (read.token_uri ?? fields['type']) === undefined
  ) {
    return bad(
      'is not a refresh token with its client',
      'Give JSON with token_uri (https), client_id, refresh_token, and client_secret where there is one.',
    );
  }
  const { token_uri, client_id, client_secret, refresh_token } = read;
  return ok({
    tokenUri: token_uri ?? GOOGLE_TOKEN_URI,
    clientId: client_id,
    clientSecret: client_secret,
    refreshToken: refresh_token,
    fields,
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
  const fields = parseJsonObject(text);
  const read = readWith(serviceAccountFields, fields);
  if (fields === undefined || read === undefined) {
    return bad(
      'is not a service account’s key',
      'Give the JSON file that Google’s console gives for a key.',
    );
  }
  const { client_email, private_key_id, private_key, token_uri } = read;
  return ok({
    clientEmail: client_email,
    privateKeyId: private_key_id,
    privateKey: private_key,
    tokenUri: token_uri ?? GOOGLE_TOKEN_URI,
    fields,
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
