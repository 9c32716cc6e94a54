import { afterAll, describe, expect, it } from 'vitest';
import { corpusOf } from './corpus.ts';
import { checkInput, runTarget } from './run-target.ts';
import { TARGETS } from './targets/index.ts';

/** The same cases on every machine; long runs by hand take other seeds. */
const SEED = 20_261_122;
/** How long one target may take here, in milliseconds: all of them together stay under 40 seconds. */
const BUDGET_MS = 900;
const CASES = 2000;

describe.each(TARGETS.map((target) => [target.name, target] as const))('%s', (_name, target) => {
  const opened = target.open();
  afterAll(async () => (await opened).close());

  it('holds for its corpus', async () => {
    const open = await opened;
    for (const input of corpusOf(target)) {
      expect(await checkInput(target, open, input)).toBeUndefined();
    }
  });

  it('holds for the first cases of a fixed seed', async () => {
    const { cases, failed } = await runTarget(target, await opened, {
      corpus: corpusOf(target),
      seed: SEED,
      cases: CASES,
      until: performance.now() + BUDGET_MS,
    });
    expect(failed).toBeUndefined();
    expect(cases).toBeGreaterThan(0);
  });
});
