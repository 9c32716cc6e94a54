import { markdownTable } from '../output.ts';
import { median, pairedRatio } from '../statistics.ts';
import type { Absent } from './contender.ts';
import type { Measure } from './phase.ts';
import type { ContenderRun } from './rounds.ts';

/** What the section came to: contenders in the order direct, ours, rivals. */
export type BrokerResult = {
  readonly runs: readonly ContenderRun[];
  readonly absent: readonly Absent[];
};

type Row = { readonly measure: Measure; readonly label: string; readonly digits: number };

const ROWS: readonly Row[] = [
  { measure: 'keptP50', label: 'kept connection, p50, ms', digits: 2 },
  { measure: 'keptP99', label: 'kept connection, p99, ms', digits: 2 },
  { measure: 'freshP50', label: 'new connection, p50, ms', digits: 2 },
  { measure: 'freshP99', label: 'new connection, p99, ms', digits: 2 },
  { measure: 'perSecond', label: 'requests per second, 64 at once', digits: 0 },
  { measure: 'cpuPerRequestUs', label: 'its CPU time per request, µs', digits: 0 },
  { measure: 'downMiBs', label: 'download, MiB/s', digits: 0 },
  { measure: 'upMiBs', label: 'upload, MiB/s', digits: 0 },
  { measure: 'downCpuPerMiBMs', label: 'its CPU time per MiB down, ms', digits: 2 },
  { measure: 'upCpuPerMiBMs', label: 'its CPU time per MiB up, ms', digits: 2 },
  { measure: 'eventP50', label: 'event delay, p50, ms', digits: 2 },
  { measure: 'eventP99', label: 'event delay, p99, ms', digits: 2 },
  { measure: 'eventsAlone', label: 'events that came by themselves, share', digits: 2 },
  { measure: 'restRssMiB', label: 'memory at rest, RSS, MiB', digits: 0 },
  { measure: 'restPssMiB', label: 'memory at rest, PSS, MiB', digits: 0 },
  { measure: 'loadRssMiB', label: 'memory at load, RSS, MiB', digits: 0 },
  { measure: 'loadPssMiB', label: 'memory at load, PSS, MiB', digits: 0 },
];

const series = (run: ContenderRun, measure: Measure): readonly (number | undefined)[] =>
  run.rounds.map((figures) => figures[measure]);

const middle = (run: ContenderRun, measure: Measure): number =>
  median(series(run, measure).filter((value) => value !== undefined));

const text = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '-';

/** What a contender adds to the direct way, round by round. */
const added = (
  run: ContenderRun,
  direct: ContenderRun,
  measure: Measure,
): readonly (number | undefined)[] =>
  series(run, measure).map((value, round) => {
    const base = direct.rounds[round]?.[measure];
    return value === undefined || base === undefined ? undefined : value - base;
  });

const known = (values: readonly (number | undefined)[]): readonly number[] =>
  values.filter((value) => value !== undefined);

const figuresTable = (runs: readonly ContenderRun[], direct: ContenderRun | undefined): string => {
  const head = ['measure (median of rounds)', ...runs.map(({ contender }) => contender.name)];
  const body = ROWS.map(({ measure, label, digits }) => [
    label,
    ...runs.map((run) => text(middle(run, measure), digits)),
  ]);
  if (direct === undefined) return markdownTable([head, ...body]);
  const addedRow = (measure: Measure, label: string): readonly string[] => [
    label,
    ...runs.map((run) =>
      run === direct ? '-' : text(median(known(added(run, direct, measure))), 2),
    ),
  ];
  return markdownTable([
    head,
    ...body.slice(0, 2),
    addedRow('keptP50', 'kept connection, added p50, ms'),
    ...body.slice(2, 4),
    addedRow('freshP50', 'new connection, added p50, ms'),
    ...body.slice(4),
  ]);
};

const ratioTable = (runs: readonly ContenderRun[], base: ContenderRun): string =>
  markdownTable([
    [`ratio to ${base.contender.name}`, ...runs.map(({ contender }) => contender.name)],
    ...ROWS.filter(({ measure }) => series(base, measure).some((value) => (value ?? 0) > 0)).map(
      ({ measure, label }) => [
        label.replace(/, (ms|µs|MiB\/s|MiB)$/, ''),
        ...runs.map((run) => text(pairedRatio(series(run, measure), series(base, measure)), 2)),
      ],
    ),
  ]);

/** Tables in Markdown: the figures, and the ratios to the direct way and to sandbox-runtime. */
export const brokerReport = ({ runs, absent }: BrokerResult): string => {
  const named = (start: string): ContenderRun | undefined =>
    runs.find(({ contender }) => contender.name.startsWith(start));
  const direct = named('direct');
  const rival = named('sandbox-runtime');
  const others = (base: ContenderRun): readonly ContenderRun[] =>
    runs.filter((run) => run !== base);
  const notes = [
    ...runs.map(({ contender, scrubs, failures }) => {
      const does = contender.name === 'direct' ? '' : scrubs ? '; scrubs' : '; does not scrub';
      const lost = failures.length === 0 ? '' : `; failed ${String(failures.length)} times`;
      return `- ${contender.name}: ${contender.topology}${does}${lost}`;
    }),
    ...absent.map(({ name, reason }) => `- ${name}: not here (${reason})`),
  ];
  return [
    `${notes.join('\n')}\n`,
    figuresTable(runs, direct),
    ...(direct === undefined ? [] : [ratioTable(others(direct), direct)]),
    ...(rival === undefined ? [] : [ratioTable(others(rival), rival)]),
  ].join('\n');
};

/** The same as plain data, with every round. */
export const brokerData = ({ runs, absent }: BrokerResult): unknown => ({
  contenders: runs.map((run) => ({
    name: run.contender.name,
    topology: run.contender.topology,
    scrubs: run.scrubs,
    failures: run.failures,
    medians: Object.fromEntries(ROWS.map(({ measure }) => [measure, middle(run, measure)])),
    rounds: run.rounds,
  })),
  absent,
});
