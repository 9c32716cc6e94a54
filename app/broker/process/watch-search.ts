import { timingSafeEqual } from 'node:crypto';
import { WATCH_WINDOW_BYTES, type Fingerprint } from '../fingerprint.ts';
import { afterBreak, isBreak, MAX_BREAKS_IN_A_ROW } from './match-needle.ts';
import { nextOf } from './next-byte.ts';
import type { Hit, Search, SearchStep } from './search.ts';
import {
  bytesOf,
  endOf,
  endOfGlanced,
  ESCAPES,
  glance,
  isEscape,
  MAX_LAYERS,
  NO_ESCAPE,
  PARTIAL,
  readCharacter,
  UNSURE,
  valueOf,
  WIDE,
} from './spelling.ts';
import { eachWindow, mayHold, NEIGHBOURS, type Watched } from './watched.ts';

/**
 * Bytes that are looked at again with the next chunk. Nothing is held back for the beginning of a
 * value, which cannot be told from any other bytes: its first ones may pass before the rest is caught.
 */
export const WATCH_LOOK_BACK_BYTES = 512;
/** How much of the next chunk is looked at with them, where that shows nothing, in bytes. */
const SEAM_BYTES = 1024;

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
  let breaks = 0;
  while (ends.length < count) {
    const plain = data[at];
    if (plain !== undefined && !isEscape(plain) && !isBreak(plain)) {
      breaks = 0;
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
      breaks += 1;
      if (breaks > MAX_BREAKS_IN_A_ROW) return { bytes, ends, short: false };
      at = afterBreak(data, value, at, layers, last);
      continue;
    }
    breaks = 0;
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

const findWatched = (watched: Watched, data: Buffer, last: boolean): readonly Found[] => {
  const { byWindow, inWindow } = watched;
  const found: Found[] = [];
  const tryAt = (hash: number, start: number): void => {
    for (const print of byWindow.get(hash) ?? []) {
      const hit = checkAt(watched, print, data, start, last);
      if (hit !== undefined) found.push(hit);
    }
  };
  const bytes = new Uint8Array(2 * WATCH_WINDOW_BYTES);
  const starts = new Int32Array(2 * WATCH_WINDOW_BYTES);
  /**
   * Windows in which the first byte that is not as it is stands at a place. Tells whether an escape
   * stands for the beginning of another: then more layers may say something else.
   */
  const aroundAt = (place: number, layers: number, skipBreaks: boolean): boolean => {
    let deeper = false;
    const from = Math.max(0, place - WATCH_WINDOW_BYTES + 1);
    const wanted = place - from + WATCH_WINDOW_BYTES;
    let count = 0;
    let breaks = 0;
    let at = from;
    while (count < wanted && breaks <= MAX_BREAKS_IN_A_ROW && at < data.length) {
      const byte = data[at] ?? 0;
      const begin = at;
      starts[count] = begin;
      if (skipBreaks && at >= place && isBreak(byte)) {
        breaks += 1;
        at = afterBreak(data, byte, at + 1, layers, last);
        continue;
      }
      // Before it all is as it is: an escape there would end in the value, or begin before it.
      if (at < place || layers === 0 || !isEscape(byte)) {
        deeper ||= at >= place && isEscape(byte);
        breaks = 0;
        bytes[count] = byte;
        count += 1;
        at += 1;
        continue;
      }
      const glanced = glance(data, at);
      const read = glanced === NO_ESCAPE ? 0 : readCharacter(data, at, layers, last);
      if (read < 0) break;
      const value = glanced === NO_ESCAPE ? byte : valueOf(read);
      at = glanced === NO_ESCAPE ? at + 1 : endOf(read);
      deeper ||= glanced !== NO_ESCAPE && isEscape(value);
      if (skipBreaks && isBreak(value)) {
        breaks += 1;
        at = afterBreak(data, value, at, layers, last);
        continue;
      }
      breaks = 0;
      for (const part of value < 0x100 ? [value] : bytesOf(value)) {
        if (count === wanted) break;
        starts[count] = begin;
        bytes[count] = part;
        count += 1;
      }
    }
    eachWindow(watched, bytes, count, (hash, first) => tryAt(hash, starts[first] ?? 0));
    return deeper;
  };
  /** The first escape may be one of few layers, and those behind it of more. */
  const around = (place: number, layers: number, skipBreaks: boolean): void => {
    for (let each = layers; aroundAt(place, each, skipBreaks); each += 1)
      if (each === MAX_LAYERS) return;
  };

  const nearEscape = new Uint8Array(2 * NEIGHBOURS + 1);
  const nearBreak = new Uint8Array(2 * NEIGHBOURS);
  /**
   * Whether a window may go on from the bytes before a place with `value`, if that is one, and with
   * what stands behind. Of nearly all escapes and line breaks this tells at once that none does.
   */
  const mayGoOn = (place: number, value: number | undefined, behind: number): boolean => {
    if (place < NEIGHBOURS) return true;
    const near = value === undefined ? nearBreak : nearEscape;
    for (let index = 0; index < NEIGHBOURS; index += 1)
      near[index] = data[place - NEIGHBOURS + index] as number;
    let count = NEIGHBOURS;
    if (value !== undefined) {
      near[count] = value;
      count += 1;
    }
    for (let at = behind; count < near.length; at += 1) {
      const byte = data[at];
      if (byte === undefined || isEscape(byte) || isBreak(byte)) break;
      near[count] = byte;
      count += 1;
    }
    return mayHold(watched, near, count);
  };

  /** A line break, or what stands for one, that ends at a place. */
  const onBreak = (place: number, value: number, end: number, layers: number): void => {
    if (!watched.wraps || place === 0 || inWindow[data[place - 1] as number] === 0) return;
    if (mayGoOn(place, undefined, afterBreak(data, value, end, layers, last)))
      around(place, layers, true);
  };

  const onCharacter = (place: number, value: number, end: number, layers: number): void => {
    if (isBreak(value)) {
      onBreak(place, value, end, layers);
      return;
    }
    // What stands for a byte that no value begins with begins none, nor does it go on with one.
    if (value < 0x80 && inWindow[value] === 0) return;
    if (value < 0x100 && !mayGoOn(place, value, end)) return;
    around(place, layers, false);
    if (watched.wraps) around(place, layers, true);
  };

  const onEscape = (place: number): void => {
    const glanced = glance(data, place);
    if (glanced >= 0) {
      onCharacter(place, glanced, endOfGlanced(data, place), 1);
      return;
    }
    if (glanced !== UNSURE && glanced !== WIDE) return;
    const deepest = glanced === UNSURE ? MAX_LAYERS : 1;
    let before = -1;
    for (let layers = 1; layers <= deepest; layers += 1) {
      const read = readCharacter(data, place, layers, last);
      if (read < 0 || read === before) continue;
      before = read;
      onCharacter(place, valueOf(read), endOf(read), layers);
    }
  };

  eachWindow(watched, data, data.length, tryAt);
  for (const escape of ESCAPES) {
    for (let at = data.indexOf(escape); at >= 0; at = nextOf(data, escape, at + 1)) onEscape(at);
  }
  for (const lineBreak of watched.wraps ? [0x0a, 0x0d] : []) {
    for (let at = data.indexOf(lineBreak); at >= 0; at = nextOf(data, lineBreak, at + 1))
      onBreak(at, lineBreak, at + 1, 0);
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

  /** The same where nothing is there to be found, as in nearly every chunk, without a copy of it. */
  const pass = (chunk: Buffer): SearchStep | undefined => {
    if (pending.length > 0 || chunk.length < SEAM_BYTES) return undefined;
    const seam = Buffer.concat([gone, chunk.subarray(0, SEAM_BYTES)]);
    if (findWatched(watched, seam, false).length > 0) return undefined;
    if (findWatched(watched, chunk, false).length > 0) return undefined;
    gone = Buffer.from(chunk.subarray(-WATCH_LOOK_BACK_BYTES));
    return { out: [chunk], hits: [] };
  };

  return {
    push: (chunk) => pass(chunk) ?? step(chunk, false),
    end: () => step(NOTHING, true),
  };
};
