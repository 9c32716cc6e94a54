import { describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { checkSecret, shapeOf } from './credential-kind.ts';
import {
  GOOGLE_TOKEN_URI,
  parseAwsSecret,
  parseOauthSecret,
  parseServiceAccount,
  secretParts,
} from './secret-form.ts';

const ID = 'AKIAIOSFODNN7EXAMPLE';
const KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const PEM = `-----BEGIN PRIVATE KEY-----\nTUlJRXZ3SUJB\nREFOQmdrcWhr\n-----END PRIVATE KEY-----\n`;
const ACCOUNT = {
  type: 'service_account',
  project_id: 'mine',
  private_key_id: 'abc123',
  private_key: PEM,
  client_email: 'robot@mine.iam.gserviceaccount.com',
  universe_domain: 'googleapis.com',
};
const CLIENT = {
  token_uri: 'https://auth.test/token',
  client_id: 'client',
  client_secret: 'canary-client-secret',
  refresh_token: 'canary-refresh-token',
};

describe('secrets of several fields', () => {
  it('reads an AWS pair in both forms', () => {
    const pair = { accessKeyId: ID, secretAccessKey: KEY, sessionToken: undefined };
    expect(unwrap(parseAwsSecret(`${ID}:${KEY}`))).toEqual(pair);
    expect(
      unwrap(parseAwsSecret(JSON.stringify({ Version: 1, AccessKeyId: ID, SecretAccessKey: KEY }))),
    ).toEqual(pair);
    const temporary = `${ID}:${KEY}:a-session:token-with-colons`;
    expect(unwrap(parseAwsSecret(temporary)).sessionToken).toBe('a-session:token-with-colons');
    expect([shapeOf('aws', temporary), shapeOf('aws', `${ID}:${KEY}`)]).toEqual([
      'session',
      'usual',
    ]);
  });

  it('reads a refresh token with its client, and Google’s file of it', () => {
    expect(unwrap(parseOauthSecret(JSON.stringify(CLIENT)))).toMatchObject({
      tokenUri: CLIENT.token_uri,
      clientSecret: CLIENT.client_secret,
      refreshToken: CLIENT.refresh_token,
    });
    const { token_uri: _uri, client_secret: _secret, ...rest } = CLIENT;
    const user = JSON.stringify({ ...rest, type: 'authorized_user' });
    expect(unwrap(parseOauthSecret(user)).tokenUri).toBe(GOOGLE_TOKEN_URI);
    expect(shapeOf('oauth-refresh', user)).toBe('usual');
    expect(shapeOf('oauth-refresh', JSON.stringify(CLIENT))).toBe('confidential');
  });

  it('reads a service account’s key file', () => {
    expect(unwrap(parseServiceAccount(JSON.stringify(ACCOUNT, null, 2)))).toMatchObject({
      clientEmail: ACCOUNT.client_email,
      privateKey: PEM,
      tokenUri: GOOGLE_TOKEN_URI,
    });
  });

  it.each([
    ['aws', `${ID}canary`],
    ['aws', `canary:${KEY}`],
    ['aws', '{"AccessKeyId": "canary'],
    ['aws', `${ID}:${KEY}\ncanary`],
    ['oauth-refresh', 'canary-refresh-token'],
    ['oauth-refresh', JSON.stringify({ ...CLIENT, token_uri: 'http://auth.test/canary' })],
    ['oauth-refresh', JSON.stringify({ ...CLIENT, token_uri: undefined })],
    ['oauth-refresh', JSON.stringify({ ...CLIENT, refresh_token: 'canary canary' })],
    ['google-service-account', JSON.stringify({ ...ACCOUNT, private_key: 'canary' })],
    ['google-service-account', JSON.stringify({ ...ACCOUNT, type: 'authorized_user' })],
    ['google-service-account', PEM],
  ])('refuses for %s what is none, without repeating it', (kind, secret) => {
    const checked = checkSecret(kind, secret);
    expect(checked).toMatchObject({ ok: false, error: { code: 'credential.bad-value' } });
    expect(JSON.stringify(checked)).not.toMatch(/canary|TUlJ/);
  });

  it('names every value that must never be seen inside', () => {
    const values = (kind: string, secret: string) =>
      secretParts(kind, secret).map(({ value }) => value);
    expect(values('bearer', 'one-secret')).toEqual(['one-secret']);
    expect(values('aws', `${ID}:${KEY}:session-token-text`)).toEqual([
      ID,
      KEY,
      'session-token-text',
    ]);
    expect(values('oauth-refresh', JSON.stringify(CLIENT))).toEqual([
      CLIENT.refresh_token,
      CLIENT.client_secret,
    ]);
    expect(values('google-service-account', JSON.stringify(ACCOUNT))).toEqual([
      PEM,
      'TUlJRXZ3SUJBREFOQmdrcWhr',
    ]);
    expect(values('aws', 'unreadable')).toEqual(['unreadable']);
  });
});
