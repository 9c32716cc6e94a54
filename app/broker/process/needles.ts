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
  /** For each pair of bytes, how far the window may move when it ends with that pair. */
  readonly shift: Uint8Array;
  /** For each pair that may end a window, the needles with that pair there, longest first. */
  readonly byPair: ReadonlyMap<number, readonly Needle[]>;
  /** For each pair of neighbours in a needle that may be escaped, the spots between the two. */
  readonly spots: ReadonlyMap<number, readonly Spot[]>;
  /** For each byte in such a needle, the spots behind it; undefined where there are none. */
  readonly byPrevious: readonly (readonly Spot[] | undefined)[];
  /** One bit for each pair in `spots`. */
  readonly spotPairs: Uint8Array;
  readonly escapes: boolean;
  readonly wraps: boolean;
  /** Whether any holds a byte beyond ASCII. */
  readonly wide: boolean;
};

/** Shortest needle that can be looked for, in bytes. */
export const MIN_NEEDLE_BYTES = 2;

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
 * Prepares a search for all needles. As they are, they are found in one pass (Wu and Manber, 1994):
 * a window as long as the shortest needle moves on by as much as its last two bytes allow. Escaped
 * or wrapped ones are found from the first byte in them that is not as it is. Longest first, so
 * that of two needles at one place the longer one is taken.
 */
export const prepareNeedles = (needles: readonly Needle[]): Needles => {
  const list = unique(needles);
  const window = list.at(-1)?.find.length ?? MIN_NEEDLE_BYTES;
  if (window < MIN_NEEDLE_BYTES) throw new Error('a needle is too short to look for');
  const shift = new Uint8Array(65_536).fill(Math.min(window - 1, 255));
  const byFirst = Array.from({ length: 256 }, (): Needle[] | undefined => undefined);
  const byPair = new Map<number, Needle[]>();
  const byStart = new Map<number, Needle[]>();
  const startPairs = new Uint8Array(8192);
  const spots = new Map<number, Spot[]>();
  const byPrevious = Array.from({ length: 256 }, (): Spot[] | undefined => undefined);
  const spotPairs = new Uint8Array(8192);
  for (const needle of list) {
    const { find } = needle;
    (byFirst[find[0] ?? 0] ??= []).push(needle);
    append(byPair, find.readUInt16BE(window - 2), needle);
    append(byStart, find.readUInt16BE(0), needle);
    mark(startPairs, find.readUInt16BE(0));
    for (let at = 0; at <= window - 2; at += 1) {
      const pair = find.readUInt16BE(at);
      shift[pair] = Math.min(shift[pair] ?? 0, window - 2 - at);
    }
    if (!needle.escapes) continue;
    for (let index = 1; index < find.length; index += 1) {
      const pair = find.readUInt16BE(index - 1);
      const spot = { needle, index };
      append(spots, pair, spot);
      (byPrevious[find[index - 1] ?? 0] ??= []).push(spot);
      mark(spotPairs, pair);
    }
  }
  return {
    list,
    byFirst,
    byStart,
    startPairs,
    longestBytes: list[0]?.find.length ?? 0,
    shortestBytes: window,
    shift,
    byPair,
    spots,
    byPrevious,
    spotPairs,
    escapes: list.some((needle) => needle.escapes),
    wraps: list.some((needle) => needle.wraps),
    wide: list.some(({ find }) => find.some((byte) => byte > 0x7f)),
  };
};
