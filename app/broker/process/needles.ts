import { isAscii } from 'node:buffer';
import { ESCAPES } from './spelling.ts';

/** Something to look for in bytes, and what stands there instead. */
export type Needle = {
  readonly find: Buffer;
  /** What takes the place of these bytes, which are the needle as it was spelt. */
  readonly replace: (spelt: Buffer) => Buffer;
  /** Index of the credential it belongs to. */
  readonly owner: number;
  /** Characters of it may be escaped. */
  readonly escapes: boolean;
  /** Line breaks, with the next line's indentation, may stand between its bytes. */
  readonly wraps: boolean;
};

/**
 * Places inside needles, each after `index` bytes of one, by a key. In a few long arrays and no objects:
 * a session's tokens have a million of them, and each that is minted prepares all of them anew.
 */
export type Spots = {
  /** Where those of each key begin, and behind the last key where they end. */
  readonly starts: Uint32Array;
  /** Which needle of the list, longest first for each key. */
  readonly needles: Uint32Array;
  readonly indexes: Uint16Array;
};

/** A set of needles, ready for searching. */
export type Needles = {
  readonly list: readonly Needle[];
  /** For each first byte, the needles that begin with it; undefined where there are none. */
  readonly byFirst: readonly (readonly Needle[] | undefined)[];
  /** For each pair of bytes, the needles that begin with it. */
  readonly byStart: ReadonlyMap<number, readonly Needle[]>;
  /** One bit for each pair in `byStart`. */
  readonly startPairs: Uint8Array;
  readonly longestBytes: number;
  readonly shortestBytes: number;
  /** How far apart the grams are that are looked at: one of them lies inside whatever is found. */
  readonly stride: number;
  /** Which bytes of three count as a gram. */
  readonly gramMask: number;
  /** One bit for each place that the hash of a gram in `byGram` leads to. */
  readonly grams: Uint8Array;
  /** How far that hash is moved down to find its place. */
  readonly gramShift: number;
  /** Where needles have a gram, by its hash: a few others share its key. */
  readonly byGram: Spots;
  /** How far that hash is moved down to find the key. */
  readonly byGramShift: number;
  /** The spots between each pair of neighbours in a needle that may be escaped, by the pair's rank. */
  readonly spots: Spots;
  /** One for each byte that a line break may follow inside a needle. */
  readonly beforeBreak: Uint8Array;
  /** One bit for each pair in `spots`. */
  readonly spotPairs: Uint8Array;
  /** How many of them are set before each of its bytes, and in all. */
  readonly spotPairsBefore: Uint32Array;
  readonly escapes: boolean;
  readonly wraps: boolean;
  /** Those in which a byte stands that an escape begins with: one text may be read as them in many ways. */
  readonly ambiguous: ReadonlySet<Needle>;
  /** Whether any holds a byte beyond ASCII. */
  readonly wide: boolean;
};

/** Shortest and longest needle that can be looked for, in bytes. */
export const MIN_NEEDLE_BYTES = 2;
export const MAX_NEEDLE_BYTES = 65_535;

/** Bytes by which the search tells that a place is worth a look; two where the shortest needle has no more. */
const GRAM_BYTES = 3;
/** Most bytes from one gram that is looked at to the next: farther apart saves no time, and each needle would have more of them. */
const MAX_STRIDE = 64;
/** Fewest and most bits of a place in the map of grams: small ones stay in the processor's cache. */
const MIN_MAP_BITS = 13;
const MAX_MAP_BITS = 20;
/** Bytes at a needle’s end that tell it from nearly all others. */
const END_BYTES = 6;
/** Places in the map for each gram, so that few others share one. */
const MAP_PLACES_FOR_EACH = 128;

/** The bytes at a place, as a number. */
export const gramAt = (bytes: Uint8Array, at: number, mask: number): number =>
  (((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)) & mask;

/** Where a gram is in the map. */
export const placeOf = (gram: number, shift: number): number =>
  Math.imul(gram, 0x9e3779b1) >>> shift;

/** The two bytes at a place, as a number. */
const pairAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** How many bits number that many places, within bounds. */
const bitsFor = (places: number, fewest: number, most: number): number =>
  Math.min(most, Math.max(fewest, Math.ceil(Math.log2(places + 1))));

const append = <T>(map: Map<number, T[]>, key: number, value: T): void => {
  const there = map.get(key);
  if (there === undefined) map.set(key, [value]);
  else there.push(value);
};

const mark = (bits: Uint8Array, index: number): void => {
  bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
};

/** Whether a bit is set. */
export const isMarked = (bits: Uint8Array, index: number): boolean =>
  ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;

/** How many bits are set in each byte there is. */
const ONES = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte.toString(2).replaceAll('0', '').length,
);

/** How many bits of a map are set before each of its bytes, and in all. */
const countBefore = (bits: Uint8Array): Uint32Array => {
  const before = new Uint32Array(bits.length + 1);
  for (let at = 0; at < bits.length; at += 1)
    before[at + 1] = (before[at] as number) + (ONES[bits[at] as number] as number);
  return before;
};

/** How many bits of a map are set before an index: its rank, by which a table needs no room for the others. */
export const rankOf = (bits: Uint8Array, before: Uint32Array, index: number): number =>
  (before[index >> 3] as number) +
  (ONES[(bits[index >> 3] ?? 0) & ((1 << (index & 7)) - 1)] as number);

/** The last bytes of a needle as a number: beginnings are alike, ends of different needles seldom are. */
const endOf = (find: Buffer): number =>
  find.subarray(-END_BYTES).reduce((number, byte) => number * 0x100 + byte, 0);

/** Needles without those that another finds already; where one may be escaped or wrapped, that one stays. */
const unique = (needles: readonly Needle[]): readonly Needle[] => {
  const kept: Needle[] = [];
  const byEnd = new Map<number, number[]>();
  for (const needle of needles) {
    const end = endOf(needle.find);
    const place = byEnd.get(end)?.find((at) => kept[at]?.find.equals(needle.find));
    if (place === undefined) {
      append(byEnd, end, kept.length);
      kept.push(needle);
    } else if (kept[place]?.wraps === false && needle.wraps && needle.escapes) {
      kept[place] = needle;
    }
  }
  return kept.toSorted((a, b) => b.find.length - a.find.length);
};

/**
 * Puts spots in order of their keys: counts them first, so that each can be put in its place. `keys`
 * has those of the first needle, from index `first` on, then those of the second: `counts` of each.
 */
const gatherSpots = (
  keys: Uint32Array,
  counts: Uint32Array,
  first: number,
  keyCount: number,
): Spots => {
  const starts = new Uint32Array(keyCount + 1);
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at] as number;
    starts[key] = (starts[key] as number) + 1;
  }
  for (let key = 1; key < starts.length; key += 1)
    starts[key] = (starts[key] as number) + (starts[key - 1] as number);
  // Each now says where its spots end. Filled from behind, it says where they begin.
  const needles = new Uint32Array(keys.length);
  const indexes = new Uint16Array(keys.length);
  let at = keys.length;
  for (let needle = counts.length - 1; needle >= 0; needle -= 1) {
    for (let index = first + (counts[needle] as number) - 1; index >= first; index -= 1) {
      at -= 1;
      const key = keys[at] as number;
      const place = (starts[key] as number) - 1;
      starts[key] = place;
      needles[place] = needle;
      indexes[place] = index;
    }
  }
  return { starts, needles, indexes };
};

/** The spots at which needles have a gram. */
const gatherGrams = (
  list: readonly Needle[],
  stride: number,
  gramMask: number,
  keyBits: number,
): Spots => {
  const keys = new Uint32Array(list.length * stride);
  let at = 0;
  for (const { find } of list) {
    for (let index = 0; index < stride; index += 1) {
      keys[at] = placeOf(gramAt(find, index, gramMask), 32 - keyBits);
      at += 1;
    }
  }
  return gatherSpots(keys, new Uint32Array(list.length).fill(stride), 0, 2 ** keyBits);
};

/** The spots between neighbours in needles that may be escaped. */
const gatherPairs = (
  list: readonly Needle[],
  spotPairs: Uint8Array,
  before: Uint32Array,
): Spots => {
  const counts = Uint32Array.from(list, ({ find, escapes }) => (escapes ? find.length - 1 : 0));
  const keys = new Uint32Array(counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  for (const { find, escapes } of list) {
    if (!escapes) continue;
    for (let index = 1; index < find.length; index += 1) {
      keys[at] = rankOf(spotPairs, before, pairAt(find, index - 1));
      at += 1;
    }
  }
  return gatherSpots(keys, counts, 1, before.at(-1) ?? 0);
};

/**
 * Prepares a search for all needles. As they are, they are found by their grams: of any stretch as
 * long as the shortest needle one gram is looked at, and nearly always that says that nothing is
 * there. Escaped or wrapped ones are found from the first byte in them that is not as it is. Longest
 * first, so that of two needles at one place the longer one is taken.
 */
export const prepareNeedles = (needles: readonly Needle[]): Needles => {
  const list = unique(needles);
  const longest = list[0]?.find.length ?? 0;
  const window = list.at(-1)?.find.length ?? MIN_NEEDLE_BYTES;
  if (window < MIN_NEEDLE_BYTES) throw new Error('a needle is too short to look for');
  if (longest > MAX_NEEDLE_BYTES) throw new Error('a needle is too long to look for');
  const gramBytes = Math.min(GRAM_BYTES, window);
  const gramMask = gramBytes === GRAM_BYTES ? 0xffffff : 0xffff00;
  const stride = Math.min(MAX_STRIDE, window - gramBytes + 1);
  const gramCount = list.length * stride;
  const gramShift = 32 - bitsFor(gramCount * MAP_PLACES_FOR_EACH, MIN_MAP_BITS, MAX_MAP_BITS);
  const byGramBits = bitsFor(gramCount, 1, MAX_MAP_BITS);
  const grams = new Uint8Array(2 ** (32 - gramShift - 3));
  const byFirst = Array.from({ length: 256 }, (): Needle[] | undefined => undefined);
  const byStart = new Map<number, Needle[]>();
  const startPairs = new Uint8Array(8192);
  const beforeBreak = new Uint8Array(256);
  const spotPairs = new Uint8Array(8192);
  for (const needle of list) {
    const { find, escapes, wraps } = needle;
    (byFirst[find[0] ?? 0] ??= []).push(needle);
    append(byStart, pairAt(find, 0), needle);
    mark(startPairs, pairAt(find, 0));
    for (let index = 0; index < stride; index += 1)
      mark(grams, placeOf(gramAt(find, index, gramMask), gramShift));
    if (!escapes) continue;
    for (let index = 1; index < find.length; index += 1) {
      if (wraps) beforeBreak[find[index - 1] as number] = 1;
      mark(spotPairs, pairAt(find, index - 1));
    }
  }
  const spotPairsBefore = countBefore(spotPairs);
  return {
    list,
    byFirst,
    byStart,
    startPairs,
    longestBytes: longest,
    shortestBytes: window,
    stride,
    gramMask,
    grams,
    gramShift,
    byGram: gatherGrams(list, stride, gramMask, byGramBits),
    byGramShift: 32 - byGramBits,
    spots: gatherPairs(list, spotPairs, spotPairsBefore),
    beforeBreak,
    spotPairs,
    spotPairsBefore,
    escapes: list.some((needle) => needle.escapes),
    wraps: list.some((needle) => needle.wraps),
    ambiguous: new Set(
      list.filter(({ find, escapes }) => escapes && ESCAPES.some((byte) => find.includes(byte))),
    ),
    wide: list.some(({ find }) => !isAscii(find)),
  };
};
