import { describe, expect, it } from 'vitest';
import { createTerminalFilter, MAX_HELD_BYTES } from './terminal-filter.ts';

const filtered = (...parts: readonly (string | Uint8Array)[]): string => {
  const filter = createTerminalFilter();
  return parts
    .map((part) => Buffer.from(filter(Buffer.from(part as string, 'utf8'))).toString('utf8'))
    .join('');
};

describe('what reaches the user’s own terminal', () => {
  it.each([
    'plain text\r\n\ttab\b\x07',
    'héllo 😀 日本 \u00a0 ¡',
    '\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mrgb\x1b[m',
    '\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l\x1b[?2004h\x1b[?1006h\x1b[>1u',
    '\x1b7\x1b8\x1b(B\x1b)0\x1bM\x1bc\x1b=\x1b>\x1b#8',
    '\x1b[6n\x1b[c\x1b[>c',
    '\x1b]11;?\x07\x1b]10;?\x1b\\\x1b]4;7;?\x07',
  ])('passes %j', (text) => {
    expect(filtered(text)).toBe(text);
    const filter = createTerminalFilter();
    const bytewise = Array.from(Buffer.from(text), (byte) => filter(Uint8Array.of(byte)));
    expect(Buffer.concat(bytewise).toString('utf8')).toBe(text);
  });

  it.each([
    ['clipboard', '\x1b]52;c;cm0gLXJmIH4=\x07'],
    ['clipboard with ST', '\x1b]52;c;cm0gLXJmIH4=\x1b\\'],
    ['title', '\x1b]0;rm -rf ~\x07'],
    ['link', '\x1b]8;;https://evil.example\x1b\\'],
    ['notification', '\x1b]9;hello\x07\x1b]777;notify;a;b\x07'],
    ['file download', '\x1b]1337;File=name=eA==;inline=0:AAAA\x07'],
    ['colour change', '\x1b]11;#ffffff\x07'],
    ['device control', '\x1bP+q544e\x1b\\\x1bP$q"p\x1b\\'],
    ['kitty graphics that read a file', '\x1b_Gt=f,a=T;L2V0Yy9wYXNzd2Q=\x1b\\'],
    ['privacy message and start of string', '\x1b^x\x1b\\\x1bXx\x1b\\'],
    ['title report', '\x1b[21t'],
    ['window size and move', '\x1b[8;1;1t\x1b[3;0;0t'],
    ['printing', '\x1b[5i'],
    ['answerback', '\x05'],
    ['C1 in UTF-8', '\u009d\u009b\u0090\u009c'],
    ['coding system switch', '\x1b%@\x1b%G'],
    ['cancelled sequence', '\x1b]52;c;\x18'],
    ['a control hidden between ESC and ]', '\x1b\n]'],
    ['a control hidden between ESC and [', '\x1b\n['],
  ])('leaves out: %s', (_name, text) => {
    expect(filtered('a', text, 'b')).toBe('ab');
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(filtered(`a${text.slice(0, cut)}`, `${text.slice(cut)}b`)).toBe('ab');
    }
  });

  it('leaves out raw and overlong C1 bytes', () => {
    expect(filtered(Uint8Array.of(0x61, 0x9d, 0x62))).toBe('ab');
    expect(filtered(Uint8Array.of(0xc1, 0x9d, 0x62))).toBe('b');
    expect(filtered(Uint8Array.of(0xe0, 0x82, 0x9d, 0x62))).not.toContain('\u009d');
    expect(filtered(Uint8Array.of(0xc2), Uint8Array.of(0x9b), '31m')).toBe('31m');
  });

  it('lets a new sequence begin inside a string that another one broke', () => {
    expect(filtered('\x1b]52;c;AAAA\x1b[31mred')).toBe('\x1b[31mred');
    expect(filtered('\x1b]0;x\x1b]52;c;y\x07z')).toBe('z');
  });

  it('drops a sequence that is longer than its cap and recovers', () => {
    expect(filtered(`\x1b[${'1;'.repeat(MAX_HELD_BYTES)}mok`)).toBe('ok');
    expect(filtered(`\x1b]52;${'A'.repeat(1_000_000)}\x07ok`)).toBe('ok');
  });
});
