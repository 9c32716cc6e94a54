import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusOf } from './corpus.ts';
import { checkInput, runTarget } from './run-target.ts';
import type { OpenTarget } from './target.ts';
import { TARGETS } from './targets/index.ts';

/** The same cases on every machine; long runs by hand take other seeds. */
const SEED = 20_261_122;
/** How long one target may take here, in milliseconds: all of them together stay under 40 seconds. */
const BUDGET_MS = 900;
const CASES = 2000;

describe.each(TARGETS.map((target) => [target.name, target] as const))('%s', (_name, target) => {
  // Not earlier: the cases of others hold this process up for longer than a broker waits for it.
  let open: OpenTarget;
  beforeAll(async () => {
    open = await target.open();
  });
  afterAll(() => open.close());

  it('holds for its corpus', async () => {
    for (const input of corpusOf(target)) {
      expect(await checkInput(target, open, input)).toBeUndefined();
    }
  });

  it('holds for the first cases of a fixed seed', async () => {
    const { cases, failed } = await runTarget(target, open, {
      corpus: corpusOf(target),
      seed: SEED,
      cases: CASES,
      until: performance.now() + BUDGET_MS,
    });
    expect(failed).toBeUndefined();
    expect(cases).toBeGreaterThan(0);
  });
});
