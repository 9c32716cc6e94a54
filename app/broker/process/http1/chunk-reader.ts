import { MAX_HEADER_BYTES } from '../request-head.ts';
import type { HeaderPairs } from '../request.ts';
import { readFields } from './fields.ts';
import { isMalformed, malformed, type Malformed } from './malformed.ts';

/** Longest line that tells a chunk's size, its extensions included, in bytes. */
export const MAX_CHUNK_LINE_BYTES = 4096;

const NAME = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED =
  '"(?:[\\t !\\u0023-\\u005b\\u005d-\\u007e\\u0080-\\u00ff]|\\\\[\\t -~\\u0080-\\u00ff])*"';
/** A size with extensions, without the blanks that RFC 9112 7.1.1 calls bad. */
const SIZE_LINE = new RegExp(`^0*([0-9A-Fa-f]{1,13})(?:;${NAME}(?:=(?:${NAME}|${QUOTED}))?)*$`);
const LF = 0x0a;

/** Fields that would frame the body that is already over. */
const framing = (fields: HeaderPairs): boolean =>
  fields.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));

/** Takes chunked transfer coding off (RFC 9112 7.1), in pieces as they come. */
export type ChunkReader = {
  /**
   * Reads from a place in a piece on, and tells each part of the body. Gives the place after what it read:
   * the piece's end, or where the body ended.
   */
  readonly push: (bytes: Buffer, from: number, tell: (part: Buffer) => void) => number | Malformed;
  /** The trailers, once the body has ended. */
  readonly trailers: () => HeaderPairs | undefined;
};

export const createChunkReader = (): ChunkReader => {
  let state: 'size' | 'data' | 'gap' | 'trailer' | 'done' = 'size';
  let line = '';
  let left = 0;
  let trailerBytes = 0;
  const trailerLines: string[] = [];
  let trailers: HeaderPairs | undefined;

  /** Takes one line that ended in CR LF, without them. */
  const onLine = (text: string): Malformed | undefined => {
    if (state === 'gap') {
      if (text !== '') return malformed('a chunk that is longer than it said');
      state = 'size';
      return undefined;
    }
    if (state === 'size') {
      const [, digits] = SIZE_LINE.exec(text) ?? [];
      if (digits === undefined) return malformed('a chunk without a size');
      left = Number.parseInt(digits, 16);
      state = left === 0 ? 'trailer' : 'data';
      return undefined;
    }
    if (text !== '') {
      trailerLines.push(text);
      return undefined;
    }
    const fields = readFields(trailerLines);
    if (isMalformed(fields)) return fields;
    if (framing(fields)) return malformed('a trailer that frames its body');
    trailers = fields;
    state = 'done';
    return undefined;
  };

  return {
    trailers: () => trailers,
    push: (bytes, from, tell) => {
      let at = from;
      while (at < bytes.length && state !== 'done') {
        if (state === 'data') {
          const end = Math.min(bytes.length, at + left);
          left -= end - at;
          if (left === 0) state = 'gap';
          tell(bytes.subarray(at, end));
          at = end;
          continue;
        }
        const lf = bytes.indexOf(LF, at);
        const end = lf < 0 ? bytes.length : lf + 1;
        line += bytes.toString('latin1', at, end);
        if (state === 'trailer') trailerBytes += end - at;
        at = end;
        if (line.length > MAX_CHUNK_LINE_BYTES && state !== 'trailer')
          return malformed('a chunk size that is too long');
        if (trailerBytes > MAX_HEADER_BYTES) return malformed('trailers that are too large');
        if (lf < 0) break;
        if (!line.endsWith('\r\n')) return malformed('a line that ends in a bare line feed');
        const wrong = onLine(line.slice(0, -2));
        if (wrong !== undefined) return wrong;
        line = '';
      }
      return at;
    },
  };
};
