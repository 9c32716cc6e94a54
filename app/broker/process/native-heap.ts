import { createRequire } from 'node:module';
import type koffiModule from 'koffi';

/**
 * What has glibc give back the free parts of its heaps (malloc_trim(3)): it keeps them for good where
 * anything behind them is in use. Does nothing where the C library is another one.
 */
export const createTrimHeap = (): (() => void) => {
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  try {
    const trim = koffi.load(null).func('int malloc_trim(size_t pad)');
    return () => void trim(0);
  } catch {
    // No such function: musl's heaps are small, macOS gives back by itself.
    return () => undefined;
  }
};
