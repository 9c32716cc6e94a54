import type { Hit, Search } from '../search.ts';

/**
 * Bytes at the end of a chunk that are passed on although a value might begin with them. Protocols in
 * which the sides take turns would stall if every message that ends like the beginning of some value
 * waited for the next; three bytes of a value are no secret, its public prefix is longer.
 */
export const FREE_TAIL_BYTES = 3;
/** Most bytes that are passed on after a pause although a value might begin with them. */
export const MAX_RELEASED_BYTES = 16;

export type GuardStep =
  | { readonly type: 'pass'; readonly bytes: Buffer }
  | { readonly type: 'hit'; readonly hit: Hit };

/**
 * Watches bytes that can't be altered: lets them through as they are until a value turns up, and then
 * nothing more. The search sees every byte, those that were passed on early included.
 */
export type Guard = {
  readonly push: (chunk: Buffer) => GuardStep;
  /** Bytes that wait because a value may begin with them. */
  readonly waiting: () => number;
  /** After a pause: what waited, where it is short enough to be no value's better part. */
  readonly release: () => Buffer;
  /** At the end: what waited, since nothing can complete it. */
  readonly end: () => GuardStep;
};

const EMPTY: Buffer = Buffer.alloc(0);

export const createGuard = (search: Search | undefined): Guard => {
  let total = 0;
  let cleared = 0;
  let passed = 0;
  let tail: Buffer = EMPTY;

  const upTo = (position: number, chunk: Buffer): GuardStep => {
    const unsent = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
    const count = Math.max(0, position - passed);
    passed += count;
    // A copy, so that a few waiting bytes do not keep a whole chunk alive.
    tail = count < unsent.length ? Buffer.from(unsent.subarray(count)) : EMPTY;
    return { type: 'pass', bytes: unsent.subarray(0, count) };
  };

  return {
    push: (chunk) => {
      if (search === undefined) return { type: 'pass', bytes: chunk };
      const { out, hits } = search.push(chunk);
      const [hit] = hits;
      if (hit !== undefined) return { type: 'hit', hit };
      total += chunk.length;
      for (const part of out) cleared += part.length;
      return upTo(total - cleared <= FREE_TAIL_BYTES ? total : cleared, chunk);
    },
    waiting: () => tail.length,
    release: () => {
      if (tail.length > MAX_RELEASED_BYTES) return EMPTY;
      const bytes = tail;
      passed += bytes.length;
      tail = EMPTY;
      return bytes;
    },
    end: () => {
      const [hit] = search?.end().hits ?? [];
      if (hit !== undefined) return { type: 'hit', hit };
      const bytes = tail;
      tail = EMPTY;
      return { type: 'pass', bytes };
    },
  };
};
