import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_URL_PATH_CHARS } from '../contract/index.ts';
import { canonicalPath } from './path.ts';

describe('canonicalPath', () => {
  it.each([
    ['/', '/', ''],
    ['/v1/messages?beta=true', '/v1/messages', '?beta=true'],
    ['/?', '/', '?'],
    ['/a//b/', '/a//b/', ''],
    ['/a%20b%2B.txt', '/a%20b%2B.txt', ''],
    ['/100%25', '/100%25', ''],
    ['/a%2520b', '/a%2520b', ''],
    ['/.well-known/x', '/.well-known/x', ''],
    ['/...', '/...', ''],
    ['/v1/models/x:generate;v=1', '/v1/models/x:generate;v=1', ''],
    ['/file%2etxt', '/file%2etxt', ''],
    ['/%E2%82%AC', '/%E2%82%AC', ''],
    ['/@types%2fnode', '/@types%2fnode', ''],
    ['/@types%2Fnode/-/node-1.tgz', '/@types%2Fnode/-/node-1.tgz', ''],
    ['/api/v4/projects/a%2Fb%2Fc/issues', '/api/v4/projects/a%2Fb%2Fc/issues', ''],
    ['/a%2f', '/a%2f', ''],
    ['/a?x=../..&y=%2f..%2f\\&z=%0a%zz', '/a', '?x=../..&y=%2f..%2f\\&z=%0a%zz'],
  ])('keeps %j as it is', (target, path, query) => {
    expect(canonicalPath(target)).toEqual({ ok: true, value: { path, query } });
  });

  it.each([
    '',
    '*',
    'a',
    'http://example.com/',
    '/a b',
    '/a\tb',
    '/a\r\nX: y',
    '/a\0',
    '/a\x7f',
    '/é',
    '/a#b',
    '/a?b#c',
    '/a?b c',
    '/a\\b',
    '/..',
    '/a/../b',
    '/a/./b',
    '/.',
    '/a/..;x/b',
    '/a/.;/b',
    '/%2e%2e/a',
    '/%2E./a',
    '/.%2e',
    '/a/%2e/b',
    '/a%5cb',
    '/a%5Cb',
    '/..%2f..%2fetc',
    '/a%2f..',
    '/a%2f%2e%2e%2fb',
    '/a%2f..;x%2fb',
    '/.%2fa',
    '/a%2f%5cb',
    '/a%2f%252fb',
    '/%252e%252e/a',
    '/%25252e%25252e/a',
    '/a%252fb',
    '/a%255cb',
    '/%2525252525252e',
    '/%%32%65%%32%65/',
    '/%25%32%65%25%32%65/',
    '/a%00',
    '/a%0d%0ab',
    '/a%250a',
    '/a%c0%afb',
    '/%c0%ae%c0%ae/',
    '/%C1%9c',
    '/a%',
    '/a%2',
    '/a%zz',
    '/@a%2f..',
    '/@a%2f%2e%2e',
    '/@a%2f..%2fb',
    '/@a%252fb',
  ])('refuses %j', (target) => {
    expect(canonicalPath(target)).toMatchObject({ ok: false, error: { code: 'egress.bad-path' } });
  });

  it('holds targets to their length', () => {
    expect(canonicalPath(`/${'a'.repeat(MAX_URL_PATH_CHARS - 1)}`).ok).toBe(true);
    expect(canonicalPath(`/${'a'.repeat(MAX_URL_PATH_CHARS)}`).ok).toBe(false);
  });

  it('gives back what it was given, and nothing that a URL parser would move', () => {
    const part = fc.constantFrom(
      'a',
      '.',
      '/',
      '%2e',
      '%2F',
      '%25',
      '2e',
      '\\',
      ';',
      '@',
      '?',
      '%',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const target = `/${parts.join('')}`;
        const judged = canonicalPath(target);
        fc.pre(judged.ok);
        expect(judged.value.path + judged.value.query).toBe(target);
        expect(new URL(`http://h${judged.value.path}`).pathname).toBe(judged.value.path);
      }),
      { numRuns: 3000 },
    );
  });
});
