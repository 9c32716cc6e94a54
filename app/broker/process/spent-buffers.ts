/**
 * How many bytes may be carried between two collections of the young generation. V8 fills that
 * generation by the objects in it alone. The buffers behind them, a thousand times as large, only
 * bring the next marking of the whole heap nearer: it came with every 10 MiB, took a third of the
 * processor time of a long body, and left 60 MiB of spent buffers lying about. Collecting the young
 * in time takes a millisecond or two.
 */
export const BYTES_BETWEEN_COLLECTIONS = 2 * 1024 * 1024;

let spent = 0;

/** Counts bytes that were handed on, and collects the buffers that they came in when it is time. */
export const spend = (bytes: number): void => {
  spent += bytes;
  if (spent < BYTES_BETWEEN_COLLECTIONS) return;
  spent = 0;
  globalThis.gc?.({ type: 'minor' });
};
