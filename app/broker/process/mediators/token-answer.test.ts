import { describe, expect, it } from 'vitest';
import { ok, unwrap } from '../../../kit/index.ts';
import { replaceTokens } from './token-answer.ts';

const replaced = (body: string): { text: string; lifetimes: (number | undefined)[] } => {
  const lifetimes: (number | undefined)[] = [];
  const answer = { status: 200, headers: [], body: Buffer.from(body) };
  const result = replaceTokens(answer, (_name, _token, lifetimeMs) => {
    lifetimes.push(lifetimeMs);
    return ok('fake');
  });
  return { text: unwrap(result).body.toString(), lifetimes };
};

describe('a token endpoint’s answer', () => {
  it.each([
    ['3600', 3_600_000],
    ['"3600"', 3_600_000],
    ['-1', undefined],
    ['null', undefined],
    ['[60]', undefined],
    ['{"toString":[],"valueOf":[]}', undefined],
  ])('that expires in %s is read as a lifetime of %s', (expires, lifetime) => {
    const { text, lifetimes } = replaced(`{"access_token":"real","expires_in":${expires}}`);
    expect(text).toContain('"access_token":"fake"');
    expect(lifetimes).toEqual([lifetime]);
  });

  it.each([
    'token_type',
    'token_expires',
    'tokenExpiresAt',
    'refresh_token_expires_in',
    'refreshTokenExpirationTime',
    'token_issued_at',
    'token_uri',
    'tokenEndpoint',
    'token_scope',
    'tokenScopes',
  ])('leaves %s as it is, which only tells about a token', (name) => {
    const body = JSON.stringify({ [name]: 'as it was' });
    expect(replaced(body).text).toBe(body);
  });

  it.each([
    'access_token',
    'scoped_token',
    'scopeToken',
    'expiring_token',
    'token_type_secret',
    'urlToken',
  ])('takes %s for a token', (name) => {
    const { text } = replaced(JSON.stringify({ [name]: 'real' }));
    expect(text).toBe(JSON.stringify({ [name]: 'fake' }));
  });
});
