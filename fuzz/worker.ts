import { parentPort, workerData } from 'node:worker_threads';
import { corpusOf } from './corpus.ts';
import { minimise } from './minimise.ts';
import { checkInput, runTarget } from './run-target.ts';
import { targetNamed } from './targets/index.ts';

/** What a worker is started with: `progress` holds the number of the case under way. */
export type Work = {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  readonly progress: SharedArrayBuffer;
};
export type Report = {
  readonly cases: number;
  readonly failed:
    | { readonly index: number; readonly input: Uint8Array; readonly why: string }
    | undefined;
};

/** How long a failing input may be made smaller, in milliseconds. */
const MINIMISE_MS = 20_000;

const work = async ({ target: name, seed, seconds, progress }: Work): Promise<Report> => {
  const target = targetNamed(name);
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const cell = new Int32Array(progress);
  const open = await target.open();
  try {
    const { cases, failed } = await runTarget(target, open, {
      corpus: corpusOf(target),
      seed,
      until: performance.now() + seconds * 1000,
      onCase: (index) => Atomics.store(cell, 0, index),
    });
    if (failed === undefined) return { cases, failed };
    Atomics.store(cell, 0, -1);
    const input = await minimise(
      failed.input,
      async (smaller) => (await checkInput(target, open, smaller)) !== undefined,
      performance.now() + MINIMISE_MS,
    );
    const why = (await checkInput(target, open, input)) ?? failed.why;
    return { cases, failed: { index: failed.index, input, why } };
  } finally {
    await open.close();
  }
};

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
parentPort?.postMessage(await work(workerData as Work));
