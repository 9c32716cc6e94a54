import { describe, expect, it } from 'vitest';
import { CredentialKind, GENERIC_KINDS } from '../../../app/contract/index.ts';
import { unwrap } from '../../../app/kit/index.ts';
import {
  isFoundInside,
  kindInfo,
  parseAwsSecret,
  parseOauthSecret,
} from '../../../app/policy/index.ts';
import { composeSecret, KIND_GROUPS, kindForm, kindOf } from './kind-form.ts';
import { hostsWords, KIND_WORDS, kindWords, scopeWords } from './words.ts';

const KINDS = KIND_GROUPS.flatMap(({ kinds }) => kinds);

describe('the form of a kind of credential', () => {
  it('is there for every kind, with words of its own', () => {
    for (const { name, label, fields } of KINDS) {
      expect(KIND_WORDS[name]).toBe(label);
      expect(fields.length).toBeGreaterThan(0);
    }
    const generic = new Set(GENERIC_KINDS.map((kind) => kind.split(':')[0]));
    for (const name of generic) expect(KINDS.some((kind) => kind.name === name)).toBe(true);
  });

  it.each(KINDS.filter(({ variable }) => variable !== 'fixed'))(
    'asks for a variable exactly where the kind has none of its own: $name',
    (kind) => {
      const at = kind.place === undefined ? '' : kind.name === 'json' ? '/a' : 'a';
      const { env, kind: name } = unwrap(kindInfo(kindOf(kind, at)));
      const without = env.length === 0 ? 'spare' : 'usual';
      expect(kind.variable).toBe(isFoundInside(name, undefined) ? without : 'named');
    },
  );

  it.each([
    ['header', 'X-Key', 'header:X-Key', true],
    ['header', '', 'header:', false],
    ['path', '', 'path', true],
    ['path', 'bot', 'path:bot', true],
    ['path', 'a/b', 'path:a/b', false],
    ['json', '/a/b', 'json:/a/b', true],
    ['json', 'a', 'json:a', false],
    ['npm', 'ignored', 'npm', true],
  ])('%s at “%s” is %s', (name, at, kind, fine) => {
    expect(kindOf(kindForm(name), at)).toBe(kind);
    expect(CredentialKind.safeParse(kind).success).toBe(fine);
  });

  it('writes several fields in the form that the host reads', () => {
    const id = 'AKIAIOSFODNN7EXAMPLE';
    const key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
    expect(parseAwsSecret(composeSecret('aws', { id, key, token: '' }))).toMatchObject({
      value: { accessKeyId: id, secretAccessKey: key, sessionToken: undefined },
    });
    const token = 'a-session-token-of-some-length';
    expect(parseAwsSecret(composeSecret('aws', { id, key, token }))).toMatchObject({
      value: { sessionToken: token },
    });
    const client = {
      token_uri: 'https://auth.test/token',
      client_id: 'me',
      client_secret: '',
      refresh_token: 'refresh-token',
    };
    expect(parseOauthSecret(composeSecret('oauth-refresh', client))).toMatchObject({
      value: { clientId: 'me', clientSecret: undefined },
    });
    expect(composeSecret('npm', { secret: 'npm_x' })).toBe('npm_x');
  });

  it('says in words where a secret goes and what narrows it', () => {
    expect(kindWords('header:X-Key')).toBe('X-Key header');
    expect(kindWords('json:/auth/token')).toBe('JSON field /auth/token');
    expect(kindWords('no-such')).toBe('no-such');
    expect(scopeWords({ kind: 'query:key' }, ['a.test'])).toBe(
      'any request to a.test in the query parameter key',
    );
    const narrow = { methods: ['GET'], paths: ['/v1/*'], sites: ['bearer'] };
    expect(scopeWords({ kind: 'gitlab' }, ['a.test'], narrow)).toBe(
      'GET requests to a.test on /v1/* in bearer',
    );
    expect(scopeWords({ kind: 'postgres' }, ['db.test:5432'])).toBe('signing in to db.test:5432');
    expect(hostsWords(['a.test:443', 'b.test', 'c.test', 'd.test', 'e.test'])).toBe(
      'a.test, b.test, c.test and 2 more',
    );
  });
});
