import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectAll, exposeCollector } from './collector.ts';
import { createTrimHeap } from './native-heap.ts';

const MIB = 1024 * 1024;
const PIECE = 16 * 1024;
const PIECES = 8192;

const residentMib = (): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;

/** Fills the heap, and keeps every sixty-fourth piece: what lies between is free, and held. */
const fragments = (): readonly ArrayBuffer[] =>
  Array.from({ length: PIECES }, () => new ArrayBuffer(PIECE)).filter(
    (_piece, index) => index % 64 === 0,
  );

const { header } = process.report.getReport() as { readonly header: object };
const isGlibc = 'glibcVersionRuntime' in header;

it.runIf(isGlibc)('gives back what lies free between what is in use', async () => {
  exposeCollector();
  const trim = createTrimHeap();
  const kept = fragments();
  collectAll();
  await setImmediate();
  const before = residentMib();
  // V8 frees what was collected on a thread of its own, which may come to it late.
  await expect
    .poll(() => {
      trim();
      return before - residentMib();
    })
    .toBeGreaterThan((PIECE * PIECES) / MIB / 2);
  expect(kept.length).toBe(PIECES / 64);
});
