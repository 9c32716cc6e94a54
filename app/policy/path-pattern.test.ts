import { assert, property, webPath } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { cpuTimeMs } from '../kit/testing/cpu-time.ts';
import { canonicalPath } from './path.ts';
import { matchesPathPattern, parsePathPattern } from './path-pattern.ts';

const fits = (pattern: string, path: string): boolean =>
  matchesPathPattern(unwrap(parsePathPattern(pattern)), path);

describe('path patterns', () => {
  it.each([
    ['/v1/*', '/v1/models', true],
    ['/v1/*', '/v1/', false],
    ['/v1/*', '/v1', false],
    ['/v1/*', '/v1/models/x', false],
    ['/v1/*', '/V1/models', false],
    ['/v1/**', '/v1', true],
    ['/v1/**', '/v1/a/b/c', true],
    ['/v1/**', '/v10/a', false],
    ['/**', '/', true],
    ['/**/keys', '/a/b/keys', true],
    ['/**/keys', '/keys', true],
    ['/**/keys', '/a/keys/b', false],
    ['/repos/*/*/issues', '/repos/me/it/issues', true],
    ['/a%20b', '/a%20b', true],
    ['/keys', '/%6beys', true],
    ['/projects/*', '/projects/group%2Frepo', false],
    ['/projects/**', '/projects/group%2Frepo/issues', false],
    ['/projects/group/repo', '/projects/group%2Frepo', false],
    ['/projects/group%2Frepo/**', '/projects/group%2frepo/issues', true],
    ['/projects/group%2Frepo/**', '/projects/group/repo/issues', false],
    ['/v1/**', '/v1//admin', false],
    ['/**', '//host/x', false],
    ['/keys/%2A', '/keys/other', false],
    ['/keys/%2A', '/keys/*', true],
    ['/%2a%2a', '/a/b', false],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(fits(pattern, path)).toBe(expected);
  });

  it.each([
    '',
    'v1',
    '/v1*',
    '/v1/**x',
    '/../x',
    '/a//b',
    '/a?b',
    '/a#b',
    '/a b',
    '/**/**/**/**/**',
  ])('refuses %j', (text) => {
    expect(parsePathPattern(text)).toMatchObject({ ok: false, error: { code: 'policy.invalid' } });
  });

  it('takes no time that a path could draw out', () => {
    const path = '/a'.repeat(8000);
    const spent = cpuTimeMs(() => {
      expect(fits('/**/a/**/a/**/a/**/b', path)).toBe(false);
      expect(fits('/**/a/**/a/**/a/**', path)).toBe(true);
    });
    expect(spent).toBeLessThan(1000);
  });

  it('is its own literal where it has no star', () => {
    assert(
      property(webPath(), (path) => {
        const target = path === '' ? '/' : path;
        if (!canonicalPath(target).ok || target.includes('*')) return;
        const pattern = parsePathPattern(target);
        if (!pattern.ok) return;
        expect(matchesPathPattern(pattern.value, target)).toBe(!target.includes('//'));
      }),
    );
  });
});
