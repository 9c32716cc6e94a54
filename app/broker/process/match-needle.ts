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

/** Most states of a needle's match that are remembered at once. */
export const MAX_KNOWN_STATES = 2 ** 18;

/** What matching one needle came to from places in one text where its characters could be read in several ways. */
export type KnownStates = Map<number, number>;

/** What two ways of reading come to: the longer one that finds it, else what may yet. */
const either = (one: number, other: number): number => {
  if (one >= 0 || other >= 0) return Math.max(one, other);
  if (other === NO_MATCH) return one;
  if (one === NO_MATCH) return other;
  return one === PARTIAL_MATCH ? one : other;
};

/** Where in a needle, where in the text, and behind how many line breaks. */
type State = readonly [at: number, place: number, breaks: number];

/**
 * Whether the needle's bytes from `index` on stand at `from`, each as it is or escaped, in any mix,
 * and where it may be wrapped with line breaks between. Gives the end,
 * `PARTIAL_MATCH`, `EARLY_MATCH` or `NO_MATCH`. `known` is of this needle, text and `last` alone.
 */
export const matchNeedle = (
  needle: Needle,
  index: number,
  data: Buffer,
  from: number,
  last: boolean,
  known?: KnownStates,
): number => {
  const { find, wraps } = needle;
  let states = known;

  const matchFrom = (state: State): number => {
    let [at, place, breaks] = state;
    let short = NO_MATCH;
    for (;;) {
      if (at === find.length) return place;
      const byte = data[place];
      if (byte === undefined) return last ? short : PARTIAL_MATCH;
      const wanted = find[at];
      if (!isEscape(byte)) {
        if (byte === wanted) {
          at += 1;
          place += 1;
          breaks = 0;
          continue;
        }
        if (!wraps || at === 0 || !isBreak(byte)) return short;
        breaks += 1;
        if (breaks > MAX_BREAKS_IN_A_ROW) return short;
        place = afterBreak(data, byte, place + 1, 0, last);
        if (place === data.length && at < MIN_CHARS_BEFORE_BREAK)
          return last ? short : either(short, EARLY_MATCH);
        continue;
      }
      let next: State | undefined;
      let others: State[] | undefined;
      for (let layers = MAX_LAYERS; layers >= 0; layers -= 1) {
        const read = readCharacter(data, place, layers, last);
        if (read === PARTIAL) short = PARTIAL_MATCH;
        if (read < 0) continue;
        const value = valueOf(read);
        let end = endOf(read);
        let reached = -1;
        if (value === wanted) reached = at + 1;
        else if (wraps && at > 0 && breaks < MAX_BREAKS_IN_A_ROW && isBreak(value)) {
          end = afterBreak(data, value, end, layers, last);
          if (end < data.length || at >= MIN_CHARS_BEFORE_BREAK) reached = at;
          else if (!last) short = either(short, EARLY_MATCH);
        } else if (value > 0xff) {
          const bytes = bytesOf(value);
          if (find.subarray(at, at + bytes.length).equals(bytes)) reached = at + bytes.length;
        }
        if (reached < 0 || (reached === next?.[0] && end === next[1])) continue;
        const reading: State = [reached, end, reached === at ? breaks + 1 : 0];
        if (next === undefined) next = reading;
        else (others ??= []).push(reading);
      }
      if (next === undefined) return short;
      if (others === undefined) {
        [at, place, breaks] = next;
        continue;
      }
      // The needle itself has escapes in it: what each way comes to is the same from wherever it is reached.
      const key = (place * (find.length + 1) + at) * (MAX_BREAKS_IN_A_ROW + 1) + breaks;
      states ??= new Map();
      let told = states.get(key);
      if (told === undefined) {
        told = matchFrom(next);
        for (const other of others) told = either(told, matchFrom(other));
        if (states.size >= MAX_KNOWN_STATES) states.clear();
        states.set(key, told);
      }
      return either(told, short);
    }
  };

  return matchFrom([index, from, 0]);
};
