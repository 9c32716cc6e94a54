import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { misfit, type Mutation } from './mutation.ts';
import { MUTATIONS } from './mutations.ts';
import { writeScore } from './score.ts';
import { createWorkplace, type TestRun, type Workplace } from './workplace.ts';

/**
 * `npm run test:mutation -- [--workers N] [ID-OR-TEXT...]`: takes each protection away in turn and
 * expects its test to go red. Fails where one stays green, where an entry no longer fits the source,
 * and where a test is red to begin with. A whole run writes its score into docs/guarantees.md.
 */
const { values, positionals } = parseArgs({
  options: { workers: { type: 'string' } },
  allowPositionals: true,
});
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const chosen = MUTATIONS.filter(
  ({ id, file }) =>
    positionals.length === 0 || positionals.some((part) => id === part || file.includes(part)),
);
const problems: string[] = [];
for (const mutation of chosen) {
  const why = misfit(mutation, await readFile(join(root, mutation.file), 'utf8'));
  if (why !== undefined) problems.push(`${mutation.id}: ${why} in ${mutation.file}`);
}
if (problems.length > 0) {
  say(problems.join('\n'));
  process.exit(1);
}

const workers = Math.max(1, Number(values.workers ?? Math.min(8, availableParallelism())));
const places = await Promise.all(Array.from({ length: workers }, () => createWorkplace(root)));

/** Hands the tasks out to the copies as these become free. */
const handOut = async <Task>(
  tasks: readonly Task[],
  work: (place: Workplace, task: Task) => Promise<void>,
): Promise<void> => {
  const left = [...tasks];
  await Promise.all(
    places.map(async (place) => {
      for (let task = left.shift(); task !== undefined; task = left.shift()) {
        await work(place, task);
      }
    }),
  );
};

const started = performance.now();
try {
  const sick: string[] = [];
  await handOut(Array.from(new Set(chosen.map(({ test }) => test))), async (place, file) => {
    let run: TestRun = await place.test(file);
    // A machine that is busy with something else is no reason to doubt the file.
    if (run !== 'green') run = await place.test(file);
    if (run !== 'green') sick.push(`${file} is ${run} with every protection in place`);
  });
  if (sick.length > 0) {
    say(sick.join('\n'));
    process.exitCode = 1;
  } else {
    const survivors: { readonly mutation: Mutation; readonly run: TestRun }[] = [];
    await handOut(chosen, async (place, mutation) => {
      const run = await place.without(mutation);
      const proved = run === 'red' || run === 'hung';
      if (!proved) survivors.push({ mutation, run });
      say(
        `${proved ? 'red    ' : run === 'green' ? 'GREEN  ' : 'NOT RUN'} ${mutation.id}: ${mutation.promise}`,
      );
    });
    const red = chosen.length - survivors.length;
    for (const { mutation, run } of survivors) {
      say(
        `\n${mutation.id} survived (${run}): ${mutation.promise}\n  ${mutation.file}\n  ${mutation.test}`,
      );
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    say(
      `\n${String(red)} of ${String(chosen.length)} protections are proved, in ${String(seconds)} s.`,
    );
    if (positionals.length === 0) {
      await writeScore(join(root, 'docs/guarantees.md'), { red, all: chosen.length });
    }
    if (survivors.length > 0) process.exitCode = 1;
  }
} finally {
  await Promise.all(places.map((place) => place.close()));
}
