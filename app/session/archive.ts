import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { SessionId, type SessionSummary } from '../contract/index.ts';
import { failure } from '../kit/index.ts';
import type { Log } from './deps.ts';
import { isAlive, isSameOwner, type Owner } from './owner.ts';
import { runFolder, sessionPaths, sessionsFolder } from './paths.ts';
import { readRecord, writeRecord, type SessionRecord } from './record.ts';

/** Most sessions that are listed. */
export const MAX_SESSIONS = 10_000;

/** How a session on disk stands, judged by its owner. */
export type Archived = {
  readonly record: SessionRecord;
  /** `elsewhere`: another process runs it; `orphaned`: its owner died with it; `over`: it ended properly. */
  readonly standing: 'elsewhere' | 'orphaned' | 'over';
  readonly summary: SessionSummary;
};

const UNFINISHED = new Set(['starting', 'running', 'stopping']);

const orphanProblem = failure(
  'session.ended-early',
  'Glovebox itself ended while the session ran; the sandbox was removed.',
  'Its changes up to then are kept for review.',
);

const judge = (record: SessionRecord, self: Owner): Archived => {
  const { progress: _progress, ...summary } = record.summary;
  if (!UNFINISHED.has(summary.state)) {
    return { record, standing: 'over', summary: { ...summary, owned: true } };
  }
  // One of this process that does not run here any more is as orphaned as one of a dead process.
  if (isAlive(record.owner) && !isSameOwner(record.owner, self)) {
    return { record, standing: 'elsewhere', summary: { ...record.summary, owned: false } };
  }
  return {
    record,
    standing: 'orphaned',
    summary: {
      ...summary,
      state: 'review',
      owned: true,
      alerts: [],
      questions: [],
      problem: orphanProblem,
    },
  };
};

/** The sessions on disk: those that ended, and those that other processes run. */
export type Archive = {
  readonly get: (id: SessionId) => Archived | undefined;
  readonly all: () => readonly Archived[];
  /** Reads the disk again; returns what changed since. `skip` are the sessions this process runs. */
  readonly scan: (skip: (id: SessionId) => boolean) => {
    readonly changed: readonly Archived[];
    readonly gone: readonly SessionId[];
  };
  /** Keeps the record, on disk where that can be had. */
  readonly save: (record: SessionRecord) => Archived;
  readonly remove: (id: SessionId) => void;
  /** Removes run folders that no living session uses. */
  readonly sweepRunFolders: (isOurs: (id: SessionId) => boolean) => void;
};

const foldersIn = (path: string): SessionId[] => {
  try {
    return readdirSync(path).flatMap((name) => {
      const id = SessionId.safeParse(name);
      return id.success ? [id.data] : [];
    });
  } catch {
    return []; // Not made yet: there are no sessions.
  }
};

export const createArchive = (home: string, owner: Owner, log: Log): Archive => {
  const known = new Map<SessionId, { readonly stamp: string; readonly archived: Archived }>();
  mkdirSync(sessionsFolder(home), { recursive: true, mode: 0o700 });
  mkdirSync(runFolder(home), { recursive: true, mode: 0o700 });

  const stampOf = (id: SessionId): string | undefined => {
    try {
      const { mtimeMs, ino } = statSync(sessionPaths(home, id).record);
      return `${ino}:${mtimeMs}`;
    } catch {
      return undefined;
    }
  };
  const load = (id: SessionId, stamp: string): Archived | undefined => {
    const record = readRecord(sessionPaths(home, id).record);
    if (record === undefined || record.summary.id !== id) return undefined;
    const archived = judge(record, owner);
    known.set(id, { stamp, archived });
    return archived;
  };
  const scan: Archive['scan'] = (skip) => {
    const changed: Archived[] = [];
    const seen = new Set<SessionId>();
    for (const id of foldersIn(sessionsFolder(home)).slice(0, MAX_SESSIONS)) {
      if (skip(id)) continue;
      const stamp = stampOf(id);
      if (stamp === undefined) continue;
      seen.add(id);
      const before = known.get(id);
      const same = before?.stamp === stamp;
      // An unchanged record of a running session may still have lost its owner.
      if (same && before.archived.standing !== 'elsewhere') continue;
      if (same && isAlive(before.archived.record.owner)) continue;
      const archived = load(id, stamp);
      if (archived !== undefined) changed.push(archived);
    }
    const gone = Array.from(known.keys()).filter((id) => !seen.has(id) && !skip(id));
    for (const id of gone) known.delete(id);
    return { changed, gone };
  };

  return {
    get: (id) => known.get(id)?.archived,
    all: () => Array.from(known.values(), ({ archived }) => archived),
    scan,
    save: (record) => {
      try {
        writeRecord(sessionPaths(home, record.summary.id).record, record);
      } catch (why) {
        // A full disk: what is known here still counts, so that the user can decide and make room.
        log('error', `the record of session ${record.summary.id} could not be written`, { why });
      }
      const archived = judge(record, owner);
      known.set(record.summary.id, { stamp: stampOf(record.summary.id) ?? '', archived });
      return archived;
    },
    remove: (id) => {
      known.delete(id);
      rmSync(sessionPaths(home, id).folder, { recursive: true, force: true });
    },
    sweepRunFolders: (isOurs) => {
      for (const id of foldersIn(runFolder(home))) {
        const paths = sessionPaths(home, id);
        const record = existsSync(paths.record) ? readRecord(paths.record) : undefined;
        const used =
          isOurs(id) ||
          (record !== undefined &&
            UNFINISHED.has(record.summary.state) &&
            (isAlive(record.owner) || isSameOwner(record.owner, owner)));
        if (!used) rmSync(paths.run, { recursive: true, force: true });
      }
    },
  };
};
