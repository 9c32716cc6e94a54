import { choicesFor, inputOf } from './case.ts';
import type { OpenTarget, Target } from './target.ts';

export type Failed = { readonly index: number; readonly input: Buffer; readonly why: string };
export type Outcome = { readonly cases: number; readonly failed: Failed | undefined };

export type RunOptions = {
  readonly corpus: readonly Buffer[];
  readonly seed: number;
  /** When to stop: after so many cases, or at this time (`performance.now()`). */
  readonly cases?: number;
  readonly until?: number;
  /** Told before each case, for who watches from outside. */
  readonly onCase?: (index: number) => void;
};

const words = (failed: unknown): string =>
  failed instanceof Error ? (failed.stack ?? failed.message) : String(failed);

/** How often a slow case is repeated before it counts as slow: the machine may have been busy. */
const SLOW_ROUNDS = 3;

/** Rejections that nobody handles belong to the case during which they come up. */
const strays: unknown[] = [];
let watching = false;
const watchStrays = (): void => {
  if (watching) return;
  watching = true;
  process.on('unhandledRejection', (reason) => strays.push(reason));
  process.on('uncaughtException', (reason) => strays.push(reason));
};

/** Checks one input; what is wrong in words, or undefined. */
export const checkInput = async (
  target: Target,
  open: OpenTarget,
  input: Buffer,
): Promise<string | undefined> => {
  watchStrays();
  for (let round = 0; round < SLOW_ROUNDS; round += 1) {
    const began = performance.now();
    try {
      // A copy: a parser that writes into its input must not change what is stored.
      const done = open.check(Buffer.from(input), choicesFor(input));
      if (done !== undefined) await done;
    } catch (failed) {
      return words(failed);
    }
    const stray = strays.shift();
    if (stray !== undefined) return `nobody handled: ${words(stray)}`;
    if (performance.now() - began <= target.caseMs) return undefined;
  }
  return `one case takes longer than ${String(target.caseMs)} ms`;
};

/** Runs cases until one fails or it is time to stop. */
export const runTarget = async (
  target: Target,
  open: OpenTarget,
  { corpus, seed, cases = Infinity, until = Infinity, onCase }: RunOptions,
): Promise<Outcome> => {
  let index = 0;
  for (; index < cases && performance.now() < until; index += 1) {
    onCase?.(index);
    const input = inputOf(target, corpus, seed, index);
    const why = await checkInput(target, open, input);
    if (why !== undefined) return { cases: index + 1, failed: { index, input, why } };
  }
  return { cases: index, failed: undefined };
};
