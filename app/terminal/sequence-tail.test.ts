import { describe, expect, it } from 'vitest';
import { createSequenceTail, MAX_TAIL_BYTES } from './sequence-tail.ts';

const tailAfter = (...parts: readonly string[]): string => {
  const tail = createSequenceTail();
  for (const part of parts) tail.feed(Buffer.from(part, 'latin1'));
  return Buffer.from(tail.bytes()).toString('latin1');
};

describe('the unfinished end of a terminal stream', () => {
  it.each([
    ['text ends clean', 'hello\r\n', ''],
    ['a whole colour sequence', '\x1b[31mred', ''],
    ['a lone ESC', 'abc\x1b', '\x1b'],
    ['a CSI without its end', 'abc\x1b[38;2;1', '\x1b[38;2;1'],
    ['a charset choice without its end', 'abc\x1b(', '\x1b('],
    ['a title without its end', '\x1b]0;tit', '\x1b]0;tit'],
    ['a title ended by BEL', '\x1b]0;title\x07x', ''],
    ['a title ended by ST', '\x1b]0;title\x1b\\x', ''],
    ['the first half of ST', '\x1b]0;title\x1b', '\x1b'],
    ['BEL does not end a DCS', '\x1bPq\x07#0', '\x1bPq\x07#0'],
    ['CAN gives up a sequence', '\x1b[38;\x18x', ''],
    ['half a character', 'caf\xc3', '\xc3'],
    ['a whole character', 'caf\xc3\xa9', ''],
    ['three of four bytes', '\xf0\x9f\x98', '\xf0\x9f\x98'],
    ['a character broken by text', '\xf0\x9fabc', ''],
    ['a character broken by a sequence', '\xf0\x9f\x1b[1', '\x1b[1'],
    ['a character inside a title', '\x1b]0;caf\xc3\xa9', '\x1b]0;caf\xc3\xa9'],
    ['CSI in its C1 form', 'x\xc2\x9b3', '\xc2\x9b3'],
    ['CSI in its C1 form, complete', 'x\xc2\x9b31m', ''],
    ['OSC in its C1 form ended by C1 ST', '\xc2\x9d0;t\xc2\x9c', ''],
  ])('%s', (_name, input, expected) => {
    expect(tailAfter(input)).toBe(expected);
    // Cut anywhere, the answer is the same.
    for (let cut = 0; cut <= input.length; cut += 1) {
      expect(tailAfter(input.slice(0, cut), input.slice(cut))).toBe(expected);
    }
  });

  it('keeps no more than its cap of an endless sequence', () => {
    const tail = createSequenceTail();
    const chunk = Buffer.alloc(10_000, 'q');
    tail.feed(Buffer.from('\x1bP'));
    for (let i = 0; i < 20; i += 1) tail.feed(chunk);
    expect(tail.bytes().byteLength).toBe(MAX_TAIL_BYTES);
    tail.feed(Buffer.from('\x1b\\'));
    expect(tail.bytes().byteLength).toBe(0);
  });
});
