import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TimelineFile } from './port.ts';

/** How long one process waits for another's transaction. */
const BUSY_TIMEOUT_MS = 2000;

/*
 * WAL, so that readers in other processes never wait; NORMAL, so that a commit does not wait for the
 * disk: what a crash of the app leaves is whole, and `flush` waits where it matters (see the anchor).
 */
const WRITER_PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
`;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    json TEXT NOT NULL,
    hash BLOB NOT NULL,
    class INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    ms REAL NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    prog TEXT NOT NULL,
    code TEXT NOT NULL,
    method TEXT NOT NULL,
    words TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS events_by_class ON events (class, seq);
  CREATE INDEX IF NOT EXISTS events_blocked ON events (blocked, seq) WHERE blocked = 1;
  CREATE INDEX IF NOT EXISTS events_by_time ON events (ms, class, blocked);
  CREATE TRIGGER IF NOT EXISTS events_are_not_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS events_are_not_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END;
`;

/** Creates or checks the file: ours alone (0600 in a folder 0700), a plain file, no link. Throws what the disk says. */
const preparePlace = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    if (!fstatSync(file).isFile()) throw new Error('not a plain file');
    fchmodSync(file, 0o600);
  } finally {
    closeSync(file);
  }
};

export const openForWriting = (file: TimelineFile): DatabaseSync => {
  preparePlace(file.path);
  const database = new DatabaseSync(file.path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec(WRITER_PRAGMAS);
    database.exec(SCHEMA);
  } catch (failure) {
    database.close();
    throw failure;
  }
  return database;
};

/**
 * Makes the log of an open store reach the disk, without taking it over into the store, which needs room.
 * Throws what the disk says. SQLite's locks lie on the other two files, so that opening this one breaks none.
 */
export const syncLog = (path: string): void => {
  let file: number;
  try {
    file = openSync(`${path}-wal`, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return; // Nothing was ever logged.
    throw failure;
  }
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

export const openForReading = (file: TimelineFile): DatabaseSync =>
  new DatabaseSync(file.path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
