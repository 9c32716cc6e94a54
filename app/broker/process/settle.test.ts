import { afterEach, expect, it, vi } from 'vitest';
import { createManualClock } from '../../kit/index.ts';
import { SETTLE_MS, settleLater } from './settle.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('collects everything once, some time after the start', () => {
  const gc = vi.fn<() => void>();
  vi.stubGlobal('gc', gc);
  const clock = createManualClock();
  settleLater(clock);
  clock.advance(SETTLE_MS - 1);
  expect(gc).not.toHaveBeenCalled();
  clock.advance(10 * SETTLE_MS);
  expect(gc.mock.calls).toEqual([
    [expect.objectContaining({ type: 'major', flavor: 'last-resort' })],
  ]);
});

it('is called off by a process that closes before', () => {
  const gc = vi.fn<() => void>();
  vi.stubGlobal('gc', gc);
  const clock = createManualClock();
  settleLater(clock)();
  clock.advance(10 * SETTLE_MS);
  expect(gc).not.toHaveBeenCalled();
});
