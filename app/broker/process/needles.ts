/** Something to look for in bytes, and what stands there instead. */
export type Needle = {
  readonly find: Buffer;
  readonly replace: Buffer;
  /** Index of the credential it belongs to. */
  readonly owner: number;
};

/** A set of needles, ready for searching. */
export type Needles = {
  readonly list: readonly Needle[];
  /** For each first byte, the needles that begin with it. */
  readonly byFirst: ReadonlyMap<number, readonly Needle[]>;
  readonly longestBytes: number;
  readonly shortestBytes: number;
  /** For each pair of bytes, how far the window may move when it ends with that pair. */
  readonly shift: Uint8Array;
  /** For each pair that may end a window, the needles with that pair there, longest first. */
  readonly byPair: ReadonlyMap<number, readonly Needle[]>;
};

/** Shortest needle that can be looked for, in bytes. */
export const MIN_NEEDLE_BYTES = 2;

const append = (map: Map<number, Needle[]>, key: number, needle: Needle): void => {
  const there = map.get(key);
  if (there === undefined) map.set(key, [needle]);
  else there.push(needle);
};

/**
 * Prepares a search for all needles in one pass (Wu and Manber, 1994): a window as long as the
 * shortest needle moves on by as much as its last two bytes allow. Longest first, so that of two
 * needles at one place the longer one is taken.
 */
export const prepareNeedles = (needles: readonly Needle[]): Needles => {
  const unique = new Map<string, Needle>();
  for (const needle of needles) {
    const key = needle.find.toString('latin1');
    if (needle.find.length < MIN_NEEDLE_BYTES) throw new Error('a needle is too short to look for');
    if (!unique.has(key)) unique.set(key, needle);
  }
  const list = Array.from(unique.values()).toSorted((a, b) => b.find.length - a.find.length);
  const window = list.at(-1)?.find.length ?? MIN_NEEDLE_BYTES;
  const shift = new Uint8Array(65_536).fill(Math.min(window - 1, 255));
  const byFirst = new Map<number, Needle[]>();
  const byPair = new Map<number, Needle[]>();
  for (const needle of list) {
    const { find } = needle;
    append(byFirst, find[0] ?? 0, needle);
    append(byPair, find.readUInt16BE(window - 2), needle);
    for (let at = 0; at <= window - 2; at += 1) {
      const pair = find.readUInt16BE(at);
      shift[pair] = Math.min(shift[pair] ?? 0, window - 2 - at);
    }
  }
  const longestBytes = list[0]?.find.length ?? 0;
  return { list, byFirst, longestBytes, shortestBytes: window, shift, byPair };
};

/** The leftmost, then longest needle that lies whole in the data from `from` on. */
const findNeedle = (
  { list, shortestBytes, shift, byPair }: Needles,
  data: Buffer,
  from: number,
): { readonly needle: Needle; readonly at: number } | undefined => {
  if (list.length === 0) return undefined;
  let at = from;
  const last = data.length - shortestBytes;
  while (at <= last) {
    const end = at + shortestBytes - 2;
    const pair = ((data[end] ?? 0) << 8) | (data[end + 1] ?? 0);
    const move = shift[pair] ?? 0;
    if (move > 0) {
      at += move;
      continue;
    }
    for (const needle of byPair.get(pair) ?? []) {
      const stop = at + needle.find.length;
      if (stop <= data.length && data.compare(needle.find, 0, needle.find.length, at, stop) === 0) {
        return { needle, at };
      }
    }
    at += 1;
  }
  return undefined;
};

/** Where the first needle begins that the data may yet complete; the data's length where there is none. */
const holdFrom = (needles: Needles, data: Buffer, from: number): number => {
  const start = Math.max(from, data.length - needles.longestBytes + 1);
  for (let at = start; at < data.length; at += 1) {
    const candidates = needles.byFirst.get(data[at] ?? -1);
    if (candidates === undefined) continue;
    const left = data.length - at;
    for (const { find } of candidates) {
      if (find.length > left && data.compare(find, 0, left, at, data.length) === 0) return at;
    }
  }
  return data.length;
};

/** Something that was found. */
export type Hit = {
  /** Index of what it belongs to. */
  readonly owner: number;
};

export type SearchStep = {
  /** Bytes that are safe to pass on, in order, replacements in place. */
  readonly out: readonly Buffer[];
  readonly hits: readonly Hit[];
};

/**
 * Searches a stream of chunks: the leftmost, then longest needle wins, wherever the chunks are cut.
 * Holds back only bytes that are the beginning of a needle, never more than the longest needle.
 */
export type Search = {
  readonly push: (chunk: Buffer) => SearchStep;
  readonly end: () => SearchStep;
};

export const createSearch = (needles: Needles): Search => {
  let pending: Buffer = Buffer.alloc(0);

  const step = (chunk: Buffer, last: boolean): SearchStep => {
    const data = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const out: Buffer[] = [];
    const hits: Needle[] = [];
    const hold = last ? data.length : holdFrom(needles, data, 0);
    let at = 0;
    for (;;) {
      // What is held may begin inside a needle that has just been taken: then it is looked for anew.
      const end = hold < at ? holdFrom(needles, data, at) : hold;
      const found = findNeedle(needles, data, at);
      // From the hold on, a longer or earlier needle may still be completed by what comes next.
      if (found === undefined || found.at >= end) {
        if (end > at) out.push(data.subarray(at, end));
        // A copy, so that a few held bytes do not keep a whole chunk alive.
        pending = end < data.length ? Buffer.from(data.subarray(end)) : Buffer.alloc(0);
        return { out, hits };
      }
      if (found.at > at) out.push(data.subarray(at, found.at));
      if (found.needle.replace.length > 0) out.push(found.needle.replace);
      hits.push(found.needle);
      at = found.at + found.needle.find.length;
    }
  };

  return {
    push: (chunk) => step(chunk, false),
    end: () => step(Buffer.alloc(0), true),
  };
};
