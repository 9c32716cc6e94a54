import { afterEach, expect, it, vi } from 'vitest';
import { BYTES_BETWEEN_COLLECTIONS, spend } from './spent-buffers.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('collects the young generation once in so many bytes, whoever carries them', () => {
  const gc = vi.fn<(options: { readonly type: string }) => void>();
  vi.stubGlobal('gc', gc);
  spend(BYTES_BETWEEN_COLLECTIONS);
  gc.mockClear();
  spend(BYTES_BETWEEN_COLLECTIONS - 1);
  expect(gc).not.toHaveBeenCalled();
  spend(1);
  expect(gc).toHaveBeenCalledExactlyOnceWith({ type: 'minor' });
  spend(1);
  expect(gc).toHaveBeenCalledTimes(1);
});

it('carries on where nothing can be collected by hand', () => {
  vi.stubGlobal('gc', undefined);
  expect(() => spend(BYTES_BETWEEN_COLLECTIONS)).not.toThrow();
});
