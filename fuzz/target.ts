import { deepStrictEqual } from 'node:assert/strict';
import type { Random } from './random.ts';

/** How long one case of a parser may take, in milliseconds. Slow machines included: parsers need microseconds. */
export const CASE_MS = 1500;
/** Longest input of most targets, in bytes. */
export const MAX_INPUT_BYTES = 8192;

/** Looks at one input from every side; throws what is wrong. `random` depends on the input alone. */
export type Check = (bytes: Buffer, random: Random) => void | Promise<void>;

export type OpenTarget = { readonly check: Check; readonly close: () => Promise<void> };

/** Something that reads bytes of the sandbox, and what must be true of it whatever the bytes are. */
export type Target = {
  readonly name: string;
  /** Small inputs to begin with: valid ones, and bad ones that are known. */
  readonly seeds: readonly Buffer[];
  /** An input by the grammar, or nearly. */
  readonly generate: (random: Random) => Buffer;
  readonly maxBytes: number;
  /** How long one case may take, in milliseconds. */
  readonly caseMs: number;
  readonly open: () => Promise<OpenTarget>;
};

export type ParserTarget = Pick<Target, 'name' | 'generate'> & {
  readonly seeds: readonly (Buffer | string)[];
  readonly maxBytes?: number;
  readonly caseMs?: number;
  readonly check: Check;
};

/** A target that has no lifetime: a function of its bytes. Seeds in text are latin1. */
export const parserTarget = ({
  seeds,
  check,
  maxBytes = MAX_INPUT_BYTES,
  caseMs = CASE_MS,
  ...target
}: ParserTarget): Target => ({
  ...target,
  maxBytes,
  caseMs,
  seeds: seeds.map((seed) => (typeof seed === 'string' ? Buffer.from(seed, 'latin1') : seed)),
  open: () => Promise.resolve({ check, close: () => Promise.resolve() }),
});

/** States what must be true; throws where it is not. */
export function must(condition: boolean, words: string): asserts condition {
  if (!condition) throw new Error(words);
}

/** States that two readings of the same bytes agree. */
export const mustEqual = (actual: unknown, expected: unknown, words: string): void => {
  try {
    deepStrictEqual(actual, expected);
  } catch (failed) {
    throw new Error(`${words}: ${failed instanceof Error ? failed.message : ''}`, {
      cause: failed,
    });
  }
};
