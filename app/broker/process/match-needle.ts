import type { Needle } from './needles.ts';
import {
  bytesOf,
  endOf,
  isEscape,
  MAX_LAYERS,
  PARTIAL,
  readCharacter,
  valueOf,
} from './spelling.ts';

/** Deepest indentation of a wrapped line, in characters. */
export const MAX_INDENT_CHARS = 64;
/**
 * Fewest characters before a line break for which more data is waited for: with fewer, every other
 * line of a stream would be held because its last letter begins some encoded secret.
 */
export const MIN_CHARS_BEFORE_BREAK = 3;

/** The needle does not stand there. */
export const NO_MATCH = -2;
/** So far it does, and the data ends. */
export const PARTIAL_MATCH = -1;
/** So far it does, and the data ends, but with so little of it that it may not be held back. */
export const EARLY_MATCH = -3;

/** Most line breaks in a row inside a wrapped text. */
export const MAX_BREAKS_IN_A_ROW = 2;

const CR = 0x0d;
const LF = 0x0a;
export const isBreak = (value: number): boolean => value === CR || value === LF;

/** Where the text goes on after a break character that was read through `layers` and ends at `end`. */
export const afterBreak = (
  data: Buffer,
  value: number,
  end: number,
  layers: number,
  last: boolean,
): number => {
  let at = end;
  if (value === CR) {
    const next = readCharacter(data, at, layers, last);
    if (next >= 0 && valueOf(next) === LF) at = endOf(next);
  }
  for (let count = 0; count < MAX_INDENT_CHARS; count += 1) {
    const byte = data[at];
    if (byte !== 0x20 && byte !== 0x09) break;
    at += 1;
  }
  return at;
};

/**
 * Whether the needle's bytes from `index` on stand at `from`, each as it is or escaped, in any mix,
 * and where it may be wrapped with line breaks between. Gives the end,
 * `PARTIAL_MATCH`, `EARLY_MATCH` or `NO_MATCH`.
 */
export const matchNeedle = (
  needle: Needle,
  index: number,
  data: Buffer,
  from: number,
  last: boolean,
): number => {
  const { find, wraps } = needle;
  let partial = false;
  let early = false;
  // A character may be read in more than one way where the needle itself has escapes in it.
  const waiting: [at: number, place: number, breaks: number][] = [[index, from, 0]];
  const seen = new Set<number>();
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    let [at, place, breaks] = state;
    for (;;) {
      if (at === find.length) return place;
      const byte = data[place];
      if (byte === undefined) {
        partial ||= !last;
        break;
      }
      const wanted = find[at];
      if (!isEscape(byte)) {
        if (byte === wanted) {
          at += 1;
          place += 1;
          breaks = 0;
          continue;
        }
        if (!wraps || at === 0 || !isBreak(byte)) break;
        breaks += 1;
        if (breaks > MAX_BREAKS_IN_A_ROW) break;
        place = afterBreak(data, byte, place + 1, 0, last);
        if (place === data.length && at < MIN_CHARS_BEFORE_BREAK) {
          early ||= !last;
          break;
        }
        continue;
      }
      let next = -1;
      let nextAt = at;
      for (let layers = MAX_LAYERS; layers >= 0; layers -= 1) {
        const read = readCharacter(data, place, layers, last);
        if (read === PARTIAL) partial = true;
        if (read < 0) continue;
        const value = valueOf(read);
        let end = endOf(read);
        let reached = -1;
        if (value === wanted) reached = at + 1;
        else if (wraps && at > 0 && breaks < MAX_BREAKS_IN_A_ROW && isBreak(value)) {
          end = afterBreak(data, value, end, layers, last);
          if (end < data.length || at >= MIN_CHARS_BEFORE_BREAK) reached = at;
          else early ||= !last;
        } else if (value > 0xff) {
          const bytes = bytesOf(value);
          if (find.subarray(at, at + bytes.length).equals(bytes)) reached = at + bytes.length;
        }
        if (reached < 0 || (reached === nextAt && end === next)) continue;
        if (next < 0) {
          next = end;
          nextAt = reached;
          continue;
        }
        const key = end * (find.length + 1) + reached;
        if (!seen.has(key)) {
          seen.add(key);
          waiting.push([reached, end, reached === at ? breaks + 1 : 0]);
        }
      }
      if (next < 0) break;
      breaks = nextAt === at ? breaks + 1 : 0;
      at = nextAt;
      place = next;
    }
  }
  if (partial) return PARTIAL_MATCH;
  return early ? EARLY_MATCH : NO_MATCH;
};
