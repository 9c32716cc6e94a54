import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { profileBroker } from './broker/profile.ts';
import { brokerData, brokerReport } from './broker/report.ts';
import { benchBroker, CONTENDER_NAMES, LOAD_PHASES_BY_NAME } from './broker/section.ts';
import { benchGuard, guardReport } from './guard/section.ts';
import { say } from './output.ts';
import { benchSession, sessionReport } from './session/section.ts';

/**
 * Speed as ratios in one run: absolute figures differ between machines and between runs, so each contender
 * is measured next to what it is compared with, and only the ratio is worth keeping.
 */

const SECTIONS = ['session', 'guard', 'broker'] as const;
const DEFAULT_ROUNDS = 5;
const USAGE = `npm run bench -- [${SECTIONS.join('|')}]... [--json FILE] [--rounds N]
  [--only NAME[,NAME]...]    broker: ${CONTENDER_NAMES.join(', ')}
  [--profile FOLDER]         broker: CPU profiles of the broker process instead of a comparison
  [--phases NAME[,NAME]...]  broker: ${LOAD_PHASES_BY_NAME.join(', ')}`;

const stop = (words: string): never => {
  say(`${words}\n${USAGE}`);
  process.exit(2);
};

/** The names in a comma-separated list, each of which must be known; all of them where there is no list. */
const chosen = <T extends string>(text: string | undefined, known: readonly T[]): readonly T[] =>
  text === undefined
    ? known
    : text
        .split(',')
        .map((name) => known.find((one) => one === name) ?? stop(`${name} is not known`));

const readArguments = (): ReturnType<typeof parse> => {
  try {
    return parse();
  } catch (failed) {
    return stop(failed instanceof Error ? failed.message : String(failed));
  }
};
const parse = () =>
  parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string' },
      phases: { type: 'string' },
      profile: { type: 'string' },
    },
  });

// Ended by the `exit` of this process, contenders go; a session that was running is swept by the next start.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const { values, positionals } = readArguments();
const sections = positionals.length === 0 ? SECTIONS : chosen(positionals.join(','), SECTIONS);
const rounds = Number(values.rounds ?? DEFAULT_ROUNDS);
if (!Number.isInteger(rounds) || rounds < 1) stop('--rounds takes a whole number');
const only = chosen(values.only, CONTENDER_NAMES);
const phases = chosen(values.phases, LOAD_PHASES_BY_NAME);

const data: Record<string, unknown> = { cores: cpus().length };
process.stdout.write(`${String(cpus().length)} cores\n`);
for (const section of sections) {
  process.stdout.write(`\n${section}\n\n`);
  switch (section) {
    case 'session': {
      const result = await benchSession();
      process.stdout.write(sessionReport(result));
      data[section] = result;
      break;
    }
    case 'guard': {
      const result = await benchGuard();
      process.stdout.write(guardReport(result));
      data[section] = result;
      break;
    }
    case 'broker': {
      if (values.profile !== undefined) {
        process.stdout.write(await profileBroker(values.profile, phases));
        break;
      }
      const result = await benchBroker({ rounds, only, phases });
      process.stdout.write(brokerReport(result));
      data[section] = brokerData(result);
      break;
    }
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(data, null, 2)}\n`);
