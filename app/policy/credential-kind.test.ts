import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  CredentialKind,
  MAX_SECRET_CHARS,
  MEDIATED_KINDS,
  PROVIDER_KINDS,
} from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import {
  checkSecret,
  isFoundInside,
  KIND_LIST,
  kindInfo,
  mintPlaceholder,
  MIN_SECRET_CHARS,
  shapeOf,
} from './credential-kind.ts';
import { buildGrant } from './grant.ts';
import { parseHostRule } from './host-rule.ts';
import { BASE62, crc32, randomText } from './random-text.ts';

const PLACED = ['header:X-Test', 'query:key', 'path', 'path:bot', 'json:/auth/token', 'form:pass'];
const KINDS = [...PROVIDER_KINDS, 'bearer', 'basic', ...PLACED];
const summary = (kind: string, hosts: string[] = []) => ({
  name: 'mine',
  kind,
  hosts,
  addedAt: '2026-01-01T00:00:00Z',
});

const hosts = (grant: ReturnType<typeof buildGrant>) => unwrap(grant).hosts.map(({ host }) => host);

describe('kinds', () => {
  it('has facts that parse for each kind of the contract', () => {
    expect(KIND_LIST.map(({ kind }) => kind).toSorted()).toEqual(
      [...PROVIDER_KINDS, ...MEDIATED_KINDS, 'bearer', 'basic', 'path'].toSorted(),
    );
    for (const info of KIND_LIST) {
      expect(CredentialKind.safeParse(info.kind).success).toBe(true);
      for (const host of info.hosts) expect(parseHostRule(host).ok).toBe(true);
      expect(info.sites.length).toBeGreaterThan(0);
    }
  });

  it('takes header kinds by their name, and no header that frames a request', () => {
    expect(unwrap(kindInfo('header:X-Test')).sites).toEqual([{ type: 'header', name: 'x-test' }]);
    for (const kind of ['header:Host', 'header:content-length', 'header:', 'toString', 'x']) {
      expect(kindInfo(kind).ok).toBe(false);
    }
  });

  it('knows which need a variable before anything inside can use them', () => {
    const needing = [...KINDS, ...MEDIATED_KINDS].filter((kind) => !isFoundInside(kind, undefined));
    expect(needing).toEqual(['bearer', 'basic', ...PLACED]);
    for (const kind of needing) expect(isFoundInside(kind, 'MY_TOKEN')).toBe(true);
    expect(isFoundInside('no-such', 'MY_TOKEN')).toBe(false);
  });

  it.each([
    ['query:key', { type: 'query', name: 'key' }],
    ['form:client_secret', { type: 'form', name: 'client_secret' }],
    ['path', { type: 'path', prefix: '' }],
    ['path:bot', { type: 'path', prefix: 'bot' }],
    ['json:/auth/0/a~1b', { type: 'json', pointer: '/auth/0/a~1b' }],
  ])('takes %s by its place', (kind, site) => {
    expect(unwrap(kindInfo(kind)).sites).toEqual([site]);
  });

  it.each(['query:', 'query:a=b', 'query:_method', 'form:_METHOD', 'path:', 'path:a/b', 'json:'])(
    'refuses %s',
    (kind) => {
      expect(kindInfo(kind)).toMatchObject({ ok: false, error: { code: 'credential.bad-value' } });
    },
  );

  it.each([
    'json:token',
    'json:/a~2',
    'json:/a~',
    'form:a&b',
    'path:..%2f',
    `query:${'k'.repeat(200)}`,
  ])('refuses %s by the contract too', (kind) => {
    expect(CredentialKind.safeParse(kind).success).toBe(false);
    expect(kindInfo(kind).ok).toBe(false);
  });
});

describe('placeholders', () => {
  it.each([
    ['anthropic', 'usual', /^sk-ant-api03-[\w-]{93}AA$/],
    ['anthropic', 'oauth', /^sk-ant-oat01-[\w-]{93}AA$/],
    ['openai', 'usual', /^sk-proj-[\w-]{74}T3BlbkFJ[\w-]{74}$/],
    ['gemini', 'usual', /^AIza[\w-]{35}$/],
    ['github', 'usual', /^ghp_[0-9A-Za-z]{36}$/],
    ['github', 'fine-grained', /^github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}$/],
    ['npm', 'usual', /^npm_[0-9A-Za-z]{36}$/],
    ['openrouter', 'usual', /^sk-or-v1-[0-9a-f]{64}$/],
    ['huggingface', 'usual', /^hf_[A-Za-z]{34}$/],
    ['gitlab', 'usual', /^glpat-[\w-]{22}$/],
    ['pypi', 'usual', /^pypi-AgEIcHlwaS5vcmc[\w-]{140}$/],
    ['cargo', 'usual', /^cio[0-9A-Za-z]{32}$/],
    ['aws', 'usual', /^AKIA[A-Z2-7]{16}$/],
    ['aws', 'session', /^ASIA[A-Z2-7]{16}$/],
    ['google-service-account', 'usual', /^[0-9a-f]{40}$/],
    ['bearer', 'usual', /^glovebox-[0-9A-Za-z]{40}$/],
    ['header:X-Test', 'usual', /^glovebox-[0-9A-Za-z]{40}$/],
  ] as const)('of %s (%s) have its shape', (kind, shape, pattern) => {
    expect(mintPlaceholder(kind, shape)).toMatch(pattern);
  });

  it('are never the same, and pass as a secret of their kind', () => {
    for (const kind of KINDS) {
      const some = Array.from({ length: 200 }, () => mintPlaceholder(kind));
      expect(new Set(some).size).toBe(200);
      for (const one of some) expect(checkSecret(kind, one).ok).toBe(true);
    }
  });

  it('carry the checksum that GitHub and npm tokens carry', () => {
    expect(crc32('123456789')).toBe(0xcbf43926);
    for (const kind of ['github', 'npm']) {
      const placeholder = mintPlaceholder(kind);
      let sum = 0;
      for (const digit of placeholder.slice(-6)) sum = sum * 62 + BASE62.indexOf(digit);
      expect(sum).toBe(zlibCrc32(placeholder.slice(4, -6)));
    }
  });

  it('use each character of the alphabet about equally', () => {
    const text = randomText(BASE62, 62_000);
    for (const character of BASE62) {
      const count = text.split(character).length - 1;
      expect(count).toBeGreaterThan(800);
      expect(count).toBeLessThan(1200);
    }
  });

  it('take the form that the secret has by its prefix', () => {
    expect(shapeOf('anthropic', 'sk-ant-oat01-x')).toBe('oauth');
    expect(shapeOf('anthropic', 'sk-ant-api03-x')).toBe('usual');
    expect(shapeOf('github', 'github_pat_x')).toBe('fine-grained');
    expect(shapeOf('bearer', 'github_pat_x')).toBe('usual');
  });
});

describe('checkSecret', () => {
  it.each([
    ['anthropic', ''],
    ['anthropic', 'short'],
    ['anthropic', 'sk-ant-api03-canary\n'],
    ['anthropic', 'sk-ant-api03-canary\r\n'],
    ['anthropic', ' sk-ant-api03-canary'],
    ['anthropic', 'sk-ant\nX-Evil: canary'],
    ['anthropic', 'sk-ant-api03-canäry'],
    ['anthropic', 'sk-ant canary canary'],
    ['header:X-Test', 'canary\0canary'],
    ['header:X-Test', 'canäry-canary'],
    ['basic', 'canary\tcanary'],
    ['no-such-kind', 'canary-canary'],
    ['bearer', 'canary'.repeat(MAX_SECRET_CHARS)],
  ])('refuses for %s %j without repeating it', (kind, secret) => {
    const checked = checkSecret(kind, secret);
    expect(checked).toMatchObject({ ok: false, error: { code: 'credential.bad-value' } });
    expect(JSON.stringify(checked)).not.toMatch(/canary|canäry/);
  });

  it('takes what can be sent', () => {
    expect(checkSecret('anthropic', 'x'.repeat(MIN_SECRET_CHARS)).ok).toBe(true);
    expect(checkSecret('anthropic', 'x'.repeat(MIN_SECRET_CHARS - 1)).ok).toBe(false);
    expect(checkSecret('header:X-Test', 'Custom scheme and value').ok).toBe(true);
    expect(checkSecret('basic', 'pässwörd with spaces').ok).toBe(true);
  });
});

describe('buildGrant', () => {
  it('takes the request’s hosts, then the credential’s, then the kind’s', () => {
    expect(hosts(buildGrant(summary('anthropic'), undefined))).toEqual(['api.anthropic.com']);
    expect(hosts(buildGrant(summary('anthropic', ['a.test']), undefined))).toEqual(['a.test']);
    expect(hosts(buildGrant(summary('anthropic', ['a.test']), ['b.test']))).toEqual(['b.test']);
  });

  it('refuses a credential without a host, and hosts it cannot read', () => {
    expect(buildGrant(summary('bearer'), undefined)).toMatchObject({
      ok: false,
      error: { code: 'policy.refused' },
    });
    expect(buildGrant(summary('bearer'), ['*']).ok).toBe(false);
    expect(buildGrant(summary('bearer'), []).ok).toBe(false);
  });

  it('gives each part of a key pair a placeholder and a variable of its own', () => {
    const shape = shapeOf(
      'aws',
      'ASIAIOSFODNN7EXAMPLE:wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY:token-token-token',
    );
    const { parts, placeholder, env } = unwrap(buildGrant(summary('aws'), ['s3.test'], shape));
    expect(parts.map((part) => [part.name, part.env])).toEqual([
      ['access-key-id', ['AWS_ACCESS_KEY_ID']],
      ['secret-access-key', ['AWS_SECRET_ACCESS_KEY']],
      ['session-token', ['AWS_SESSION_TOKEN']],
    ]);
    expect([placeholder, env]).toEqual([parts[0]?.placeholder, parts[0]?.env]);
    expect(new Set(parts.map((part) => part.placeholder)).size).toBe(3);
  });

  it('takes a database to be at its usual port', () => {
    const [rule] = unwrap(buildGrant(summary('postgres'), ['db.test'])).hosts;
    expect(rule?.port).toBe(5432);
    expect(unwrap(buildGrant(summary('postgres'), ['db.test:6432'])).hosts[0]?.port).toBe(6432);
    expect(unwrap(buildGrant(summary('bearer'), ['db.test'])).hosts[0]?.port).toBeUndefined();
  });

  it('puts the placeholder in the variables of kind, shape or user', () => {
    expect(unwrap(buildGrant(summary('github'), undefined)).env).toEqual([
      'GITHUB_TOKEN',
      'GH_TOKEN',
    ]);
    expect(unwrap(buildGrant(summary('anthropic'), undefined, 'oauth')).env).toEqual([
      'CLAUDE_CODE_OAUTH_TOKEN',
    ]);
    const own = { ...summary('github'), env: 'MY_TOKEN' };
    expect(unwrap(buildGrant(own, undefined)).env).toEqual(['MY_TOKEN']);
  });
});
