import {
  afterBreak,
  EARLY_MATCH,
  isBreak,
  matchNeedle,
  MAX_BREAKS_IN_A_ROW,
  NO_MATCH,
  PARTIAL_MATCH,
  type KnownStates,
} from './match-needle.ts';
import { nextOf } from './next-byte.ts';
import { isMarked, rankOf, type Needle, type Needles } from './needles.ts';
import {
  bytesOf,
  endOf,
  ESCAPES,
  glance,
  isEscape,
  MAX_LAYERS,
  PARTIAL,
  readCharacter,
  UNSURE,
  valueOf,
  WIDE,
} from './spelling.ts';

/** A needle in the data, or the beginning of one that the data may yet complete. */
export type Found =
  | {
      readonly type: 'whole';
      readonly start: number;
      readonly end: number;
      readonly needle: Needle;
    }
  | { readonly type: 'begun'; readonly start: number }
  | { readonly type: 'early'; readonly start: number };

/** A plain loop: most comparisons end at the first byte, where a native call would cost more. */
export const isAt = (find: Buffer, data: Buffer, start: number, count: number): boolean => {
  if (start < 0) return false;
  for (let index = count - 1; index >= 0; index -= 1) {
    if (data[start + index] !== find[index]) return false;
  }
  return true;
};

/** What was tried of a needle that has escapes in it. */
type Tried = {
  /** By each start, the first index that it was tried from: from there all later ones are seen too. */
  readonly starts: Map<number, number>;
  readonly known: KnownStates;
};

const BREAKS: readonly number[] = [0x0a, 0x0d];

/**
 * Finds the needles that are escaped or wrapped, and the beginnings of such: from each byte of the
 * data that may be the first in one that is not as it is, and from what stands before it.
 */
export const findIrregular = (
  needles: Needles,
  data: Buffer,
  last: boolean,
  found: Found[],
): void => {
  const { list, ambiguous, beforeBreak, byFirst, spots, spotPairs, spotPairsBefore } = needles;
  const tried = new Map<Needle, Tried>();

  /** Undefined where a needle was tried from this start already, at this index or before it. */
  const triedOf = (needle: Needle, index: number, start: number): Tried | undefined => {
    let there = tried.get(needle);
    if (there === undefined) {
      there = { starts: new Map(), known: new Map() };
      tried.set(needle, there);
    }
    if ((there.starts.get(start) ?? Infinity) <= index) return undefined;
    there.starts.set(start, index);
    return there;
  };

  const tryAt = (needle: Needle, index: number, place: number): void => {
    const start = place - index;
    if (index > 0 && !isAt(needle.find, data, start, index)) return;
    let known: KnownStates | undefined;
    if (ambiguous.has(needle)) {
      known = triedOf(needle, index, start)?.known;
      if (known === undefined) return;
    }
    const end = matchNeedle(needle, index, data, place, last, known);
    if (end === PARTIAL_MATCH) found.push({ type: 'begun', start });
    else if (end === EARLY_MATCH) found.push({ type: 'early', start });
    else if (end !== NO_MATCH) found.push({ type: 'whole', start, end, needle });
  };

  /** Tries the spots of pairs, from one rank to before another. */
  const trySpots = (from: number, to: number, place: number, wrapped: boolean): void => {
    const { starts, needles: which, indexes } = spots;
    const end = starts[to] as number;
    for (let at = starts[from] as number; at < end; at += 1) {
      const needle = list[which[at] as number] as Needle;
      if (!wrapped || needle.wraps) tryAt(needle, indexes[at] as number, place);
    }
  };

  /** Tries what may go on with this byte after the one before. */
  const tryByte = (place: number, byte: number, wrapped: boolean): void => {
    if (!wrapped) {
      const first = byFirst[byte];
      if (first !== undefined)
        for (const needle of first) if (needle.escapes) tryAt(needle, 0, place);
    }
    if (place === 0) return;
    const pair = ((data[place - 1] ?? 0) << 8) | byte;
    if (!isMarked(spotPairs, pair)) return;
    const rank = rankOf(spotPairs, spotPairsBefore, pair);
    trySpots(rank, rank + 1, place, wrapped);
  };

  /** Tries everything: what stands there, only more data will tell. */
  const tryAll = (place: number, wrapped: boolean): void => {
    if (!wrapped) for (const needle of list) if (needle.escapes) tryAt(needle, 0, place);
    if (place === 0) return;
    // All pairs that begin with the byte before.
    const pairs = (data[place - 1] ?? 0) << 8;
    trySpots(
      rankOf(spotPairs, spotPairsBefore, pairs),
      rankOf(spotPairs, spotPairsBefore, pairs + 0x100),
      place,
      wrapped,
    );
  };

  /** Calls back for each thing that the escape at a place may stand for; false where more data is needed. */
  const eachReading = (
    place: number,
    take: (value: number, end: number, layers: number) => void,
  ): boolean => {
    let before = -1;
    for (let layers = 1; layers <= MAX_LAYERS; layers += 1) {
      const read = readCharacter(data, place, layers, last);
      if (read === PARTIAL) return false;
      if (read < 0 || read === before) continue;
      before = read;
      const value = valueOf(read);
      if (endOf(read) > place + 1) take(value, endOf(read), layers);
      if (!isEscape(value)) return true;
    }
    return true;
  };

  const firstByte = (value: number): number => (value > 0xff ? (bytesOf(value)[0] ?? 0) : value);

  const onBreak = (place: number, value: number, end: number, layers: number): void => {
    // Where no wrapped needle goes on after what stands before, nothing can begin further back.
    if (place === 0 || beforeBreak[data[place - 1] ?? 0] !== 1) return;
    let next = afterBreak(data, value, end, layers, last);
    for (let more = 1; more < MAX_BREAKS_IN_A_ROW; more += 1) {
      const byte = data[next];
      if (byte === undefined || !isBreak(byte)) break;
      next = afterBreak(data, byte, next + 1, 0, last);
    }
    const byte = data[next];
    if (byte === undefined) {
      if (!last) tryAll(place, true);
    } else if (!isEscape(byte)) tryByte(place, byte, true);
    else {
      let unclear = false;
      const told = eachReading(next, (after) => {
        unclear ||= isBreak(after);
        tryByte(place, firstByte(after), true);
      });
      if (!told || unclear) tryAll(place, true);
    }
  };

  const onEscape = (place: number): void => {
    const glanced = glance(data, place);
    if (glanced === UNSURE || (glanced === WIDE && needles.wide)) {
      const told = eachReading(place, (value, end, layers) => {
        if (needles.wraps && isBreak(value)) onBreak(place, value, end, layers);
        tryByte(place, firstByte(value), false);
      });
      if (!told) tryAll(place, false);
    } else if (glanced >= 0) {
      tryByte(place, glanced, false);
      // How long the escape is, depends on its kind: `\n`, `%0A`, `\u000a`.
      if (needles.wraps && isBreak(glanced)) {
        const told = eachReading(place, (value, end, layers) => {
          if (isBreak(value)) onBreak(place, value, end, layers);
        });
        if (!told) tryAll(place, true);
      }
    }
  };

  for (const escape of ESCAPES) {
    for (let at = data.indexOf(escape); at >= 0; at = nextOf(data, escape, at + 1)) onEscape(at);
  }
  for (const lineBreak of needles.wraps ? BREAKS : []) {
    // Lines are long: the native search at once, without a look at the next bytes by hand.
    for (let at = data.indexOf(lineBreak); at >= 0; at = data.indexOf(lineBreak, at + 1))
      onBreak(at, lineBreak, at + 1, 0);
  }
};
