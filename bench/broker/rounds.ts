import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../output.ts';
import type { Contender } from './contender.ts';
import { cpuOf, memoryOf, watchMemory } from './process-tree.ts';
import { CheckOutput, LOAD_PHASES, readFigures, type Figures, type Phase } from './phase.ts';

/** Time between a contender's start and the reading of its memory at rest. */
const REST_MS = 1500;

/** What all rounds of one contender came to. */
export type ContenderRun = {
  readonly contender: Contender;
  /** One entry a round; a phase that failed leaves its figures out. */
  readonly rounds: readonly Figures[];
  readonly failures: readonly string[];
  /** Whether the real credential was taken out of an answer that held it. */
  readonly scrubs: boolean;
};

type Progress = {
  readonly contender: Contender;
  readonly direct: boolean;
  readonly rounds: Figures[];
  readonly failures: string[];
  scrubs: boolean;
};

export type LoadPhase = Exclude<Phase, 'check'>;

export type RoundsOptions = {
  readonly rounds: number;
  readonly phases: readonly LoadPhase[];
  readonly secret: string;
  /** The common name of the upstream's authority: who sees it through a contender was not intercepted. */
  readonly upstreamIssuer: string;
};

/**
 * A contender takes part in a round only if it swaps the credential (the upstream answers no one else) and
 * ends TLS itself; the direct way must not.
 */
const check = async (
  progress: Progress,
  { secret, upstreamIssuer }: RoundsOptions,
): Promise<void> => {
  const { contender, direct } = progress;
  const { issuer, body } = CheckOutput.parse(JSON.parse(await contender.run('check')));
  if (direct !== (issuer === upstreamIssuer)) {
    throw new Error(`the client saw a certificate of ${issuer}`);
  }
  progress.scrubs = !direct && !body.includes(secret);
};

const measure = async (contender: Contender, phase: LoadPhase): Promise<Figures> => {
  const roots = await contender.roots();
  const before = cpuOf(roots);
  const isLoad = LOAD_PHASES.includes(phase) && roots.length > 0;
  const stop = isLoad ? watchMemory(roots) : undefined;
  try {
    const output = await contender.run(phase);
    const figures = readFigures(phase, output, cpuOf(roots) - before);
    const most = stop?.();
    return most === undefined
      ? figures
      : { ...figures, loadRssMiB: most.rssMiB, loadPssMiB: most.pssMiB };
  } finally {
    stop?.();
  }
};

const atRest = async (contender: Contender): Promise<Figures> => {
  const roots = await contender.roots();
  if (roots.length === 0) return {};
  const { rssMiB, pssMiB } = memoryOf(roots);
  return { restRssMiB: rssMiB, restPssMiB: pssMiB };
};

/** Of two readings the later, and of memory under load the larger. */
const merge = (before: Figures, now: Figures): Figures => {
  const larger = (name: 'loadRssMiB' | 'loadPssMiB'): Figures => {
    const values = [before[name], now[name]].filter((value) => value !== undefined);
    return values.length === 0 ? {} : { [name]: Math.max(...values) };
  };
  return { ...before, ...now, ...larger('loadRssMiB'), ...larger('loadPssMiB') };
};

/** Runs the phases round by round, each phase for every contender in turn, the turn beginning with another each time. */
export const runRounds = async (
  contenders: readonly Contender[],
  options: RoundsOptions,
): Promise<readonly ContenderRun[]> => {
  const all: Progress[] = contenders.map((contender, at) => ({
    contender,
    direct: at === 0,
    rounds: [],
    failures: [],
    scrubs: false,
  }));
  const note = (progress: Progress, what: string, failed: unknown): void => {
    const words = `${what}: ${failed instanceof Error ? failed.message : String(failed)}`;
    progress.failures.push(words);
    say(`broker: ${progress.contender.name} failed in ${words}`);
  };
  // Memory at rest is told once, before any load: no contender gives back all that a load made it take.
  await delay(REST_MS);
  const rest = new Map<Progress, Figures>();
  for (const progress of all) rest.set(progress, await atRest(progress.contender));

  let turn = 0;
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`broker: round ${String(round)} of ${String(options.rounds)}`);
    const figures = new Map<Progress, Figures>();
    for (const progress of all) {
      try {
        await check(progress, options);
        figures.set(progress, rest.get(progress) ?? {});
      } catch (failed) {
        note(progress, `the check of round ${String(round)}`, failed);
      }
    }
    for (const phase of options.phases) {
      turn += 1;
      const order = all
        .map((_, at) => all[(at + turn) % all.length])
        .filter((one) => one !== undefined);
      for (const progress of order) {
        const before = figures.get(progress);
        if (before === undefined) continue;
        try {
          figures.set(progress, merge(before, await measure(progress.contender, phase)));
        } catch (failed) {
          note(progress, `${phase}, round ${String(round)}`, failed);
        }
      }
    }
    for (const progress of all) progress.rounds.push(figures.get(progress) ?? {});
  }
  return all;
};
