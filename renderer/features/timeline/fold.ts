import type { TimelineEvent } from '../../../app/contract/index.ts';
import { assertNever } from '../../../app/kit/index.ts';

/** Most events one row may stand for, so that a long run still shows that time passes. */
export const MAX_FOLD = 200;

/** One row: the newest event of a run of equal ones, and the whole run, newest first. */
export type FoldedRow = {
  /** Number of the oldest event of the run: stays the same while the run grows. */
  readonly key: number;
  readonly event: TimelineEvent;
  readonly events: readonly TimelineEvent[];
  /** Touches or attempts that the row stands for. */
  readonly count: number;
};

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** Equal keys in a row are one fact repeated. Undefined: never folded. */
const foldKey = (event: TimelineEvent): string | undefined => {
  const program = event.program?.command.join('\u0000') ?? '';
  switch (event.kind) {
    case 'egress':
      return JSON.stringify([
        'egress',
        event.verdict,
        event.code,
        event.method,
        event.host,
        event.port,
        event.path,
        event.status,
        event.credential,
        program,
      ]);
    case 'dns':
      return JSON.stringify(['dns', event.verdict, event.name, program]);
    case 'touch':
      // Reading one folder's files is one fact; writing or refusing is told file by file.
      return JSON.stringify(
        event.verdict === 'allowed' && (event.op === 'read' || event.op === 'open')
          ? ['look', event.op, folderOf(event.path), event.program?.pid, program]
          : ['touch', event.verdict, event.op, event.path, event.to, program],
      );
    case 'credential':
    case 'approval':
    case 'process':
    case 'session':
    case 'policy':
    case 'gap':
      return undefined;
    default:
      return assertNever(event, 'folding an event');
  }
};

const weight = (event: TimelineEvent): number =>
  event.kind === 'touch' || event.kind === 'dns' ? (event.count ?? 1) : 1;

/** Folds events (newest first) into rows: neighbours that say the same become one with a count. */
export const foldEvents = (newestFirst: readonly TimelineEvent[]): readonly FoldedRow[] => {
  const rows: FoldedRow[] = [];
  let run: TimelineEvent[] = [];
  let runKey: string | undefined;
  const flush = (): void => {
    const first = run[0];
    const last = run.at(-1);
    if (first === undefined || last === undefined) return;
    rows.push({
      key: last.seq,
      event: first,
      events: run,
      count: run.reduce((sum, event) => sum + weight(event), 0),
    });
  };
  for (const event of newestFirst) {
    const key = foldKey(event);
    if (run.length > 0 && key !== undefined && key === runKey && run.length < MAX_FOLD) {
      run.push(event);
    } else {
      flush();
      run = [event];
      runKey = key;
    }
  }
  flush();
  return rows;
};
