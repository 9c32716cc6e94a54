import { createHash, createHmac, randomBytes } from 'node:crypto';
import { formsOf, nameFormsOf } from './process/secret-forms.ts';
import { isWatchable } from './watchable.ts';

/** Bytes at the beginning of a value that their hash finds it by. */
export const WATCH_WINDOW_BYTES = 8;
/** Most values that are watched for in one session. */
export const MAX_WATCHED_VALUES = 256;
/** Most fingerprints of one session: each value has several spellings, each long one several pieces. */
export const MAX_FINGERPRINTS = 16_384;
/** Length of the check of a whole value, in bytes. */
const CHECK_BYTES = 16;
/** Neighbouring bytes that tell how far a search may move on. */
export const BLOCK_BYTES = 3;
/** Fewest and most bits of a place in the table of moves: small ones stay in the processor's nearest cache. */
const MIN_MOVES_BITS = 12;
const MAX_MOVES_BITS = 18;
/** Places in that table for each block that is in it: with fewer, moves are short. */
const PLACES_FOR_A_BLOCK = 8;
/** Longest table of moves in base64, in characters. */
export const MAX_MOVES_CHARS = Math.ceil(2 ** MAX_MOVES_BITS / 3) * 4;

/**
 * One spelling of a value, told by keyed hashes alone. Who has the key too can find a value's first
 * eight bytes by trying, for a window of its hexadecimal spelling stands for only four of them, and
 * can try whole values against the checks; of what lies beyond eight bytes nothing else is told.
 */
export type Fingerprint = {
  /** Index of the value it belongs to. */
  readonly owner: number;
  /** Hash of its first bytes. */
  readonly window: number;
  readonly bytes: number;
  /** HMAC-SHA-256 of all of it, cut, base64. */
  readonly check: string;
  /** Line breaks may stand between its bytes. */
  readonly wraps: boolean;
  /** Looked for in queried names only, lower case. */
  readonly name: boolean;
};

/** Whose value something is, in words for people; never the value. */
export type WatchOwner = {
  readonly code: 'watch.hidden-value' | 'watch.other-credential';
  readonly words: string;
  /** Names of granted credentials that have the same value: where one of them may go, it may. */
  readonly granted?: readonly string[] | undefined;
};

/** What the broker process is told to watch for: which values they are it cannot tell. */
export type WatchSet = {
  /** Random for each session, base64. */
  readonly key: string;
  readonly owners: readonly WatchOwner[];
  readonly prints: readonly Fingerprint[];
  /** Which bytes beside letters and digits stand in any value's window (latin1): escapes of others need no look. */
  readonly marks: string;
  /**
   * How far a search may move on from a block at the end of a window, for each keyed hash of such a
   * block; base64. Not for names. It tells of windows only, and less than their own hashes.
   */
  readonly moves: string;
};

const derive = (key: Buffer, use: string): Buffer =>
  createHmac('sha256', key).update(`glovebox watch ${use}`).digest();

/** A random number of 32 bits for each byte: what the hash of a window (a cyclic polynomial) is made of. */
export const windowTable = (key: Buffer): Int32Array => {
  const seed = derive(key, 'window');
  return Int32Array.from({ length: 256 }, (_, byte) =>
    createHash('sha256')
      .update(seed)
      .update(Buffer.from([byte]))
      .digest()
      .readInt32BE(0),
  );
};

/** An odd number that spreads the hashes of blocks. */
export const blockFactor = (key: Buffer): number => derive(key, 'block').readInt32BE(0) | 1;

/** A number of 32 bits for the block at a place; its upper bits are the best spread ones. */
export const blockHash = (factor: number, bytes: Uint8Array, at: number): number =>
  Math.imul(
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number),
    factor,
  );

/** The table of moves for all windows (Wu and Manber, 1994): each as far as no window can end before. */
const movesOf = (factor: number, windows: readonly Buffer[]): Buffer => {
  const farthest = WATCH_WINDOW_BYTES - BLOCK_BYTES;
  const places = windows.length * (farthest + 1) * PLACES_FOR_A_BLOCK;
  const wanted = Math.ceil(Math.log2(places + 1));
  const bits = Math.min(MAX_MOVES_BITS, Math.max(MIN_MOVES_BITS, wanted));
  const moves = Buffer.alloc(1 << bits, farthest + 1);
  for (const window of windows) {
    for (let at = 0; at <= farthest; at += 1) {
      const place = blockHash(factor, window, at) >>> (32 - bits);
      moves[place] = Math.min(moves[place] ?? 0, farthest - at);
    }
  }
  return moves;
};

/** The hash of the first `WATCH_WINDOW_BYTES` bytes from `at` on. */
export const windowHash = (table: Int32Array, bytes: Uint8Array, at = 0): number => {
  let hash = 0;
  for (let index = at; index < at + WATCH_WINDOW_BYTES; index += 1) {
    hash = ((hash << 1) | (hash >>> 31)) ^ (table[bytes[index] as number] as number);
  }
  return hash >>> 0;
};

export type CheckOf = (bytes: Buffer) => string;

export const createCheck = (key: Buffer): CheckOf => {
  const checkKey = derive(key, 'check');
  return (bytes) =>
    createHmac('sha256', checkKey)
      .update(bytes)
      .digest()
      .subarray(0, CHECK_BYTES)
      .toString('base64');
};

/** A value to watch for, and whose it is. */
export type WatchedValue = {
  readonly value: string;
  readonly owner: WatchOwner;
  /** It was found under a name that does not say that it opens something. */
  readonly setting?: boolean;
};

/** What a watch set was made of: values that were not worth it, and values beyond the caps. */
export type WatchReport = {
  readonly set: WatchSet;
  readonly watched: number;
  readonly tooPlain: number;
  readonly tooMany: number;
};

const isWordByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);

/** Makes the fingerprints of one session's values under a fresh key; the first owner of a value counts. */
export const buildWatchSet = (values: readonly WatchedValue[]): WatchReport => {
  const key = randomBytes(32);
  const table = windowTable(key);
  const checkOf = createCheck(key);
  const owners: WatchOwner[] = [];
  const prints: Fingerprint[] = [];
  const marks = new Set<number>();
  const windows: Buffer[] = [];
  const seen = new Set<string>();
  let tooPlain = 0;
  let tooMany = 0;
  for (const { value, owner, setting } of values) {
    if (seen.has(value)) continue;
    if (!isWatchable(value, setting)) {
      tooPlain += 1;
      continue;
    }
    seen.add(value);
    const forms = [
      ...formsOf({ secret: value, placeholder: '' })
        .filter(({ escapes }) => escapes)
        .map((form) => ({ ...form, name: false })),
      ...nameFormsOf(value).map((form) => ({ ...form, name: true })),
    ].filter(({ find }) => find.length >= WATCH_WINDOW_BYTES);
    if (owners.length >= MAX_WATCHED_VALUES || prints.length + forms.length > MAX_FINGERPRINTS) {
      tooMany += 1;
      continue;
    }
    for (const { find, wraps, name } of forms) {
      const window = windowHash(table, find);
      prints.push({
        owner: owners.length,
        window,
        bytes: find.length,
        check: checkOf(find),
        wraps,
        name,
      });
      const beginning = find.subarray(0, WATCH_WINDOW_BYTES);
      for (const byte of beginning) if (!isWordByte(byte)) marks.add(byte);
      if (!name) windows.push(beginning);
    }
    owners.push(owner);
  }
  const set = {
    key: key.toString('base64'),
    owners,
    prints,
    marks: Buffer.from([...marks].toSorted((one, other) => one - other)).toString('latin1'),
    moves: movesOf(blockFactor(key), windows).toString('base64'),
  };
  return { set, watched: owners.length, tooPlain, tooMany };
};
