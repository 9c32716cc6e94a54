import * as fc from 'fast-check';
import type { EgressDraft } from '../../../contract/index.ts';
import { assertNever } from '../../../kit/index.ts';
import { boundedShrinking } from '../bounded-shrinking.ts';
import { withinTime } from '../carriers.ts';
import { awsConnection, renderAws, type AwsConnection } from './aws-trials.ts';
import type { Ask, Manner } from './asks.ts';
import { DATABASES, PLACES, TOKEN_TARGETS } from './held.ts';
import { gitConnection, renderGit, type GitConnection } from './git-trials.ts';
import { postgresConnection, runPostgres, type PostgresConnection } from './postgres-trials.ts';
import { recordsWrong } from './records.ts';
import { checkReceived, joined, runAsks, writtenDown, type Judged } from './run-asks.ts';
import { tokenFlow, type TokenFlow } from './token-plan.ts';
import { runTokenFlow } from './token-trials.ts';
import { createMediatedWorld, type MediatedWorld } from './world.ts';

/** Fewest connections of one check, with all their requests and logins. */
export const MIN_MEDIATED = 400;
/** Trials that come to about so many. */
const TRIALS = 56;
/** How long records may take to be written, in milliseconds. */
const RECORD_MS = 10_000;

export type MediatedPlan = AwsConnection | TokenFlow | GitConnection | PostgresConnection;
export type MediatedTrial = readonly MediatedPlan[];

/** The schemes, and how often each is tried: each exchange of tokens makes the broker prepare its search anew. */
const SCHEMES = {
  aws: { weight: 6, arbitrary: awsConnection },
  tokens: { weight: 3, arbitrary: tokenFlow },
  git: { weight: 9, arbitrary: gitConnection },
  postgres: { weight: 8, arbitrary: postgresConnection },
} as const;
export type Scheme = keyof typeof SCHEMES;
export const SCHEME_NAMES = Object.keys(SCHEMES) as Scheme[];

const trialsOf = (schemes: readonly Scheme[]): fc.Arbitrary<MediatedTrial> =>
  fc.array(
    fc.oneof<fc.WeightedArbitrary<MediatedPlan>[]>(...schemes.map((scheme) => SCHEMES[scheme])),
    { minLength: 1, maxLength: 16, size: 'max' },
  );

let ids = 0;
const nextId = (): string => {
  ids += 1;
  return `m${String(ids)}`;
};

const runAll = async (world: MediatedWorld, how: Manner, asks: readonly Ask[]): Promise<Judged> => {
  const places = Array.from(new Set(asks.map(({ place }) => place)));
  return joined(
    await Promise.all(
      places.map((place) =>
        runAsks(
          world,
          how,
          place,
          asks.filter((ask) => ask.place === place),
        ),
      ),
    ),
  );
};

const runPlan = async (world: MediatedWorld, plan: MediatedPlan): Promise<Judged> => {
  const { values } = world;
  switch (plan.scheme) {
    case 'aws':
      return runAll(
        world,
        plan,
        await Promise.all(
          plan.requests.map((request) => renderAws(request, plan.place, nextId(), values)),
        ),
      );
    case 'git':
      return runAll(
        world,
        plan,
        plan.requests.map((request) => renderGit(request, plan.place, nextId(), values)),
      );
    case 'postgres':
      return runPostgres(world, plan, nextId());
    case 'tokens':
      return runTokenFlow(world, plan, nextId);
    default:
      return assertNever(plan, 'running a trial');
  }
};

const settled = async (world: MediatedWorld, records: number): Promise<void> => {
  const until = performance.now() + RECORD_MS;
  while (world.records().length < records && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 5));
};

/** Runs one trial; resolves to how many things it put on the record, rejects with the promises it broke. */
const once = async (world: MediatedWorld, trial: MediatedTrial): Promise<number> => {
  const receivedBefore = world.received.length;
  const recordsBefore = world.records().length;
  world.forget();
  const forbiddenBefore = world.forbidden();
  const { broken, records } = joined(
    await Promise.all(trial.map((plan) => withinTime(runPlan(world, plan), JSON.stringify(plan)))),
  );
  await settled(world, recordsBefore + records.length);
  const added = world.records().slice(recordsBefore);
  const all = [
    ...broken,
    ...checkReceived(world, receivedBefore),
    ...recordsWrong(added, records),
    ...writtenDown(world, added),
    ...(world.forbidden() === forbiddenBefore
      ? []
      : ['an address was dialled that no policy lets through']),
    ...world.asked
      .filter((name) => name !== DATABASES.rebinding)
      .map((name) => `the resolver was asked for ${name}`),
  ];
  if (all.length > 0) throw new Error(Array.from(new Set(all)).join('\n'));
  return records.length;
};

/** What the records tell of: a check that everything passes by refusing it proves little. */
const RECORD_KINDS = {
  allowed: ({ verdict }) => verdict === 'allowed',
  denied: ({ verdict }) => verdict === 'denied',
  scrubbed: ({ scrubbed }) => scrubbed !== undefined,
  'signed anew': ({ verdict, host }) => verdict === 'allowed' && (host ?? '').endsWith('aws.test'),
  exchanged: ({ verdict, path, credential }) =>
    verdict === 'allowed' &&
    credential !== undefined &&
    TOKEN_TARGETS.some((target) => target === path),
  'token used': ({ verdict, host, credential }) =>
    verdict === 'allowed' &&
    credential !== undefined &&
    (host === PLACES.api || host === PLACES.pub),
  pushed: ({ verdict, path }) =>
    verdict === 'allowed' && (path ?? '').includes('/git-receive-pack?'),
  'logged in': ({ verdict, credential, protocol }) =>
    verdict === 'allowed' && credential !== undefined && protocol === 'tcp',
} as const satisfies Readonly<Record<string, (record: EgressDraft) => boolean>>;
type RecordKind = keyof typeof RECORD_KINDS;

const countOf = (records: readonly EgressDraft[]): Readonly<Record<RecordKind, number>> => {
  const count = (kind: RecordKind): number => records.filter(RECORD_KINDS[kind]).length;
  return {
    allowed: count('allowed'),
    denied: count('denied'),
    scrubbed: count('scrubbed'),
    'signed anew': count('signed anew'),
    exchanged: count('exchanged'),
    'token used': count('token used'),
    pushed: count('pushed'),
    'logged in': count('logged in'),
  };
};

export type MediatedChecked = {
  readonly seed: number;
  readonly connections: number;
  readonly requests: number;
  readonly records: Readonly<Record<RecordKind, number>>;
  /** What was broken, with the smallest trial that breaks it; undefined where all held. */
  readonly failure: string | undefined;
};

export type MediatedOptions = {
  readonly seed: number;
  /** Where in the run of that seed to begin: what a failure printed. */
  readonly path?: string | undefined;
  readonly trials?: number | undefined;
  /** All schemes where none is named. */
  readonly only?: Scheme | undefined;
};

/** After everything: nothing came late, and nothing was lost. */
const leftOver = (world: MediatedWorld, wanted: number): string | undefined => {
  const records = world.records().length;
  const gaps = world.rig.events.filter((event) => event.kind === 'gap').length;
  if (gaps > 0) return `${String(gaps)} gaps in the record`;
  return records === wanted
    ? undefined
    : `${String(records)} records of ${String(wanted)} things that happened`;
};

/**
 * Runs random trials of the protocols that mediators and logins handle through one broker, and
 * reports the first broken promise, made as small as can be.
 */
export const checkMediated = async (options: MediatedOptions): Promise<MediatedChecked> => {
  const { only } = options;
  const world = await createMediatedWorld();
  let connections = 0;
  let wanted = 0;
  try {
    const trials = trialsOf(only === undefined ? SCHEME_NAMES : [only]);
    const details = await fc.check(
      fc.asyncProperty(
        trials,
        boundedShrinking(async (trial) => {
          connections += trial.length;
          wanted += await once(world, trial);
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
    const records = world.records();
    const counts = { seed, connections, requests: records.length, records: countOf(records) };
    if (!details.failed) return { ...counts, failure: leftOver(world, wanted) };
    const [trial] = details.counterexample ?? [[]];
    const cause = details.errorInstance instanceof Error ? details.errorInstance.message : '';
    const again = `npm run test:invariants -- --only ${only ?? 'mediated'} --repro ${String(seed)}:${details.counterexamplePath ?? ''}`;
    const smallest = trial.map((plan) => JSON.stringify(plan)).join('\n');
    const failure = `${cause}\n\nthe smallest trial that breaks it (${String(details.numShrinks)} times made smaller):\n${smallest}\n\nrepeat: ${again}`;
    return { ...counts, failure };
  } finally {
    await world.close();
  }
};
