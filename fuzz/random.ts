import { createHash } from 'node:crypto';

/** Choices that are the same in every run with the same seed. */
export type Random = {
  /** A whole number from 0 to 2^32 - 1. */
  readonly word: () => number;
  /** A whole number from 0 up to, and not with, `end`. */
  readonly below: (end: number) => number;
  /** True in one of `times` cases. */
  readonly oneIn: (times: number) => boolean;
  readonly pick: <T>(list: readonly [T, ...T[]]) => T;
  readonly bytes: (length: number) => Buffer;
};

/** A generator of its own for each seed (Chris Doty-Humphrey's sfc32). */
export const createRandom = (seed: string | Buffer): Random => {
  const digest = createHash('sha256').update(seed).digest();
  let [a = 0, b = 0, c = 0, count = 1] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
  const word = (): number => {
    const sum = (a + b + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  const below = (end: number): number => word() % Math.max(1, end);
  return {
    word,
    below,
    oneIn: (times) => below(times) === 0,
    pick: (list) => list[below(list.length)] ?? list[0],
    bytes: (length) => Buffer.from(Array.from({ length }, () => word() & 255)),
  };
};
