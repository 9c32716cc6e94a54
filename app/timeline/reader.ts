import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { TimelineEvent, type TimelineBucket, type TimelineCounts } from '../contract/index.ts';
import { err, isoTime, ok, type Result } from '../kit/index.ts';
import { openForReading } from './database.ts';
import { EVENT_CLASSES } from './facets.ts';
import { storeFailure } from './failure.ts';
import { conditionOf } from './filter.ts';
import type { TimelineFailure, TimelineFile, TimelineReader } from './port.ts';
import { verifyStore } from './verify.ts';

const NO_COUNTS: TimelineCounts = { all: 0, egress: 0, files: 0, credentials: 0, blocked: 0 };

/** Adds up what came since it was last asked, so that a question costs only what is new. */
const createCounter = (database: DatabaseSync): (() => TimelineCounts) => {
  const statement = database.prepare(`
    SELECT max(seq) AS last, count(*) AS "all",
      coalesce(sum(class = ${EVENT_CLASSES.egress}), 0) AS egress,
      coalesce(sum(class = ${EVENT_CLASSES.files}), 0) AS files,
      coalesce(sum(class = ${EVENT_CLASSES.credentials}), 0) AS credentials,
      coalesce(sum(blocked), 0) AS blocked
    FROM events WHERE seq > ?`);
  let counts = NO_COUNTS;
  let counted = 0;
  return () => {
    const row = statement.get(counted) ?? {};
    if (typeof row['last'] !== 'number') return counts;
    counted = row['last'];
    counts = {
      all: counts.all + Number(row['all']),
      egress: counts.egress + Number(row['egress']),
      files: counts.files + Number(row['files']),
      credentials: counts.credentials + Number(row['credentials']),
      blocked: counts.blocked + Number(row['blocked']),
    };
    return counts;
  };
};

/** Reads one stored row. What no longer fits the contract shows as a gap in its place, never as nothing. */
const eventOf = (row: Record<string, unknown>, file: TimelineFile): TimelineEvent => {
  try {
    const event = TimelineEvent.parse(JSON.parse(String(row['json'])));
    if (event.seq === row['seq'] && event.session === file.session) return event;
  } catch {
    // Not JSON, or not an event: the gap below says so, and `verify` finds where the chain broke.
  }
  return {
    kind: 'gap',
    seq: Number(row['seq']),
    session: file.session,
    at: isoTime(0),
    source: 'timeline',
    lost: 1,
    message: 'This event cannot be read: its record was changed.',
  };
};

const attempt = <T>(doing: string, task: () => T): Result<T, TimelineFailure> => {
  try {
    return ok(task());
  } catch (failure) {
    return err(storeFailure(doing, failure));
  }
};

/** The questions over an open store. Closing the database is the caller's. */
export const createQueries = (
  database: DatabaseSync,
  file: TimelineFile,
): Omit<TimelineReader, 'close'> & { readonly counts: () => TimelineCounts } => {
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = database.prepare(sql);
    statements.set(sql, made);
    return made;
  };
  const counts = createCounter(database);
  return {
    counts,
    page: ({ filter, before, limit }) =>
      attempt('The timeline could not be read', () => {
        const { where, values } = conditionOf(filter);
        const rows = prepare(
          `SELECT seq, json FROM events WHERE seq < ? AND ${where} ORDER BY seq DESC LIMIT ?`,
        ).all(before ?? Number.MAX_SAFE_INTEGER, ...values, limit + 1);
        return {
          events: rows.slice(0, limit).map((row) => eventOf(row, file)),
          counts: counts(),
          more: rows.length > limit,
        };
      }),
    since: (after, limit) =>
      attempt('The timeline could not be read', () =>
        prepare('SELECT seq, json FROM events WHERE seq > ? ORDER BY seq LIMIT ?')
          .all(after, limit)
          .map((row) => eventOf(row, file)),
      ),
    overview: (columns) =>
      attempt('The timeline could not be read', () => {
        const span = prepare('SELECT min(ms) AS low, max(ms) AS high FROM events').get() ?? {};
        const { low, high } = span;
        if (typeof low !== 'number' || typeof high !== 'number') return [];
        // At least a millisecond each, so that a record of one moment still has columns.
        const width = Math.max((high - low) / columns, 1);
        const buckets: TimelineBucket[] = Array.from({ length: columns }, (_, index) => ({
          from: low + index * width,
          egress: 0,
          touches: 0,
          credentials: 0,
          blocked: 0,
        }));
        const rows = prepare(`
          SELECT min(CAST((ms - ?) / ? AS INTEGER), ?) AS bucket,
            sum(class = ${EVENT_CLASSES.egress}) AS egress,
            sum(class = ${EVENT_CLASSES.files}) AS touches,
            sum(class = ${EVENT_CLASSES.credentials}) AS credentials,
            sum(blocked) AS blocked
          FROM events GROUP BY 1`).all(low, width, columns - 1);
        for (const row of rows) {
          const index = Number(row['bucket']);
          buckets[index] = {
            from: low + index * width,
            egress: Number(row['egress']),
            touches: Number(row['touches']),
            credentials: Number(row['credentials']),
            blocked: Number(row['blocked']),
          };
        }
        return buckets;
      }),
    verify: () => attempt('The timeline could not be checked', () => verifyStore(database, file)),
  };
};

/** Opens one session's record for reading, also while another process writes it. Close it when done. */
export const openTimelineReader = (file: TimelineFile): Result<TimelineReader, TimelineFailure> => {
  try {
    const database = openForReading(file);
    try {
      const queries = createQueries(database, file);
      return ok({ ...queries, close: () => database.isOpen && database.close() });
    } catch (failure) {
      database.close();
      throw failure;
    }
  } catch (failure) {
    return err(
      storeFailure(`The timeline of session ${file.session} could not be opened`, failure),
    );
  }
};
