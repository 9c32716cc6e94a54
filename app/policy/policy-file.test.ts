import { describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { MAX_POLICY_FILE_CHARS, parsePolicyFile, policyFileSchema } from './policy-file.ts';
import { parseGrant } from './grant-text.ts';
import { parseDuration, parseSize } from './quantity.ts';

const WHOLE = `
version: 1
default: deny
presets: [assistant, registries]
allow:
  - api.example.com
  - "*.example.org:8443"
deny: [paste.example.com]
pass-through: [pinned.example.com]
git:
  - allow push github.com/me/it branch main
  - deny push github.com/**
grants:
  - work
  - deploy@api.example.com:443
  - read@api.example.com methods=GET,HEAD path=/v1/* path=/v2/** site=header:x-key
resolve:
  - model.test:443:10.0.0.7:8443
limits: { memory: 8g, cpus: 2.5, pids: 512, ttl: 1h30m }
hide:
  add: [notes/private]
  show: [.env.test]
`;

const padded = (chars: number): string => `version: 1 #`.padEnd(chars, 'x');

describe('parsePolicyFile', () => {
  it('reads a whole file', () => {
    expect(unwrap(parsePolicyFile(WHOLE, 'p.yml'))).toEqual({
      default: 'deny',
      presets: ['assistant', 'registries'],
      allow: ['api.example.com', '*.example.org:8443'],
      deny: ['paste.example.com'],
      passThrough: ['pinned.example.com'],
      git: ['allow push github.com/me/it branch main', 'deny push github.com/**'],
      grants: [
        { credential: 'work' },
        { credential: 'deploy', hosts: ['api.example.com:443'] },
        {
          credential: 'read',
          hosts: ['api.example.com'],
          methods: ['GET', 'HEAD'],
          paths: ['/v1/*', '/v2/**'],
          sites: ['header:x-key'],
        },
      ],
      resolve: ['model.test:443:10.0.0.7:8443'],
      limits: { memoryBytes: 8 * 2 ** 30, cpus: 2.5, pids: 512, ttlMs: 5_400_000 },
      hide: { add: ['notes/private'], show: ['.env.test'] },
    });
  });

  it('reads JSON, and a file that says nothing but its version', () => {
    expect(unwrap(parsePolicyFile('{"version": 1}', 'p.json')).allow).toEqual([]);
  });

  it.each([
    ['', 'p.yml:1:1:'],
    ['version: 2', 'p.yml:1:10:'],
    ['version: 1\nallow: [a.test', 'p.yml:2:'],
    ['version: 1\nallow:\n\t- a.test', 'p.yml:3:'],
    ['version: 1\nalow: [a.test]', 'p.yml:2:1:'],
    ['version: 1\nlimits:\n  cpus: 1\n  gpus: 1', 'p.yml:4:3:'],
    ['version: 1\nallow:\n  - a.test\n  - "*"', 'p.yml:4:5:'],
    ['version: 1\nallow:\n  - 5', 'p.yml:3:5:'],
    ['version: 1\ndefault: maybe', 'p.yml:2:10:'],
    ['version: 1\nversion: 1', 'p.yml:2:1:'],
    ['version: 1\ndeny: [a.test, a.test]', 'p.yml:2:7:'],
    ['version: 1\ngrants: [work@*]', 'p.yml:2:10:'],
    ['version: 1\ngrants:\n  - work path=v1', 'p.yml:3:5:'],
    ['version: 1\npass-through: ["*"]', 'p.yml:2:16:'],
    ['version: 1\ngit:\n  - allow push github.com', 'p.yml:3:5:'],
    ['version: 1\nresolve: [a.test:443]', 'p.yml:2:11:'],
    ['version: 1\nlimits: { ttl: soon }', 'p.yml:2:16:'],
    ['version: 1\nlimits: { memory: 1k }', 'p.yml:2:9:'],
    ['version: 1\nhide: { add: [../x] }', 'p.yml:2:15:'],
    ['version: 1\n---\nversion: 1', 'p.yml:2:'],
    ['version: !!js/function 1', 'p.yml:1:'],
    ['version: 1\nallow: &a [a.test]\ndeny: *a', 'p.yml:'],
    ['- version', 'p.yml:1:1:'],
    ['version: 1\n__proto__: {}', 'p.yml:'],
  ])('refuses %j with its place', (text, place) => {
    const parsed = parsePolicyFile(text, 'p.yml');
    expect(parsed).toMatchObject({
      ok: false,
      error: { code: 'policy.invalid', message: expect.stringContaining(place) as string },
    });
  });

  it('holds the file to its size', () => {
    expect(parsePolicyFile(padded(MAX_POLICY_FILE_CHARS), 'p.yml').ok).toBe(true);
    expect(parsePolicyFile(padded(MAX_POLICY_FILE_CHARS + 1), 'p.yml').ok).toBe(false);
  });

  it('publishes a schema that names each key and no others', () => {
    const schema = policyFileSchema();
    expect(schema['additionalProperties']).toBe(false);
    expect(Object.keys(schema['properties'] as object)).toEqual([
      'version',
      'default',
      'presets',
      'allow',
      'deny',
      'pass-through',
      'git',
      'grants',
      'resolve',
      'limits',
      'hide',
    ]);
  });
});

describe('quantities', () => {
  it.each([
    ['90m', 5_400_000],
    ['2h', 7_200_000],
    ['1h30m', 5_400_000],
    ['45s', 45_000],
    ['250ms', 250],
    ['1d', 86_400_000],
  ])('%s is %i ms', (text, ms) => {
    expect(unwrap(parseDuration(text))).toBe(ms);
  });
  it.each(['', '0s', '5', 'm', '-1h', '1.5h', '1h ', '999999999999d', '999999999d9999999999d'])(
    '%j is no duration',
    (text) => {
      expect(parseDuration(text).ok).toBe(false);
    },
  );
  it.each([
    ['8g', 8 * 2 ** 30],
    ['512M', 512 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['64MiB', 64 * 2 ** 20],
    ['1024', 1024],
  ])('%s is %i bytes', (text, bytes) => {
    expect(unwrap(parseSize(text))).toBe(bytes);
  });
  it.each(['', '0', 'g', '-1g', '1e9', '8 g', '8x', '999999999999t'])('%j is no size', (text) => {
    expect(parseSize(text).ok).toBe(false);
  });
  it('reads grants', () => {
    expect(unwrap(parseGrant('work'))).toEqual({ credential: 'work' });
    expect(unwrap(parseGrant('work@*.A.test:8443'))).toEqual({
      credential: 'work',
      hosts: ['*.a.test:8443'],
    });
    for (const text of ['', '@a.test', 'work@', 'a b', 'work@a@b', 'work@*']) {
      expect(parseGrant(text).ok).toBe(false);
    }
  });
});
