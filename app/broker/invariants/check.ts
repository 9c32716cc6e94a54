import * as fc from 'fast-check';
import type { EgressDraft } from '../../contract/index.ts';
import { boundedShrinking } from './bounded-shrinking.ts';
import { describeTrial } from './describe-trial.ts';
import { trials, type Trial } from './plan.ts';
import { brokenPromises, idsOf } from './promises.ts';
import { runTrial, type Outcome } from './run-trial.ts';
import { createWorld, type World } from './world.ts';

/** Fewest requests of one check. */
export const MIN_REQUESTS = 5000;
/** Trials that come to about so many. */
const TRIALS = 450;
/** How long records may take to be written, in milliseconds. */
const RECORD_MS = 10_000;

export type CheckOptions = {
  readonly seed: number;
  /** Where in the run of that seed to begin: what a failure printed. */
  readonly path?: string | undefined;
  readonly trials?: number;
};

const RECORD_KINDS = {
  allowed: ({ verdict }) => verdict === 'allowed',
  denied: ({ verdict }) => verdict === 'denied',
  injected: ({ verdict, credential }) => verdict === 'allowed' && credential !== undefined,
  scrubbed: ({ scrubbed }) => scrubbed !== undefined,
  'HTTP/2': ({ protocol }) => protocol === 'h2',
  WebSocket: ({ protocol }) => protocol === 'ws',
  'raw TCP': ({ protocol }) => protocol === 'tcp',
  'passed through': ({ protocol }) => protocol === 'tls',
} as const satisfies Readonly<Record<string, (record: EgressDraft) => boolean>>;
type RecordKind = keyof typeof RECORD_KINDS;

const countRecords = (world: World): Checked['records'] => {
  const records = world.rig.events.filter((event) => event.kind === 'egress');
  const count = (kind: RecordKind): number => records.filter(RECORD_KINDS[kind]).length;
  return {
    allowed: count('allowed'),
    denied: count('denied'),
    injected: count('injected'),
    scrubbed: count('scrubbed'),
    'HTTP/2': count('HTTP/2'),
    WebSocket: count('WebSocket'),
    'raw TCP': count('raw TCP'),
    'passed through': count('passed through'),
  };
};

export type Checked = {
  readonly seed: number;
  readonly requests: number;
  readonly connections: number;
  /** Records by what they tell of: a check that everything passes by refusing it proves little. */
  readonly records: Readonly<Record<RecordKind, number>>;
  /** What was broken, with the smallest trial that breaks it; undefined where all held. */
  readonly failure: string | undefined;
};

const settled = async (world: World, outcomes: readonly Outcome[]): Promise<void> => {
  const ids = outcomes.flatMap(idsOf);
  const until = performance.now() + RECORD_MS;
  for (;;) {
    const records = world.records();
    if (ids.every((id) => records.has(id)) || performance.now() > until) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const once = async (world: World, trial: Trial): Promise<readonly Outcome[]> => {
  const before = world.upstreams.received.length;
  const askedBefore = world.asked.length;
  const forbiddenBefore = world.upstreams.forbidden();
  const outcomes = await runTrial(world, trial);
  await settled(world, outcomes);
  const broken = brokenPromises(world, outcomes, {
    received: world.upstreams.received.slice(before),
    asked: world.asked.slice(askedBefore),
    forbidden: world.upstreams.forbidden() - forbiddenBefore,
  });
  if (broken.length > 0) throw new Error(Array.from(new Set(broken)).join('\n'));
  return outcomes;
};

/** After everything: one record for each request, and none for what nobody asked. */
const leftOver = (world: World, asked: ReadonlySet<string>): string | undefined => {
  const records = Array.from(world.records());
  const twice = records.find(([, found]) => found.length > 1);
  if (twice !== undefined) return `${twice[0]} is on the record ${String(twice[1].length)} times`;
  const unasked = records.find(([id]) => !asked.has(id));
  const gaps = world.rig.events.filter((event) => event.kind === 'gap').length;
  const last: EgressDraft | undefined = unasked?.[1][0];
  if (last !== undefined) return `nobody asked for ${String(last.path)}`;
  return gaps > 0 ? `${String(gaps)} gaps in the record` : undefined;
};

/** Runs random trials through one broker and reports the first broken promise, made as small as can be. */
export const checkInvariants = async (options: CheckOptions): Promise<Checked> => {
  const world = await createWorld();
  const asked = new Set<string>();
  let connections = 0;
  try {
    const details = await fc.check(
      fc.asyncProperty(
        trials,
        boundedShrinking(async (trial) => {
          connections += trial.length;
          for (const outcome of await once(world, trial)) {
            for (const id of outcome.type === 'http' ? idsOf(outcome) : [outcome.id]) asked.add(id);
          }
        }),
      ),
      {
        seed: options.seed,
        numRuns: options.trials ?? TRIALS,
        ...(options.path === undefined ? {} : { path: options.path }),
        maxSkipsPerRun: 0,
      },
    );
    const { seed } = details;
    const counts = { seed, requests: asked.size, connections, records: countRecords(world) };
    if (details.failed) {
      const [trial] = details.counterexample ?? [[]];
      const cause = details.errorInstance instanceof Error ? details.errorInstance.message : '';
      const failure = `${cause}\n\nthe smallest trial that breaks it (${String(details.numShrinks)} times made smaller):\n${describeTrial(trial)}\n\nrepeat: npm run test:invariants -- --only http --repro ${String(seed)}:${details.counterexamplePath ?? ''}`;
      return { ...counts, failure };
    }
    return { ...counts, failure: leftOver(world, asked) };
  } finally {
    await world.close();
  }
};
