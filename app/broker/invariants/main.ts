import { parseArgs } from 'node:util';
import { checkInvariants } from './check.ts';
import { checkMediated, SCHEME_NAMES } from './mediated/check-mediated.ts';

/** `npm run test:invariants -- [--repro SEED[:PATH]] [--trials N] [--only PART]`: `http`, `mediated` or one of its schemes. */
const { values } = parseArgs({
  options: {
    repro: { type: 'string' },
    trials: { type: 'string' },
    only: { type: 'string' },
  },
});
const [seedText, pathText] = (values.repro ?? String(Math.trunc(Math.random() * 2 ** 31))).split(
  /:(.*)/s,
);
const seed = Number(seedText);
const path = pathText === undefined || pathText === '' ? undefined : pathText;
const trials = values.trials === undefined ? {} : { trials: Number(values.trials) };
const scheme = SCHEME_NAMES.find((name) => name === values.only);
// A path leads through one of the two; without more words, the first.
const only = values.only ?? (path === undefined ? 'all' : 'http');

const report = (
  started: number,
  done: {
    readonly seed: number;
    readonly requests: number;
    readonly connections: number;
    readonly records: Readonly<Record<string, number>>;
    readonly failure: string | undefined;
  },
): void => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `seed ${String(done.seed)}: ${String(done.requests)} requests on ${String(done.connections)} connections in ${seconds} s\n`,
  );
  const kinds = Object.entries(done.records).map(([kind, count]) => `${String(count)} ${kind}`);
  process.stdout.write(`on the record: ${kinds.join(', ')}\n`);
  if (done.failure === undefined) process.stdout.write('every promise held\n');
  else {
    process.stdout.write(`${done.failure}\n`);
    process.exitCode = 1;
  }
};

if (only !== 'all' && only !== 'http' && only !== 'mediated' && scheme === undefined) {
  process.stdout.write(`--only is http, mediated, ${SCHEME_NAMES.join(', ')}\n`);
  process.exitCode = 1;
} else {
  if (only === 'all' || only === 'http') {
    const started = performance.now();
    report(started, await checkInvariants({ seed, path, ...trials }));
  }
  if (only !== 'http') {
    const started = performance.now();
    report(started, await checkMediated({ seed, path, ...trials, only: scheme }));
  }
}
