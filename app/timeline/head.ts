import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { z } from 'zod';
import { fail, ok, type Result } from '../kit/index.ts';

/** Most characters of an anchor file. */
const MAX_HEAD_CHARS = 4096;

/**
 * The anchor beside the store: how many events there were and the last one's hash. A chain alone
 * cannot tell that its end was cut off; this can.
 */
const Head = z.strictObject({
  version: z.literal(1),
  session: z.string().max(32),
  events: z.int().min(0),
  /** Hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Set at the end of the record: not one event more may follow. */
  sealed: z.boolean(),
  /** Set once the store was found shorter than, or other than, what was written; never unset. */
  broken: z.strictObject({ at: z.int().min(1), message: z.string().max(1024) }).optional(),
});
export type Head = z.infer<typeof Head>;

export const headPath = (path: string): string => `${path}.head`;

/** Reads the anchor; `undefined` where there is none. Fails on one that cannot be read whole. */
export const readHead = (path: string): Result<Head | undefined> => {
  let text: string;
  try {
    text = readFileSync(headPath(path), {
      encoding: 'utf8',
      flag: constants.O_RDONLY | constants.O_NOFOLLOW,
    });
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return ok(undefined);
    return fail('timeline.failed', 'The timeline’s anchor file cannot be read.');
  }
  try {
    return ok(Head.parse(JSON.parse(text.slice(0, MAX_HEAD_CHARS))));
  } catch {
    return fail('timeline.broken', 'The timeline’s anchor file is damaged.');
  }
};

/** Replaces the anchor in one step. `durable` also waits for the disk. Throws what the disk says. */
export const writeHead = (path: string, head: Head, durable: boolean): void => {
  const target = headPath(path);
  const next = `${target}.${process.pid}`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  try {
    const file = openSync(next, flags, 0o600);
    try {
      writeSync(file, JSON.stringify(head));
      if (durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, target);
  } catch (failure) {
    rmSync(next, { force: true });
    throw failure;
  }
};
