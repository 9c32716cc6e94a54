import { findIrregular, isAt, type Found } from './irregular.ts';
import { gramAt, isMarked, placeOf, type Needle, type Needles } from './needles.ts';

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
 * Searches a stream of chunks: the leftmost, then longest match wins, wherever the chunks are cut.
 * Holds back only bytes that are the beginning of something looked for.
 */
export type Search = {
  readonly push: (chunk: Buffer) => SearchStep;
  readonly end: () => SearchStep;
  /** Whether something is held back that `pause` would let go. */
  readonly holds?: () => boolean;
  /**
   * Lets a few held bytes go when nothing more comes for a while, so that a conversation does not
   * stall over a message whose last letter might begin a secret. They are remembered: what they
   * turn out to begin is still found, and no more of it goes out.
   */
  readonly pause?: () => SearchStep;
};

/** Most bytes of the beginning of something looked for that a pause lets go. */
export const MAX_PAUSE_BYTES = 4;

/** Needles that stand in the data as they are. */
const findPlain = (needles: Needles, data: Buffer, found: Found[]): void => {
  const { shortestBytes, stride, gramMask, grams, gramShift, byGram, byGramShift, list } = needles;
  const { starts, needles: which, indexes } = byGram;
  const last = data.length - shortestBytes + stride - 1;
  for (let at = 0; at <= last; at += stride) {
    const gram = gramAt(data, at, gramMask);
    if (!isMarked(grams, placeOf(gram, gramShift))) continue;
    const key = placeOf(gram, byGramShift);
    const behind = starts[key + 1] as number;
    for (let spot = starts[key] as number; spot < behind; spot += 1) {
      const needle = list[which[spot] as number] as Needle;
      const start = at - (indexes[spot] as number);
      const end = start + needle.find.length;
      if (end <= data.length && isAt(needle.find, data, start, needle.find.length))
        found.push({ type: 'whole', start, end, needle });
    }
  }
};

/** Where the first needle begins, as it is, that the data may yet complete; undefined for none. */
const plainTail = (needles: Needles, data: Buffer, from: number): number | undefined => {
  const { byFirst, byStart, startPairs, longestBytes } = needles;
  const last = data.length - 1;
  for (let at = Math.max(from, data.length - longestBytes + 1); at < last; at += 1) {
    const pair = ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
    if (!isMarked(startPairs, pair)) continue;
    const left = data.length - at;
    for (const { find } of byStart.get(pair) ?? []) {
      if (find.length > left && isAt(find, data, at, left)) return at;
    }
  }
  return from <= last && byFirst[data[last] ?? 0] !== undefined ? last : undefined;
};

const endOfFound = (found: Found): number => (found.type === 'whole' ? found.end : Infinity);

const compare = (a: Found, b: Found): number => a.start - b.start || endOfFound(b) - endOfFound(a);

/** All that stands in the data, leftmost first, then longest, what may yet be completed before all. */
const findAll = (needles: Needles, data: Buffer, last: boolean): readonly Found[] => {
  const found: Found[] = [];
  if (needles.list.length === 0) return found;
  findPlain(needles, data, found);
  if (needles.escapes) {
    findIrregular(needles, data, last, found);
  }
  return found.length > 1 ? found.toSorted(compare) : found;
};

const NOTHING: Buffer = Buffer.alloc(0);

/** Fills what is short of a length, where lengths have to hold. */
const FILLER = '*';

const fitted = (replacement: Buffer, length: number): Buffer =>
  replacement.length >= length
    ? replacement.subarray(0, length)
    : Buffer.concat([replacement, Buffer.alloc(length - replacement.length, FILLER)]);

/** `sameLength`: what is put in is as long as what it stands for, because something around it counts bytes. */
export const createSearch = (needles: Needles, sameLength = false): Search => {
  /** What has gone out already, but may turn out to be the first letters of a wrapped secret. */
  let gone = NOTHING;
  let pending = NOTHING;

  const step = (chunk: Buffer, last: boolean): SearchStep => {
    const sent = gone.length;
    const data = sent === 0 && pending.length === 0 ? chunk : Buffer.concat([gone, pending, chunk]);
    gone = NOTHING;
    pending = NOTHING;
    const out: Buffer[] = [];
    const hits: Hit[] = [];
    const tailFrom = (from: number): number =>
      (last ? undefined : plainTail(needles, data, from)) ?? data.length;
    let at = sent;
    let early = data.length;
    // From here on a longer or earlier needle may still be completed by what comes next.
    let hold = tailFrom(sent);
    // What a pause let go may have begun something that is still not complete.
    const begun = sent === 0 || last ? undefined : plainTail(needles, data, 0);
    if (begun !== undefined && begun < sent) {
      early = begun;
      hold = sent;
    }
    for (const found of findAll(needles, data, last)) {
      const { start } = found;
      if (start < at && (at > sent || endOfFound(found) <= sent)) continue;
      if (start >= hold) break;
      if (found.type === 'early') {
        early = Math.min(early, start);
        continue;
      }
      if (found.type === 'begun') {
        early = Math.min(early, start);
        hold = Math.max(start, at);
        break;
      }
      if (start > at) out.push(data.subarray(at, start));
      const own = found.needle.replace(data.subarray(start, found.end));
      const replacement = sameLength ? fitted(own, found.end - start) : own;
      const rest = replacement.subarray(Math.max(0, sent - start));
      if (rest.length > 0) out.push(rest);
      hits.push({ owner: found.needle.owner });
      at = found.end;
      early = data.length;
      // What was held may begin inside a needle that has just been taken: then it is looked for anew.
      if (hold < at) hold = tailFrom(at);
    }
    if (hold > at) out.push(at === 0 && hold === data.length ? data : data.subarray(at, hold));
    // Copies, so that a few held bytes do not keep a whole chunk alive.
    if (early < hold) gone = Buffer.from(data.subarray(early, hold));
    if (hold < data.length) pending = Buffer.from(data.subarray(hold));
    return { out, hits };
  };

  return {
    push: (chunk) => step(chunk, false),
    end: () => step(NOTHING, true),
    holds: () => pending.length > 0,
    pause: () => {
      // A beginning that was let go before counts too.
      if (pending.length === 0 || gone.length + pending.length > MAX_PAUSE_BYTES)
        return { out: [], hits: [] };
      const out = [pending];
      gone = Buffer.concat([gone, pending]);
      pending = NOTHING;
      return { out, hits: [] };
    },
  };
};

/** Whether nothing that is looked for stands in a whole text. */
export const findsNone = (needles: Needles, data: Buffer): boolean =>
  findAll(needles, data, true).length === 0;

/** The owners of all that stands in a whole text, each once. */
export const ownersIn = (needles: Needles, data: Buffer): readonly number[] =>
  Array.from(
    new Set(
      findAll(needles, data, true).flatMap((found) =>
        found.type === 'whole' ? found.needle.owner : [],
      ),
    ),
  ).toSorted((a, b) => a - b);
