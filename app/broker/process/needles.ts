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
};

/** Longest first, so that of two needles at one place the longer one is taken. */
export const prepareNeedles = (needles: readonly Needle[]): Needles => {
  const unique = new Map<string, Needle>();
  for (const needle of needles) {
    const key = needle.find.toString('latin1');
    if (needle.find.length > 0 && !unique.has(key)) unique.set(key, needle);
  }
  const list = Array.from(unique.values()).toSorted((a, b) => b.find.length - a.find.length);
  const byFirst = new Map<number, Needle[]>();
  for (const needle of list) {
    const first = needle.find[0] ?? 0;
    byFirst.set(first, [...(byFirst.get(first) ?? []), needle]);
  }
  return { list, byFirst, longestBytes: list[0]?.find.length ?? 0 };
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

export type SearchStep = {
  /** Bytes that are safe to pass on, in order, replacements in place. */
  readonly out: readonly Buffer[];
  readonly hits: readonly Needle[];
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
    const next = needles.list.map((needle) => data.indexOf(needle.find));
    const hold = last ? data.length : holdFrom(needles, data, 0);
    let at = 0;
    for (;;) {
      let best = -1;
      let bestAt = data.length;
      for (let index = 0; index < next.length; index += 1) {
        let found = next[index] ?? -1;
        if (found === -1) continue;
        if (found < at) {
          const needle = needles.list[index];
          found = needle === undefined ? -1 : data.indexOf(needle.find, at);
          next[index] = found;
          if (found === -1) continue;
        }
        if (found < bestAt) {
          best = index;
          bestAt = found;
        }
      }
      const needle = needles.list[best];
      // From the hold on, a longer or earlier needle may still be completed by what comes next.
      const heldNow = hold < at ? holdFrom(needles, data, at) : hold;
      if (needle === undefined || bestAt >= (last ? data.length : heldNow)) {
        const end = last ? data.length : heldNow;
        if (end > at) out.push(data.subarray(at, end));
        // A copy, so that a few held bytes do not keep a whole chunk alive.
        pending =
          end < data.length ? Buffer.from(data.subarray(Math.max(at, end))) : Buffer.alloc(0);
        return { out, hits };
      }
      if (bestAt > at) out.push(data.subarray(at, bestAt));
      if (needle.replace.length > 0) out.push(needle.replace);
      hits.push(needle);
      at = bestAt + needle.find.length;
    }
  };

  return {
    push: (chunk) => step(chunk, false),
    end: () => step(Buffer.alloc(0), true),
  };
};
