import { describe, expect, it } from 'vitest';
import { cleanPaste, MAX_PASTE_CHARS } from './paste.ts';

describe('paste into a terminal', () => {
  it('keeps text, tabs and line ends', () => {
    expect(cleanPaste('a\tb\r\nc ä 資料 👩‍👩‍👧')).toBe('a\tb\r\nc ä 資料 👩‍👩‍👧');
  });

  it.each([
    ['the end of a bracketed paste', 'echo a\u001b[201~\nrm -rf .\n', 'echo a[201~\nrm -rf .\n'],
    ['the same in one C1 character', 'a\u009b201~b', 'a201~b'],
    ['control characters', 'a\u0003\u0004\u0000\u007fb', 'ab'],
  ])('takes out %s', (_what, text, clean) => {
    expect(cleanPaste(text)).toBe(clean);
  });

  it('has a limit', () => {
    expect(cleanPaste('x'.repeat(MAX_PASTE_CHARS))).toHaveLength(MAX_PASTE_CHARS);
    expect(cleanPaste('x'.repeat(MAX_PASTE_CHARS + 1))).toHaveLength(MAX_PASTE_CHARS);
  });
});
