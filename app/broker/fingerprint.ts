import { createHash, createHmac, randomBytes } from 'node:crypto';
import { formsOf, nameFormsOf } from './process/secret-forms.ts';

/** Bytes at the beginning of a value that a rolling hash finds it by. */
export const WATCH_WINDOW_BYTES = 8;
/** Fewest characters of a value that is watched for: shorter ones turn up in ordinary text. */
export const MIN_WATCHED_CHARS = 8;
/** Longest value that is watched for, in characters. */
export const MAX_WATCHED_CHARS = 16_384;
/** Most values that are watched for in one session. */
export const MAX_WATCHED_VALUES = 256;
/** Most fingerprints of one session: each value has several spellings, each long one several pieces. */
export const MAX_FINGERPRINTS = 16_384;
/** Length of the check of a whole value, in bytes. */
const CHECK_BYTES = 16;

/** One spelling of a value, told by keyed hashes alone. */
export type Fingerprint = {
  /** Index of the value it belongs to. */
  readonly owner: number;
  /** Rolling hash of its first bytes. */
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
};

/** What the broker process is told to watch for: which values they are it cannot tell. */
export type WatchSet = {
  /** Random for each session, base64. */
  readonly key: string;
  readonly owners: readonly WatchOwner[];
  readonly prints: readonly Fingerprint[];
  /** Which bytes beside letters and digits stand in any value's window (latin1): escapes of others need no look. */
  readonly marks: string;
};

const derive = (key: Buffer, use: string): Buffer =>
  createHmac('sha256', key).update(`glovebox watch ${use}`).digest();

/** A random number of 32 bits for each byte: what the rolling hash (a cyclic polynomial) is made of. */
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

/** The rolling hash of the first `WATCH_WINDOW_BYTES` bytes from `at` on. */
export const windowHash = (table: Int32Array, bytes: Buffer, at = 0): number => {
  let hash = 0;
  for (let index = at; index < at + WATCH_WINDOW_BYTES; index += 1) {
    hash = ((hash << 1) | (hash >>> 31)) ^ (table[bytes[index] ?? 0] ?? 0);
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

/** Words that are values of settings everywhere, and values that name something rather than open it. */
const COMMON =
  /^(?:development|production|staging|testing|localhost|undefined|disabled|enabled|password|changeme|postgres|username|example.*|placeholder.*|your[-_ ].*|(?:change|replace)[-_ ]?me.*)$/i;
const ADDRESS =
  /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[\w-]+\.)+[a-z]{2,18}(?::\d+)?(?:\/[\w./~-]*)?$|^https?:\/\/localhost\b[^@]*$/i;
const PATH = /^(?:~|\.{1,2})?\/[\w./@-]*$/;
const MAIL = /^[^\s@:/]+@[^\s@:/]+\.[a-z]{2,}$/i;
/** A variable or a template in place of a value. */
const REFERENCE = /\$\{?\w+\}?|\$\(|\{\{|^<.*>$|^%\w+%$/;
/** A part of an address or a path that opens what it names, as in a webhook's. */
const LONG_TOKEN = /(?=[A-Za-z_-]*\d)[\w-]{20,}/;
const WORDS = /^[a-z]+(?:[-_. ][a-z]+)*[.!?]?$/i;
const INNER_CAPITALS = /[a-z][A-Z]|[A-Z]{2}[a-z]/;
/** Longest run of words, without a space between, that is taken for a name. */
const MAX_NAME_CHARS = 20;
/** Versions, dates, times and lists of numbers. */
const NUMBERS = /^v?[\d.:,TZ/ _+-]{1,64}$/;
/** Fewest different characters of a value that is worth watching for. */
const MIN_DIFFERENT_CHARS = 5;

const isName = (value: string): boolean =>
  ((ADDRESS.test(value) || PATH.test(value)) && !LONG_TOKEN.test(value)) || MAIL.test(value);

const isWords = (value: string): boolean =>
  WORDS.test(value) &&
  (value.includes(' ') || (value.length < MAX_NAME_CHARS && !INNER_CAPITALS.test(value)));

/**
 * Whether a value is worth watching for: long enough, of enough different characters, and neither
 * plain words or numbers, nor a reference, an address, a path or a date that ordinary requests are full of.
 */
export const isWatchable = (value: string): boolean =>
  value.length >= MIN_WATCHED_CHARS &&
  value.length <= MAX_WATCHED_CHARS &&
  new Set(value).size >= MIN_DIFFERENT_CHARS &&
  !COMMON.test(value) &&
  !REFERENCE.test(value) &&
  !isName(value) &&
  !isWords(value) &&
  !NUMBERS.test(value);

/** A value to watch for, and whose it is. */
export type WatchedValue = { readonly value: string; readonly owner: WatchOwner };

/** What a watch set was made of: values that were not worth it, and values beyond the caps. */
export type WatchReport = {
  readonly set: WatchSet;
  readonly watched: number;
  readonly tooPlain: number;
  readonly tooMany: number;
};

const isWordByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);

/**
 * Makes the fingerprints of one session's values under a fresh key. `granted` are left out: they are
 * put in and scrubbed by themselves.
 */
export const buildWatchSet = (
  values: readonly WatchedValue[],
  granted: ReadonlySet<string>,
): WatchReport => {
  const key = randomBytes(32);
  const table = windowTable(key);
  const checkOf = createCheck(key);
  const owners: WatchOwner[] = [];
  const prints: Fingerprint[] = [];
  const marks = new Set<number>();
  const seen = new Set(granted);
  let tooPlain = 0;
  let tooMany = 0;
  for (const { value, owner } of values) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (!isWatchable(value)) {
      tooPlain += 1;
      continue;
    }
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
      for (const byte of find.subarray(0, WATCH_WINDOW_BYTES))
        if (!isWordByte(byte)) marks.add(byte);
    }
    owners.push(owner);
  }
  const set = {
    key: key.toString('base64'),
    owners,
    prints,
    marks: Buffer.from([...marks].toSorted((one, other) => one - other)).toString('latin1'),
  };
  return { set, watched: owners.length, tooPlain, tooMany };
};
