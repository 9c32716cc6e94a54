import { describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { parseHost } from './host.ts';
import { formatHostRule, matchesHostRule, overlappingRules, parseHostRule } from './host-rule.ts';
import { parseResolve, parseResolver } from './resolve.ts';

describe('parseHostRule', () => {
  it.each([
    ['Example.com', 'example.com'],
    ['example.com:8443', 'example.com:8443'],
    ['example.com:007', 'example.com:7'],
    ['*.Example.com.', '*.example.com'],
    ['*.example.com:443', '*.example.com:443'],
    ['[::1]:80', '[::1]:80'],
    ['::1', '[::1]'],
    ['2130706433:80', '127.0.0.1:80'],
  ])('reads %j as %j, and its own words again', (text, words) => {
    const rule = unwrap(parseHostRule(text));
    expect(formatHostRule(rule)).toBe(words);
    expect(parseHostRule(words)).toEqual({ ok: true, value: rule });
  });

  it.each([
    '',
    '*',
    '*.',
    '*.com',
    '*.com.',
    '**.example.com',
    'a.*.example.com',
    '*example.com',
    '*.1.2.3.4',
    '*.[::1]',
    '*:443',
    'example.com:',
    'example.com:0',
    'example.com:65536',
    'example.com:+1',
    'example.com:1e3',
    'example.com: 80',
    'example.com:80:90',
    '[::1]x',
    '[::1]:',
    'https://example.com',
    'example.com/path',
    'a@example.com',
  ])('refuses %j', (text) => {
    expect(parseHostRule(text).ok).toBe(false);
  });
});

describe('matchesHostRule', () => {
  it.each([
    ['example.com', 'example.com', 443, true],
    ['example.com', 'EXAMPLE.com.', 80, true],
    ['example.com', 'example.com', 8443, false],
    ['example.com', 'www.example.com', 443, false],
    ['example.com', 'evil-example.com', 443, false],
    ['example.com:8443', 'example.com', 8443, true],
    ['example.com:8443', 'example.com', 443, false],
    ['*.example.com', 'a.example.com', 443, true],
    ['*.example.com', 'a.b.example.com', 443, true],
    ['*.example.com', 'example.com', 443, false],
    ['*.example.com', 'evil-example.com', 443, false],
    ['*.example.com', 'a.example.com.evil.test', 443, false],
    ['127.0.0.1', '0x7f.1', 443, true],
    ['::1', '[0::1]', 443, true],
  ])('%s and %s:%i: %s', (rule, host, port, expected) => {
    const parsed = unwrap(parseHostRule(rule));
    expect(matchesHostRule(parsed, unwrap(parseHost(host)), port)).toBe(expected);
  });
});

describe('parseResolve', () => {
  it.each([
    ['Api.example:443:127.0.0.1', 'api.example', 443, '127.0.0.1', 443],
    ['api.example:443:127.0.0.1:8443', 'api.example', 443, '127.0.0.1', 8443],
    ['api.example:443:[::1]:8443', 'api.example', 443, '::1', 8443],
    ['api.example:443:[fd00::1]', 'api.example', 443, 'fd00::1', 443],
    ['api.example:443:fd00::1', 'api.example', 443, 'fd00::1', 443],
    ['[fd00::2]:80:10.0.0.1', 'fd00::2', 80, '10.0.0.1', 80],
  ])('reads %s', (text, host, port, address, addressPort) => {
    expect(unwrap(parseResolve(text))).toEqual({ host, port, address, addressPort });
  });

  it.each([
    '',
    'api.example',
    'api.example:443',
    'api.example:443:',
    'api.example:x:127.0.0.1',
    'api.example:443:other.example',
    'api.example:443:127.0.0.1:0',
    'api.example:443:127.0.0.1:8443:1',
    '*.example.com:443:127.0.0.1',
    'api.example:443:[::1]x',
    ':443:127.0.0.1',
  ])('refuses %j', (text) => {
    expect(parseResolve(text).ok).toBe(false);
  });

  it('reads resolvers', () => {
    expect(unwrap(parseResolver('9.9.9.9'))).toEqual({ address: '9.9.9.9', port: 53 });
    expect(unwrap(parseResolver('127.0.0.1:5353'))).toEqual({ address: '127.0.0.1', port: 5353 });
    expect(unwrap(parseResolver('[::1]:5353'))).toEqual({ address: '::1', port: 5353 });
    expect(parseResolver('dns.example').ok).toBe(false);
  });
});

describe('overlappingRules', () => {
  it.each([
    ['a.test', 'a.test:443', true],
    ['a.test', 'a.test:8443', false],
    ['*.a.test', 'b.a.test', true],
    ['*.a.test', 'a.test', false],
    ['*.a.test', '*.b.a.test', true],
    ['*.a.test', '*.xa.test', false],
    ['a.test', 'b.test', false],
  ])('%s and %s: %s', (one, other, expected) => {
    const [first, second] = [unwrap(parseHostRule(one)), unwrap(parseHostRule(other))];
    expect(overlappingRules(first, second)).toBe(expected);
    expect(overlappingRules(second, first)).toBe(expected);
  });
});
