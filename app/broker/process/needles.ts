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

/** A place inside a needle: after `index` bytes of it. */
export type Spot = { readonly needle: Needle; readonly index: number };

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
  /** For each gram, where needles have it, longest first. */
  readonly byGram: ReadonlyMap<number, readonly Spot[]>;
  /** For each pair of neighbours in a needle that may be escaped, the spots between the two. */
  readonly spots: ReadonlyMap<number, readonly Spot[]>;
  /** For each byte in such a needle, the spots behind it; undefined where there are none. */
  readonly byPrevious: readonly (readonly Spot[] | undefined)[];
  /** One for each byte that a line break may follow inside a needle. */
  readonly beforeBreak: Uint8Array;
  /** One bit for each pair in `spots`. */
  readonly spotPairs: Uint8Array;
  readonly escapes: boolean;
  readonly wraps: boolean;
  /** Whether any holds a byte beyond ASCII. */
  readonly wide: boolean;
};

/** Shortest needle that can be looked for, in bytes. */
export const MIN_NEEDLE_BYTES = 2;

/** Bytes by which the search tells that a place is worth a look; two where the shortest needle has no more. */
const GRAM_BYTES = 3;
/** Fewest and most bits of a place in the map of grams: small ones stay in the processor's cache. */
const MIN_MAP_BITS = 13;
const MAX_MAP_BITS = 20;
/** Places in the map for each gram, so that few others share one. */
const MAP_PLACES_FOR_EACH = 128;

/** The bytes at a place, as a number. */
export const gramAt = (bytes: Uint8Array, at: number, mask: number): number =>
  (((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)) & mask;

/** Where a gram is in the map. */
export const placeOf = (gram: number, shift: number): number =>
  Math.imul(gram, 0x9e3779b1) >>> shift;

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

/** Needles without those that another finds already; where one may be escaped or wrapped, that one stays. */
const unique = (needles: readonly Needle[]): readonly Needle[] => {
  const kept = new Map<string, Needle>();
  for (const needle of needles) {
    const key = needle.find.toString('latin1');
    const there = kept.get(key);
    const wider = there !== undefined && !there.wraps && needle.wraps && needle.escapes;
    if (there === undefined || wider) kept.set(key, needle);
  }
  return Array.from(kept.values()).toSorted((a, b) => b.find.length - a.find.length);
};

/**
 * Prepares a search for all needles. As they are, they are found by their grams: of any stretch as
 * long as the shortest needle one gram is looked at, and nearly always that says that nothing is
 * there. Escaped or wrapped ones are found from the first byte in them that is not as it is. Longest
 * first, so that of two needles at one place the longer one is taken.
 */
export const prepareNeedles = (needles: readonly Needle[]): Needles => {
  const list = unique(needles);
  const window = list.at(-1)?.find.length ?? MIN_NEEDLE_BYTES;
  if (window < MIN_NEEDLE_BYTES) throw new Error('a needle is too short to look for');
  const gramBytes = Math.min(GRAM_BYTES, window);
  const gramMask = gramBytes === GRAM_BYTES ? 0xffffff : 0xffff00;
  const stride = window - gramBytes + 1;
  const byGram = new Map<number, Spot[]>();
  const byFirst = Array.from({ length: 256 }, (): Needle[] | undefined => undefined);
  const byStart = new Map<number, Needle[]>();
  const startPairs = new Uint8Array(8192);
  const spots = new Map<number, Spot[]>();
  const byPrevious = Array.from({ length: 256 }, (): Spot[] | undefined => undefined);
  const beforeBreak = new Uint8Array(256);
  const spotPairs = new Uint8Array(8192);
  for (const needle of list) {
    const { find } = needle;
    (byFirst[find[0] ?? 0] ??= []).push(needle);
    append(byStart, find.readUInt16BE(0), needle);
    mark(startPairs, find.readUInt16BE(0));
    for (let index = 0; index < stride; index += 1)
      append(byGram, gramAt(find, index, gramMask), { needle, index });
    if (!needle.escapes) continue;
    for (let index = 1; index < find.length; index += 1) {
      const previous = find[index - 1] ?? 0;
      const pair = find.readUInt16BE(index - 1);
      const spot = { needle, index };
      append(spots, pair, spot);
      (byPrevious[previous] ??= []).push(spot);
      if (needle.wraps) beforeBreak[previous] = 1;
      mark(spotPairs, pair);
    }
  }
  const wanted = Math.ceil(Math.log2(byGram.size * MAP_PLACES_FOR_EACH + 1));
  const mapBits = Math.min(MAX_MAP_BITS, Math.max(MIN_MAP_BITS, wanted));
  const gramShift = 32 - mapBits;
  const grams = new Uint8Array(2 ** (mapBits - 3));
  for (const gram of byGram.keys()) mark(grams, placeOf(gram, gramShift));
  return {
    list,
    byFirst,
    byStart,
    startPairs,
    longestBytes: list[0]?.find.length ?? 0,
    shortestBytes: window,
    stride,
    gramMask,
    grams,
    gramShift,
    byGram,
    spots,
    byPrevious,
    beforeBreak,
    spotPairs,
    escapes: list.some((needle) => needle.escapes),
    wraps: list.some((needle) => needle.wraps),
    wide: list.some(({ find }) => find.some((byte) => byte > 0x7f)),
  };
};
