import { mutate } from './mutate.ts';
import { createRandom, type Random } from './random.ts';
import type { Target } from './target.ts';

/** The input of one case: a function of the target, its corpus, the seed and the case's number. */
export const inputOf = (
  target: Target,
  corpus: readonly Buffer[],
  seed: number,
  index: number,
): Buffer => {
  const random = createRandom(`${target.name}:${String(seed)}:${String(index)}`);
  const stored = (): Buffer => corpus[random.below(corpus.length)] ?? Buffer.alloc(0);
  const first = random.oneIn(3) ? stored() : target.generate(random);
  const input = random.oneIn(4) ? first : mutate(first, random, stored());
  return input.subarray(0, target.maxBytes);
};

/** Choices that a check makes: they depend on the input alone, so that a stored input is enough to repeat a case. */
export const choicesFor = (input: Buffer): Random => createRandom(input);
