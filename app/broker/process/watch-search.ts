import { timingSafeEqual } from 'node:crypto';
import {
  createCheck,
  WATCH_WINDOW_BYTES,
  windowHash,
  windowTable,
  type CheckOf,
  type Fingerprint,
  type WatchSet,
} from '../fingerprint.ts';
import { afterBreak, isBreak } from './match-needle.ts';
import type { Hit, Search, SearchStep } from './search.ts';
import {
  bytesOf,
  endOf,
  ESCAPES,
  glance,
  isEscape,
  MAX_LAYERS,
  PARTIAL,
  readCharacter,
  UNSURE,
  valueOf,
  WIDE,
} from './spelling.ts';

/** Fewest and most bits of a place in the map that tells most bytes from the beginning of a watched value: small ones stay in the processor's cache. */
const MIN_MAP_BITS = 12;
const MAX_MAP_BITS = 16;
/**
 * Bytes that are looked at again with the next chunk. Nothing is held back for the beginning of a
 * value, which cannot be told from any other bytes: its first ones may pass before the rest is caught.
 */
export const WATCH_LOOK_BACK_BYTES = 96;

/** Watched values, ready for searching. */
export type Watched = {
  readonly table: Int32Array;
  /** The table as it leaves the window. */
  readonly leaving: Int32Array;
  /** One for each place that the hash of a window leads to. */
  readonly map: Uint8Array;
  /** How far a hash is moved down to find its bit. */
  readonly mapShift: number;
  readonly byWindow: ReadonlyMap<number, readonly Fingerprint[]>;
  readonly checkOf: CheckOf;
  readonly wraps: boolean;
  /** One for each byte that may stand in a window. */
  readonly inWindow: Uint8Array;
};

export const prepareWatched = ({ key, prints, marks }: WatchSet, name: boolean): Watched => {
  const bytes = Buffer.from(key, 'base64');
  const table = windowTable(bytes);
  const byWindow = new Map<number, Fingerprint[]>();
  const list = prints.filter((print) => print.name === name);
  const wanted = Math.ceil(Math.log2(list.length + 1)) + 5;
  const mapBits = Math.min(MAX_MAP_BITS, Math.max(MIN_MAP_BITS, wanted));
  const mapShift = 32 - mapBits;
  const map = new Uint8Array(1 << mapBits);
  for (const print of list) {
    map[print.window >>> mapShift] = 1;
    const there = byWindow.get(print.window);
    if (there === undefined) byWindow.set(print.window, [print]);
    else there.push(print);
  }
  return {
    table,
    leaving: table.map(
      (value) => (value << WATCH_WINDOW_BYTES) | (value >>> (32 - WATCH_WINDOW_BYTES)),
    ),
    map,
    mapShift,
    byWindow,
    checkOf: createCheck(bytes),
    wraps: list.some(({ wraps }) => wraps),
    inWindow: Uint8Array.from({ length: 256 }, (_, byte) =>
      /[A-Za-z0-9]/.test(String.fromCharCode(byte)) || marks.includes(String.fromCharCode(byte))
        ? 1
        : 0,
    ),
  };
};

type Spelt = { readonly bytes: Buffer; readonly ends: readonly number[]; readonly short: boolean };

/** Up to `count` bytes from a place on with that many layers of escapes taken off; `short` where the data ends first. */
const spell = (
  data: Buffer,
  from: number,
  count: number,
  layers: number,
  skipBreaks: boolean,
  last: boolean,
): Spelt => {
  const bytes = Buffer.alloc(count);
  const ends: number[] = [];
  let at = from;
  while (ends.length < count) {
    const plain = data[at];
    if (plain !== undefined && !isEscape(plain) && !isBreak(plain)) {
      bytes[ends.length] = plain;
      at += 1;
      ends.push(at);
      continue;
    }
    const read = readCharacter(data, at, layers, last);
    if (read < 0) return { bytes, ends, short: read === PARTIAL };
    const value = valueOf(read);
    at = endOf(read);
    if (skipBreaks && ends.length > 0 && isBreak(value)) {
      at = afterBreak(data, value, at, layers, last);
      continue;
    }
    for (const byte of value < 0x100 ? [value] : bytesOf(value)) {
      if (ends.length === count) break;
      bytes[ends.length] = byte;
      ends.push(at);
    }
  }
  return { bytes, ends, short: false };
};

type Found = { readonly start: number; readonly end: number | undefined; readonly owner: number };

/** Whether the value of a fingerprint stands at a place, as it is or escaped as a whole. */
const checkAt = (
  watched: Watched,
  print: Fingerprint,
  data: Buffer,
  start: number,
  last: boolean,
): Found | undefined => {
  let short = false;
  for (let layers = 0; layers <= MAX_LAYERS; layers += 1) {
    const spelt = spell(data, start, print.bytes, layers, print.wraps, last);
    if (spelt.ends.length < print.bytes) {
      short ||= spelt.short;
      continue;
    }
    const told = Buffer.from(watched.checkOf(spelt.bytes));
    const wanted = Buffer.from(print.check);
    if (told.length === wanted.length && timingSafeEqual(told, wanted))
      return { start, end: spelt.ends.at(-1), owner: print.owner };
  }
  return short ? { start, end: undefined, owner: print.owner } : undefined;
};

/** Calls back for each place where the bytes as they are may begin a watched value. */
const eachWindow = (
  { table, leaving, map, mapShift }: Watched,
  data: Buffer,
  take: (hash: number, start: number) => void,
): void => {
  const { length } = data;
  if (length < WATCH_WINDOW_BYTES) return;
  let hash = windowHash(table, data) | 0;
  for (let at = WATCH_WINDOW_BYTES; ; at += 1) {
    if (map[hash >>> mapShift] === 1) take(hash >>> 0, at - WATCH_WINDOW_BYTES);
    if (at >= length) return;
    hash =
      ((hash << 1) | (hash >>> 31)) ^
      (table[data[at] as number] as number) ^
      (leaving[data[at - WATCH_WINDOW_BYTES] as number] as number);
  }
};

const findWatched = (watched: Watched, data: Buffer, last: boolean): readonly Found[] => {
  const { table, leaving, map, mapShift, byWindow, inWindow } = watched;
  const found: Found[] = [];
  const tryAt = (hash: number, start: number): void => {
    for (const print of byWindow.get(hash) ?? []) {
      const hit = checkAt(watched, print, data, start, last);
      if (hit !== undefined) found.push(hit);
    }
  };
  const bytes = new Uint8Array(2 * WATCH_WINDOW_BYTES);
  const starts = new Int32Array(2 * WATCH_WINDOW_BYTES);
  /** Windows in which the first byte that is not as it is stands at a place. */
  const around = (place: number, layers: number, skipBreaks: boolean): void => {
    const from = Math.max(0, place - WATCH_WINDOW_BYTES + 1);
    const wanted = place - from + WATCH_WINDOW_BYTES;
    let count = 0;
    let at = from;
    while (count < wanted && at < data.length) {
      const byte = data[at] ?? 0;
      const begin = at;
      starts[count] = begin;
      if (skipBreaks && isBreak(byte)) {
        at = afterBreak(data, byte, at + 1, layers, last);
        continue;
      }
      if (layers === 0 || !isEscape(byte)) {
        bytes[count] = byte;
        count += 1;
        at += 1;
        continue;
      }
      const read = readCharacter(data, at, layers, last);
      if (read < 0) break;
      const value = valueOf(read);
      at = endOf(read);
      if (skipBreaks && isBreak(value)) {
        at = afterBreak(data, value, at, layers, last);
        continue;
      }
      for (const part of value < 0x100 ? [value] : bytesOf(value)) {
        if (count === wanted) break;
        starts[count] = begin;
        bytes[count] = part;
        count += 1;
      }
    }
    let hash = 0;
    for (let index = 0; index < count; index += 1) {
      hash = ((hash << 1) | (hash >>> 31)) ^ (table[bytes[index] ?? 0] ?? 0);
      if (index >= WATCH_WINDOW_BYTES) hash ^= leaving[bytes[index - WATCH_WINDOW_BYTES] ?? 0] ?? 0;
      const first = index - WATCH_WINDOW_BYTES + 1;
      if (first >= 0 && map[hash >>> mapShift] === 1) tryAt(hash >>> 0, starts[first] ?? 0);
    }
  };

  eachWindow(watched, data, tryAt);
  for (const escape of ESCAPES) {
    for (let at = data.indexOf(escape); at >= 0; at = data.indexOf(escape, at + 1)) {
      const glanced = glance(data, at);
      if (glanced < 0 && glanced !== UNSURE && glanced !== WIDE) continue;
      if (glanced >= 0 && inWindow[glanced] === 0 && !isBreak(glanced)) continue;
      const deepest = glanced === UNSURE ? MAX_LAYERS : 1;
      let before = -1;
      for (let layers = 1; layers <= deepest; layers += 1) {
        const read = readCharacter(data, at, layers, last);
        if (read < 0 || read === before) continue;
        before = read;
        const value = valueOf(read);
        const breaks = isBreak(value);
        // What stands for a byte that no value begins with begins none, nor does it go on with one.
        if (breaks ? !watched.wraps : value < 0x80 && inWindow[value] === 0 && !isEscape(value))
          continue;
        around(at, layers, breaks);
        if (breaks || !watched.wraps) continue;
        around(at, layers, true);
      }
    }
  }
  for (const lineBreak of watched.wraps ? [0x0a, 0x0d] : []) {
    for (let at = data.indexOf(lineBreak); at >= 0; at = data.indexOf(lineBreak, at + 1))
      if (at > 0 && inWindow[data[at - 1] ?? 0] === 1) around(at, 0, true);
  }
  return found.toSorted((a, b) => a.start - b.start);
};

/** The owners of watched values in a whole text, each once. */
export const watchedIn = (watched: Watched, data: Buffer): readonly number[] =>
  Array.from(
    new Set(
      findWatched(watched, data, true).flatMap(({ end, owner }) =>
        end === undefined ? [] : owner,
      ),
    ),
  );

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Searches a stream for watched values and puts filler of the same length in their place. Holds back
 * only what began like a watched value and is too short yet to be checked.
 */
export const createWatchSearch = (watched: Watched): Search => {
  let gone = NOTHING;
  let pending = NOTHING;

  const step = (chunk: Buffer, last: boolean): SearchStep => {
    const sent = gone.length;
    const data = Buffer.concat([gone, pending, chunk]);
    const out: Buffer[] = [];
    const hits: Hit[] = [];
    let at = sent;
    let hold = data.length;
    for (const { start, end, owner } of findWatched(watched, data, last)) {
      if (end === undefined) {
        hold = Math.max(start, at);
        break;
      }
      if (end <= at || (start < at && at > sent)) continue;
      if (start > at) out.push(data.subarray(at, start));
      out.push(Buffer.alloc(end - Math.max(start, at), 'x'));
      hits.push({ owner });
      at = end;
    }
    if (hold > at) out.push(data.subarray(at, hold));
    const back = Math.max(hits.length > 0 ? at : 0, hold - WATCH_LOOK_BACK_BYTES);
    gone = back < hold ? Buffer.from(data.subarray(back, hold)) : NOTHING;
    pending = hold < data.length ? Buffer.from(data.subarray(hold)) : NOTHING;
    return { out, hits };
  };

  return { push: (chunk) => step(chunk, false), end: () => step(NOTHING, true) };
};
