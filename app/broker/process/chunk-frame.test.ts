import { describe, expect, it } from 'vitest';
import { FRAME_HEAD_BYTES, FRAME_TAIL_BYTES, frameChunk } from './chunk-frame.ts';

const roomFor = (text: string): Buffer => {
  const room = Buffer.alloc(FRAME_HEAD_BYTES + text.length + FRAME_TAIL_BYTES, '.');
  room.write(text, FRAME_HEAD_BYTES, 'latin1');
  return room;
};

describe('a chunk framed in place', () => {
  it.each([1, 15, 16, 255, 256, 4095, 70_000])('is one of %i bytes', (length) => {
    const text = 'x'.repeat(length);
    const framed = frameChunk(roomFor(text), FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + length);
    expect(framed.toString('latin1')).toBe(`${length.toString(16)}\r\n${text}\r\n`);
  });

  it('changes nothing farther out than its frame', () => {
    const room = Buffer.alloc(64, '.');
    room.write('abc', 30);
    frameChunk(room, 30, 33);
    expect(room.toString('latin1')).toBe(`${'.'.repeat(27)}3\r\nabc\r\n${'.'.repeat(29)}`);
  });

  it.each([
    ['no bytes, which would end the body', 20, 20],
    ['an end before its start', 20, 19],
    ['no room before it', 2, 20],
    ['no room behind it', 20, 63],
  ])('is none with %s', (_what, start, end) => {
    const room = Buffer.alloc(64);
    expect(() => frameChunk(room, start, end)).toThrow(RangeError);
    expect(room.equals(Buffer.alloc(64))).toBe(true);
  });
});
