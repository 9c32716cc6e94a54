import { afterEach, expect, it, vi } from 'vitest';
import { exposeCollector } from './collector.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('collects in a process that was started without a flag for it', async () => {
  vi.stubGlobal('gc', undefined);
  exposeCollector();
  let lost = 0;
  const registry = new FinalizationRegistry(() => {
    lost += 1;
  });
  for (let index = 0; index < 100; index += 1) registry.register(new ArrayBuffer(8), index);
  globalThis.gc?.({ type: 'minor' });
  globalThis.gc?.();
  await expect.poll(() => lost).toBeGreaterThan(90);
});

it('keeps what the flag gave', () => {
  const given = vi.fn<() => void>();
  vi.stubGlobal('gc', given);
  exposeCollector();
  expect(globalThis.gc).toBe(given);
});
