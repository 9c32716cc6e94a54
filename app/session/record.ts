import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { MAX_PATH_CHARS, SessionSummary, StartRequest } from '../contract/index.ts';
import { randomId } from '../kit/index.ts';
import { Owner } from './owner.ts';

/** Largest record that is read back. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * What `session.json` holds: enough to list, review and sweep a session after any crash. The request
 * names credentials and never holds their values; neither do grants, which live in memory only.
 */
export const SessionRecord = z.strictObject({
  version: z.literal(1),
  owner: Owner,
  summary: SessionSummary,
  request: StartRequest,
  /** Set where containers may be left that the engine could not be asked to remove. */
  leftovers: z.boolean(),
  /** Address of the engine it ran on: only that one can say that its containers are gone. */
  engine: z.string().max(MAX_PATH_CHARS).optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/** Writes atomically: a reader sees the old record or the new one. Throws what the file system throws. */
export const writeRecord = (path: string, record: SessionRecord): void => {
  const draft = `${path}.${randomId(6)}`;
  try {
    writeFileSync(draft, `${JSON.stringify(record)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(draft, path);
  } catch (failure) {
    rmSync(draft, { force: true });
    throw failure;
  }
};

/** The record at `path`; undefined where there is none or it does not fit its schema. */
export const readRecord = (path: string): SessionRecord | undefined => {
  try {
    if (statSync(path).size > MAX_RECORD_BYTES) return undefined;
    const parsed = SessionRecord.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Half-made folders and foreign files are no sessions; the sweep reports what it cannot read.
    return undefined;
  }
};
