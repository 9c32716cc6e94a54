import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { boundedShrinking, SHRINK_MS } from './bounded-shrinking.ts';

const HOUR_MS = 60 * 60 * 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const search = (takesMs: number, fails: (count: number) => boolean) =>
  fc.check(
    fc.asyncProperty(
      fc.nat(),
      boundedShrinking(async (count) => {
        await vi.advanceTimersByTimeAsync(takesMs);
        if (fails(count)) throw new Error(String(count));
      }),
    ),
    { seed: 20_261_122 },
  );

it('lets trials that hold take as long as they need', async () => {
  expect(await search(HOUR_MS, () => false)).toMatchObject({ failed: false, numRuns: 100 });
});

it('finds the smallest trial that fails', async () => {
  expect(await search(1, (count) => count > 6)).toMatchObject({
    failed: true,
    counterexample: [7],
  });
});

it('ends the search for a smaller one in time, and tells the smallest so far', async () => {
  const details = await search(SHRINK_MS / 2, (count) => count > 6);
  expect(details).toMatchObject({ failed: true, numRuns: 1 });
  const [smallest = 0] = details.counterexample ?? [];
  expect(smallest).toBeGreaterThan(7);
  expect(details.errorInstance).toEqual(new Error(String(smallest)));
  expect(performance.now()).toBeLessThan(SHRINK_MS * 3);
});
