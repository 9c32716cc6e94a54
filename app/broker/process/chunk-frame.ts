/** Bytes that a chunk's size line may take before it: eight digits and a line break. */
export const FRAME_HEAD_BYTES = 10;
/** Bytes of the line break after a chunk. */
export const FRAME_TAIL_BYTES = 2;

/**
 * Frames the bytes from `start` to `end` of a buffer as one chunk of a chunked body (RFC 9112 7.1):
 * size line and line break are written around them, into `FRAME_HEAD_BYTES` before and
 * `FRAME_TAIL_BYTES` behind, which have to be free. Not for an empty chunk, which would end the body.
 */
export const frameChunk = (room: Buffer, start: number, end: number): Buffer => {
  const size = `${(end - start).toString(16)}\r\n`;
  const from = start - size.length;
  if (end <= start || from < 0 || end + FRAME_TAIL_BYTES > room.length)
    throw new RangeError('a chunk needs bytes, and room for its frame around them');
  room.write(size, from, 'latin1');
  room[end] = 0x0d;
  room[end + 1] = 0x0a;
  return room.subarray(from, end + FRAME_TAIL_BYTES);
};
