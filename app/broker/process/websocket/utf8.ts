import { isUtf8 } from 'node:buffer';

/** How many bytes at the end are the beginning of a character that is not there whole: 0 to 3. */
const unfinished = (bytes: Buffer): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needs > back ? back : 0;
    }
  }
  return 0;
};

/** Checks that a stream of chunks is UTF-8, wherever characters are cut. */
export type TextCheck = {
  /** False once it can no longer be UTF-8. */
  readonly push: (chunk: Buffer) => boolean;
  /** Whether it ends at the end of a character; afterwards the next text may begin. */
  readonly end: () => boolean;
};

export const createTextCheck = (): TextCheck => {
  let rest = Buffer.alloc(0);
  return {
    push: (chunk) => {
      const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const cut = data.length - unfinished(data);
      rest = Buffer.from(data.subarray(cut));
      return isUtf8(data.subarray(0, cut));
    },
    end: () => {
      const whole = rest.length === 0;
      rest = Buffer.alloc(0);
      return whole;
    },
  };
};

/** The beginning of a text that is at most so many bytes long and ends with a whole character. */
export const cutText = (text: Buffer, maxBytes: number): Buffer => {
  if (text.length <= maxBytes) return text;
  const cut = text.subarray(0, maxBytes);
  return cut.subarray(0, cut.length - unfinished(cut));
};
