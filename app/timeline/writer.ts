import type { DatabaseSync } from 'node:sqlite';
import { TimelineDraft, type TimelineCounts, type TimelineEvent } from '../contract/index.ts';
import {
  createEmitter,
  err,
  failure,
  isoTime,
  ok,
  type Clock,
  type Result,
  type Scope,
} from '../kit/index.ts';
import {
  canonicalJson,
  firstHash,
  nextHash,
  sameHash,
  wellFormed,
  type ChainHash,
} from './chain.ts';
import { openForWriting, syncLog } from './database.ts';
import { facetsOf } from './facets.ts';
import { storeFailure } from './failure.ts';
import { readHead, writeHead, type Head } from './head.ts';
import type { TimelineFailure, TimelineFile, TimelineWriter } from './port.ts';
import { createQueries } from './reader.ts';

/** Longest that an event waits for company. */
export const BATCH_DELAY_MS = 50;
/** Most events of one transaction. */
export const MAX_BATCH_EVENTS = 500;
/** Most events that wait while the store fails; what comes then is counted as lost. */
export const MAX_QUEUE_EVENTS = 20_000;
/** Most events about the session itself that are kept where there is no room for the others. */
export const MAX_LAST_WORDS = 8;
/** How long a failing store is left alone before the next attempt. */
export const RETRY_DELAY_MS = 1000;

const RECORDING = 'The timeline could not be written';

type Tail = { readonly seq: number; readonly hash: ChainHash };

/** Opens or continues one session's record. The scope closes and seals it. */
export const openTimelineWriter = (
  file: TimelineFile,
  deps: { readonly clock: Clock },
  scope: Scope,
): Result<TimelineWriter, TimelineFailure> => {
  let database: DatabaseSync;
  let head: Result<Head | undefined>;
  try {
    database = openForWriting(file);
    head = readHead(file.path);
  } catch (thrown) {
    return err(storeFailure(`The timeline of session ${file.session} could not be opened`, thrown));
  }
  const writer = createWriter(database, file, deps.clock, head);
  if (!writer.ok) {
    database.close();
    return writer;
  }
  return ok(scope.use(writer.value));
};

const createWriter = (
  database: DatabaseSync,
  file: TimelineFile,
  clock: Clock,
  found: Result<Head | undefined>,
): Result<TimelineWriter, TimelineFailure> => {
  const queries = createQueries(database, file);
  const insert = database.prepare(
    `INSERT INTO events (seq, json, hash, class, blocked, ms, host, path, prog, code, method, words)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const lastRow = database.prepare('SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1');
  const rowAt = database.prepare('SELECT hash FROM events WHERE seq = ?');
  const recorded = createEmitter<{ events: readonly TimelineEvent[]; counts: TimelineCounts }>();
  const failed = createEmitter<TimelineFailure>();

  const queue: TimelineDraft[] = [];
  /** Lost since the last gap that was queued, because the queue was full. */
  let lost = 0;
  let cancelTimer: (() => void) | undefined;
  let closed = false;
  let failing = false;
  let broken: Head['broken'];
  let known: Tail = { seq: 0, hash: firstHash(file.session) };

  const gap = (count: number, message: string): TimelineDraft => ({
    kind: 'gap',
    at: isoTime(clock.now()),
    source: 'timeline',
    lost: count,
    message,
  });

  const hashAt = (seq: number): ChainHash | undefined => {
    if (seq === 0) return firstHash(file.session);
    const stored = rowAt.get(seq)?.['hash'];
    return stored instanceof Uint8Array ? stored : undefined;
  };

  const tail = (): Tail => {
    const row = lastRow.get();
    const seq = Number(row?.['seq'] ?? 0);
    return { seq, hash: hashAt(seq) ?? new Uint8Array() };
  };

  const noteBroken = (at: number, message: string): void => {
    broken ??= { at, message };
    queue.unshift(gap(0, message));
    failed.emit(failure('timeline.broken', message));
  };

  /** Finds, before anything is chained on, whether what we know of is still there. */
  const checkKnown = (): void => {
    const stored = hashAt(known.seq);
    if (stored !== undefined && sameHash(stored, known.hash)) return;
    noteBroken(
      Math.min(tail().seq + 1, Math.max(known.seq, 1)),
      `The record was changed by somebody else at or before event ${known.seq}.`,
    );
    known = tail();
  };

  const anchor = (sealed: boolean, durable: boolean): void => {
    const head: Head = {
      version: 1,
      session: file.session,
      events: known.seq,
      hash: Buffer.from(known.hash).toString('hex'),
      sealed,
    };
    writeHead(file.path, broken === undefined ? head : { ...head, broken }, durable);
  };

  const store = (batch: readonly TimelineDraft[]): TimelineEvent[] => {
    database.exec('BEGIN IMMEDIATE');
    try {
      let { seq, hash } = tail();
      const events: TimelineEvent[] = [];
      for (const draft of batch) {
        seq += 1;
        const event: TimelineEvent = { ...draft, seq, session: file.session };
        const json = canonicalJson(event);
        hash = nextHash(hash, json);
        const { ms, host, path, prog, code, method, words, ...facets } = facetsOf(event);
        insert.run(
          seq,
          json,
          hash,
          facets.class,
          facets.blocked,
          ms,
          host,
          path,
          prog,
          code,
          method,
          words,
        );
        events.push(event);
      }
      database.exec('COMMIT');
      known = { seq, hash };
      return events;
    } catch (thrown) {
      // SQLite has rolled back by itself after some errors, a full disk among them.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw thrown;
    }
  };

  /** Writes the first batch of the queue. On failure it stays queued. */
  const commit = (): Result<void, TimelineFailure> => {
    let events: TimelineEvent[];
    try {
      checkKnown();
      const batch = queue.slice(0, MAX_BATCH_EVENTS);
      if (batch.length === 0) return ok(undefined);
      events = store(batch);
      queue.splice(0, batch.length);
    } catch (thrown) {
      const why = storeFailure(RECORDING, thrown);
      if (!failing) failed.emit(why);
      failing = true;
      return err(why);
    }
    failing = false;
    try {
      anchor(false, false);
    } catch (thrown) {
      // The events are safe; only the proof that nothing follows is late, and the next batch renews it.
      failed.emit(storeFailure(RECORDING, thrown));
    }
    if (lost > 0 && queue.length < MAX_QUEUE_EVENTS) {
      queue.push(gap(lost, 'Events came faster than they could be written.'));
      lost = 0;
    }
    recorded.emit({ events, counts: queries.counts() });
    return ok(undefined);
  };

  const schedule = (): void => {
    if (closed || cancelTimer !== undefined || queue.length === 0) return;
    const full = queue.length >= MAX_BATCH_EVENTS;
    const delay = failing ? RETRY_DELAY_MS : full ? 0 : BATCH_DELAY_MS;
    cancelTimer = clock.after(delay, () => {
      cancelTimer = undefined;
      commit();
      schedule();
    });
  };

  const drain = (): Result<void, TimelineFailure> => {
    cancelTimer?.();
    cancelTimer = undefined;
    while (queue.length > 0) {
      const done = commit();
      if (!done.ok) {
        schedule();
        return done;
      }
    }
    return ok(undefined);
  };

  /** There is no room for all that waits: that something is missing and how the session ended needs little. */
  const condense = (): void => {
    const words = queue.filter(({ kind }) => kind === 'session' || kind === 'gap');
    const last = words.slice(-MAX_LAST_WORDS);
    const missing = queue.length - last.length + lost;
    if (missing === 0) return;
    queue.splice(0, queue.length, gap(missing, 'There was no room to write them.'), ...last);
    lost = 0;
  };

  /** Reaches the disk: the log first, then the anchor, so that the anchor never runs ahead. */
  const settle = (sealed: boolean): Result<void, TimelineFailure> => {
    try {
      syncLog(file.path);
      anchor(sealed, true);
    } catch (thrown) {
      const why = storeFailure(RECORDING, thrown);
      failed.emit(why);
      return err(why);
    }
    try {
      database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // No room to take the log over into the store: it stays beside it, read as before.
    }
    return ok(undefined);
  };

  const enqueue = (draft: TimelineDraft): void => {
    const parsed = TimelineDraft.safeParse(wellFormed(draft));
    const fits = parsed.success && Number.isFinite(Date.parse(parsed.data.at));
    if (queue.length >= MAX_QUEUE_EVENTS) lost += 1;
    else if (fits) queue.push(parsed.data);
    else queue.push(gap(1, 'An event did not fit the timeline’s form.'));
  };

  try {
    const was = found.ok ? found.value : undefined;
    known = tail();
    broken = was?.broken;
    const stored = was === undefined ? undefined : hashAt(was.events);
    if (!found.ok) {
      noteBroken(1, found.error.message);
    } else if (was === undefined) {
      if (known.seq > 0)
        noteBroken(known.seq, 'The anchor file was missing when the record was opened again.');
    } else if (stored === undefined || Buffer.from(stored).toString('hex') !== was.hash) {
      noteBroken(
        Math.min(known.seq + 1, Math.max(was.events, 1)),
        `The record was changed before it was opened again: ${was.events} events were anchored, ${known.seq} are there.`,
      );
    } else if (was.sealed && known.seq > was.events) {
      noteBroken(was.events + 1, 'Events were added after the record was sealed.');
    }
    anchor(false, false);
    schedule();
  } catch (thrown) {
    return err(storeFailure(RECORDING, thrown));
  }

  return ok({
    ...queries,
    append: (drafts) => {
      if (closed) {
        failed.emit(
          failure('timeline.failed', `${drafts.length} events came after the timeline was closed.`),
        );
        return;
      }
      for (const draft of drafts) enqueue(draft);
      schedule();
    },
    flush: async () => {
      if (closed) return ok(undefined);
      const drained = drain();
      return drained.ok ? settle(false) : drained;
    },
    onRecorded: (listener) => recorded.on(({ events, counts }) => listener(events, counts)),
    onFailure: failed.on,
    close: () => {
      if (closed) return;
      if (failing) condense();
      const drained = drain();
      cancelTimer?.();
      closed = true;
      // With events unwritten the record is not whole, and must not say it is.
      if (drained.ok && lost === 0) settle(true);
      database.close();
    },
  });
};
