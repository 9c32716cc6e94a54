import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { escapeHostile, HostileText, splitHostile } from './hostile-text.tsx';

describe('hostile text', () => {
  it('leaves ordinary text of any script alone', () => {
    for (const text of [
      'src/webhooks/retry.ts',
      'naïve café.md',
      '資料/報告.txt',
      'שלום.txt',
      'a b',
    ]) {
      expect(splitHostile(text)).toEqual([{ text, escaped: false }]);
    }
  });

  it.each([
    ['a right-to-left override', 'invoice\u202egpj.exe', 'invoice\\u{202e}gpj.exe'],
    ['an isolate', 'a\u2066b\u2069', 'a\\u{2066}b\\u{2069}'],
    ['a zero-width space', 'api.exam\u200bple.com', 'api.exam\\u{200b}ple.com'],
    ['an escape sequence', '\u001b[31mred', '\\u{1b}[31mred'],
    ['a line break', 'one\ntwo\r\tthree', 'one\\ntwo\\r\\tthree'],
    ['a C1 control', 'x\u009b2J', 'x\\u{9b}2J'],
    ['a soft hyphen', 'pay\u00adpal', 'pay\\u{ad}pal'],
    ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
    ['a lone surrogate', 'a\ud800b', 'a\\u{d800}b'],
    ['a byte order mark', '\ufeffa', '\\u{feff}a'],
    ['a Hangul filler', 'a\u3164b', 'a\\u{3164}b'],
  ])('spells out %s', (_what, text, shown) => {
    expect(escapeHostile(text)).toBe(shown);
  });

  it('renders text nodes, kept apart from its neighbours', () => {
    const html = renderToStaticMarkup(<HostileText>{'<img src=x>\u202e'}</HostileText>);
    expect(html).toContain('&lt;img src=x&gt;');
    expect(html.startsWith('<bdi dir="ltr">')).toBe(true);
    expect(html).not.toContain('\u202e');
  });
});
