import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { inputOf } from './case.ts';
import { corpusOf } from './corpus.ts';
import { checkInput } from './run-target.ts';
import type { Target } from './target.ts';
import { TARGETS, targetNamed } from './targets/index.ts';
import type { Report, Work } from './worker.ts';

/**
 * Fuzzes whatever reads bytes of the sandbox. The same seed gives the same cases; a failure is made
 * small and stored.
 */

const FINDINGS = join(import.meta.dirname, 'findings');
/** How long one case may take before its worker counts as hung, in milliseconds. */
const HUNG_MS = 60_000;
const DEFAULT_SECONDS = 10;
const DEFAULT_WORKERS = 2;
const USAGE = `npm run fuzz -- [--target NAME[,NAME]...] [--seconds N for each target] [--seed N] [--workers N]
  [--repro FILE|SEED:CASE]  one case again; needs --target
targets: ${TARGETS.map(({ name }) => name).join(', ')}`;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const stop = (text: string): never => {
  say(`${text}\n${USAGE}`);
  process.exit(2);
};
const wholeNumber = (text: string | undefined, otherwise: number): number => {
  if (text === undefined) return otherwise;
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : stop(`${text} is not a number`);
};

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    workers: { type: 'string' },
    repro: { type: 'string' },
  },
});

const chosen: readonly Target[] =
  values.target === undefined
    ? TARGETS
    : values.target.split(',').map((name) => targetNamed(name) ?? stop(`${name} is not known`));
const seed = wholeNumber(values.seed, Date.now() % 1_000_000_000);
const seconds = wholeNumber(values.seconds, DEFAULT_SECONDS);

const keep = (target: Target, index: number, input: Uint8Array): string => {
  mkdirSync(FINDINGS, { recursive: true });
  const file = join(FINDINGS, `${target.name}-${String(seed)}-${String(index)}.bin`);
  writeFileSync(file, input);
  return file;
};

const tell = (target: Target, index: number, input: Uint8Array, why: string): void => {
  const file = keep(target, index, input);
  say(`FAILED ${target.name}, case ${String(seed)}:${String(index)}: ${why}`);
  say(`  again: npm run fuzz -- --target ${target.name} --repro ${file}`);
};

/** Runs one target in a worker of its own, which is ended where a case hangs. */
const fuzz = (target: Target): Promise<boolean> =>
  new Promise((resolve) => {
    const progress = new SharedArrayBuffer(4);
    const cell = new Int32Array(progress);
    const work: Work = { target: target.name, seed, seconds, progress };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: work });
    let last = -1;
    let since = performance.now();
    let settled = false;
    const settle = (good: boolean): void => {
      if (settled) return;
      settled = true;
      clearInterval(watch);
      void worker.terminate();
      resolve(good);
    };
    const watch = setInterval(() => {
      const index = Atomics.load(cell, 0);
      if (index !== last || index < 0) {
        last = index;
        since = performance.now();
      } else if (performance.now() - since > HUNG_MS) {
        tell(target, index, inputOf(target, corpusOf(target), seed, index), 'it hangs');
        settle(false);
      }
    }, 500);
    worker.once('message', ({ cases, failed }: Report) => {
      say(`${target.name}: ${String(cases)} cases`);
      if (failed !== undefined) tell(target, failed.index, failed.input, failed.why);
      settle(failed === undefined);
    });
    worker.once('error', (error) => {
      const index = Math.max(0, Atomics.load(cell, 0));
      tell(target, index, inputOf(target, corpusOf(target), seed, index), String(error));
      settle(false);
    });
    worker.once('exit', () => settle(false));
  });

const repeat = async (text: string): Promise<boolean> => {
  const [target, other] = chosen;
  if (target === undefined || other !== undefined) return stop('--repro needs one --target');
  const [, caseSeed, index] = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(text) ?? [];
  const input =
    caseSeed === undefined || index === undefined
      ? readFileSync(text)
      : inputOf(target, corpusOf(target), Number(caseSeed), Number(index));
  say(`${target.name}, ${String(input.length)} bytes: ${JSON.stringify(input.toString('latin1'))}`);
  const open = await target.open();
  const why = await checkInput(target, open, input);
  await open.close();
  say(why === undefined ? 'It passes.' : `FAILED: ${why}`);
  return why === undefined;
};

const fuzzAll = async (): Promise<boolean> => {
  say(`seed ${String(seed)}`);
  const waiting = [...chosen];
  let good = true;
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      if (!(await fuzz(target))) good = false;
    }
  };
  const workers = wholeNumber(values.workers, DEFAULT_WORKERS);
  await Promise.all(Array.from({ length: Math.max(1, workers) }, work));
  return good;
};

const good = values.repro === undefined ? await fuzzAll() : await repeat(values.repro);
process.exit(good ? 0 : 1);
