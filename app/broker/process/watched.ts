import {
  BLOCK_BYTES,
  blockFactor,
  blockHash,
  createCheck,
  WATCH_WINDOW_BYTES,
  windowHash,
  windowTable,
  type CheckOf,
  type Fingerprint,
  type WatchSet,
} from '../fingerprint.ts';

/** Fewest and most bits of a place in the map that tells most bytes from the beginning of a watched value: small ones stay in the processor's cache. */
const MIN_MAP_BITS = 12;
const MAX_MAP_BITS = 16;

/** Watched values, ready for searching. */
export type Watched = {
  readonly table: Int32Array;
  readonly factor: number;
  /** How far the search moves on, by the hash of the block that it stands at. */
  readonly moves: Uint8Array;
  /** How far a block's hash is moved down to find its place there. */
  readonly movesShift: number;
  /** One for each place that the hash of a window leads to. */
  readonly map: Uint8Array;
  /** How far a window's hash is moved down to find its place there. */
  readonly mapShift: number;
  readonly byWindow: ReadonlyMap<number, readonly Fingerprint[]>;
  readonly checkOf: CheckOf;
  readonly wraps: boolean;
  /** One for each byte that may stand in a window. */
  readonly inWindow: Uint8Array;
};

/** How far the search moves on from a block that no window holds. */
const FARTHEST = WATCH_WINDOW_BYTES - BLOCK_BYTES + 1;
/** Bytes on either side of a place by which `mayHold` tells. */
export const NEIGHBOURS = 4;
const BLOCKS_IN_A_ROW = NEIGHBOURS - BLOCK_BYTES + 2;

/** Names are short: each place in them is looked at. */
const NO_MOVES = new Uint8Array(2);

/** How far a hash of 32 bits is moved down to be a place in a table, the length of which is a power of two. */
const shiftFor = (table: Uint8Array): number => Math.clz32(table.length) + 1;

export const prepareWatched = (set: WatchSet, name: boolean): Watched => {
  const key = Buffer.from(set.key, 'base64');
  const byWindow = new Map<number, Fingerprint[]>();
  const list = set.prints.filter((print) => print.name === name);
  const wanted = Math.ceil(Math.log2(list.length + 1)) + 5;
  const map = new Uint8Array(1 << Math.min(MAX_MAP_BITS, Math.max(MIN_MAP_BITS, wanted)));
  const mapShift = shiftFor(map);
  for (const print of list) {
    map[print.window >>> mapShift] = 1;
    const there = byWindow.get(print.window);
    if (there === undefined) byWindow.set(print.window, [print]);
    else there.push(print);
  }
  const moves = name ? NO_MOVES : Uint8Array.from(Buffer.from(set.moves, 'base64'));
  const marks = Buffer.from(set.marks, 'latin1');
  return {
    table: windowTable(key),
    factor: blockFactor(key),
    moves,
    movesShift: shiftFor(moves),
    map,
    mapShift,
    byWindow,
    checkOf: createCheck(key),
    wraps: list.some(({ wraps }) => wraps),
    inWindow: Uint8Array.from({ length: 256 }, (_, byte) =>
      /[A-Za-z0-9]/.test(String.fromCharCode(byte)) || marks.includes(byte) ? 1 : 0,
    ),
  };
};

/**
 * Calls back for each place in the first `count` bytes, as they are, that may begin a watched value.
 * Looks at one block in up to six (Wu and Manber, 1994): a hash that rolls over every byte took five
 * times as long.
 */
export const eachWindow = (
  { table, factor, moves, movesShift, map, mapShift }: Watched,
  bytes: Uint8Array,
  count: number,
  take: (hash: number, start: number) => void,
): void => {
  const last = count - BLOCK_BYTES;
  let at = WATCH_WINDOW_BYTES - BLOCK_BYTES;
  while (at <= last) {
    const move = moves[blockHash(factor, bytes, at) >>> movesShift] as number;
    // By itself, for the processor goes on with a constant before the table's answer is there.
    if (move === FARTHEST) {
      at += FARTHEST;
      continue;
    }
    if (move > 0) {
      at += move;
      continue;
    }
    at += 1;
    const start = at + BLOCK_BYTES - 1 - WATCH_WINDOW_BYTES;
    const hash = windowHash(table, bytes, start);
    if (map[hash >>> mapShift] === 1) take(hash, start);
  }
};

/**
 * Whether a window may hold the bytes before a place in `bytes`, what stands there and what follows,
 * of which only the first `count` are known. Any such window holds so many blocks in a row that lie
 * within `NEIGHBOURS` of the place.
 */
export const mayHold = (
  { factor, moves, movesShift }: Watched,
  bytes: Uint8Array,
  count: number,
): boolean => {
  const blocks = count - BLOCK_BYTES + 1;
  let row = 0;
  for (let at = 0; at < blocks; at += 1) {
    const move = moves[blockHash(factor, bytes, at) >>> movesShift] as number;
    row = move < FARTHEST ? row + 1 : 0;
    if (row === BLOCKS_IN_A_ROW) return true;
  }
  return row + bytes.length - count >= BLOCKS_IN_A_ROW;
};
