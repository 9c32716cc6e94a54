import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_HOST_CHARS } from '../contract/index.ts';
import { MAX_LABEL_CHARS, parseHost } from './host.ts';

const canonical = (text: string): string | undefined => {
  const host = parseHost(text);
  if (!host.ok && host.error.code !== 'egress.bad-host') throw new Error(host.error.code);
  return host.ok ? host.value : undefined;
};

describe('parseHost', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['EXAMPLE。com。', 'example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['a_b.example', 'a_b.example'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['0x7f.0.0.1', '127.0.0.1'],
    ['0X7F000001', '127.0.0.1'],
    ['0177.0.0.01', '127.0.0.1'],
    ['017700000001', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['2852039166', '169.254.169.254'],
    ['0xa9.0376.43518', '169.254.169.254'],
    ['①②⑦.⓪.⓪.①', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['0', '0.0.0.0'],
    ['[::1]', '::1'],
    ['::1', '::1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[2001:DB8:0:0:1:0:0:1]', '2001:db8::1:0:0:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['0::', '::'],
  ])('reads %j as %j', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it.each([
    '',
    '.',
    '..',
    '.example.com',
    'example..com',
    'example.com..',
    '127.0.0.1..',
    'exam ple.com',
    ' example.com',
    'example.com\n',
    'exam\tple.com',
    'example.com\0',
    'a\r\nHost: b',
    'attacker.example\u0000.allowed.example',
    'example%2ecom',
    'example%00.com',
    'example\uff052ecom',
    'user@example.com',
    'example.com:443',
    'example.com/',
    'example.com\\x',
    'example.com?x',
    'example.com#x',
    'http://example.com',
    '*.example.com',
    'a,b.example',
    "a'b.example",
    '-a.example',
    'a-.example',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.0x100',
    '4294967296',
    '09.1.1.1',
    'example.1',
    '[example.com]',
    '[1.2.3.4]',
    '[::1',
    '::1]',
    '[::1]:80',
    '[]',
    'fe80::1%eth0',
    '[fe80::1%25eth0]',
    ':',
    ':::',
    '::1::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    '::g',
    '::1.2.3',
    '::01.2.3.4',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::ffff:127.0.0.1',
    '[::ffff:8.8.8.8]',
    '[::ffff:808:808]',
    '0:0:0:0:0:FFFF:A9FE:A9FE',
    'xn--',
    'xn--\u0000',
  ])('refuses %j', (text) => {
    expect(canonical(text)).toBeUndefined();
  });

  it('keeps names apart that only look alike, and joins those that IDNA joins', () => {
    // Cyrillic а and Greek ο in place of the Latin letters.
    expect(canonical('\u0430pple.example')).toBe('xn--pple-43d.example');
    expect(canonical('g\u03bfogle.example')).not.toBe('google.example');
    expect(canonical('stra\u00dfe.example')).toBe('xn--strae-oqa.example');
    for (const spelling of [
      '\uff45xample.test',
      'ex\u00adample.test',
      'exam\u200bple.test',
      'EXAMPLE\uff0eTEST',
      '\u24d4xample.test',
    ]) {
      expect(canonical(spelling)).toBe('example.test');
    }
  });

  it('holds labels and names to their lengths', () => {
    const label = 'a'.repeat(MAX_LABEL_CHARS);
    expect(canonical(`${label}.example`)).toBeDefined();
    expect(canonical(`${label}a.example`)).toBeUndefined();
    const longest = [label, label, label, 'a'.repeat(MAX_HOST_CHARS - 3 * 64)].join('.');
    expect(longest).toHaveLength(MAX_HOST_CHARS);
    expect(canonical(longest)).toBe(longest);
    expect(canonical(`${longest}.`)).toBe(longest);
    expect(canonical(`${longest}a`)).toBeUndefined();
    expect(canonical('a.'.repeat(10_000))).toBeUndefined();
  });

  it('changes nothing in what it gave', () => {
    const texts = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc
        .array(
          fc.constantFrom('a', '.', '0', '1', 'x', '-', ':', '[', ']', '%', 'ß', '。', '１', 'F'),
          {
            maxLength: 16,
          },
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const once = canonical(text);
        fc.pre(once !== undefined);
        expect(canonical(once)).toBe(once);
        expect(once).toMatch(/^[a-z0-9._:-]*[a-z0-9_:-]$/);
      }),
      { numRuns: 3000 },
    );
  });
});
