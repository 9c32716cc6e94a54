import { parseArgs } from 'node:util';
import { checkInvariants } from './check.ts';

/** `npm run test:invariants -- [--repro SEED[:PATH]] [--trials N]` */
const { values } = parseArgs({
  options: { repro: { type: 'string' }, trials: { type: 'string' } },
});
const [seed, path] = (values.repro ?? String(Math.trunc(Math.random() * 2 ** 31))).split(/:(.*)/s);
const started = performance.now();
const checked = await checkInvariants({
  seed: Number(seed),
  path: path === undefined || path === '' ? undefined : path,
  ...(values.trials === undefined ? {} : { trials: Number(values.trials) }),
});
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(
  `seed ${String(checked.seed)}: ${String(checked.requests)} requests on ${String(checked.connections)} connections in ${seconds} s\n`,
);
const kinds = Object.entries(checked.records).map(([kind, count]) => `${String(count)} ${kind}`);
process.stdout.write(`on the record: ${kinds.join(', ')}\n`);
if (checked.failure === undefined) process.stdout.write('every promise held\n');
else {
  process.stdout.write(`${checked.failure}\n`);
  process.exitCode = 1;
}
