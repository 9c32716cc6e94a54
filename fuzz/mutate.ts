import type { Random } from './random.ts';

/** Most changes of one case. */
const MAX_CHANGES = 6;

/** Numbers at which lengths, counts and signs turn over. */
const EDGES = [
  0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 63, 64, 125, 126, 127, 128, 254, 255, 256, 257, 511, 512,
  1023, 1024, 4095, 4096, 16_383, 16_384, 32_767, 32_768, 65_519, 65_520, 65_534, 65_535, 65_536,
  0x7f_ffff, 0xff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
] as const;

/** Bytes that mean something to some parser. */
const MARKS = Buffer.from('\0\t\n\r "#%&\'(),-./:;<=>?@[\\]{|}~\x7f\x80\xa0\xad\xc0\xff', 'latin1');

type Change = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const replaceAt = (bytes: Buffer, at: number, length: number, by: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(Math.min(bytes.length, at + length))]);

const part = (bytes: Buffer, random: Random): Buffer => {
  const from = random.below(bytes.length + 1);
  return bytes.subarray(from, from + random.below(Math.min(64, bytes.length - from) + 1));
};

const edge = (random: Random): number => EDGES[random.below(EDGES.length)] ?? 0;

/** Overwrites one, two, three, four or eight bytes by a number at an edge: most lengths are told so. */
const lie: Change = (bytes, random) => {
  const width = random.pick([1, 2, 3, 4, 8]);
  if (bytes.length < width) return bytes;
  const out = Buffer.from(bytes);
  const at = random.below(bytes.length - width + 1);
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(edge(random)));
  number.subarray(8 - width).copy(out, at);
  return out;
};

/** Writes another number where digits stand. */
const lieInText: Change = (bytes, random) => {
  const text = bytes.toString('latin1');
  const numbers = [...text.matchAll(/[0-9a-f]{1,16}/gi)];
  const found = numbers[random.below(numbers.length)];
  if (found === undefined) return bytes;
  const number = edge(random);
  const by = random.pick([String(number), number.toString(16), `0${number}`, `-${number}`, '']);
  return replaceAt(bytes, found.index, found[0].length, Buffer.from(by));
};

const CHANGES: readonly [Change, ...Change[]] = [
  (bytes, random) => {
    const out = Buffer.from(bytes);
    const at = random.below(out.length);
    out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
    return out;
  },
  (bytes, random) => {
    const out = Buffer.from(bytes);
    out[random.below(out.length)] = random.word() & 255;
    return out;
  },
  (bytes, random) =>
    replaceAt(bytes, random.below(bytes.length + 1), random.below(2), mark(random)),
  lie,
  lie,
  lieInText,
  // Cut short, at the end and in the middle.
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => replaceAt(bytes, random.below(bytes.length + 1), random.below(16), NOTHING),
  // Said twice.
  (bytes, random) => replaceAt(bytes, random.below(bytes.length + 1), 0, part(bytes, random)),
  (bytes, random) =>
    replaceAt(
      bytes,
      random.below(bytes.length + 1),
      0,
      Buffer.concat(Array.from({ length: 1 + random.below(40) }, () => part(bytes, random))),
    ),
  // A piece of another input.
  (bytes, random, other) =>
    replaceAt(bytes, random.below(bytes.length + 1), random.below(16), part(other, random)),
  (bytes, random, other) =>
    Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]),
  (bytes, random) =>
    replaceAt(bytes, random.below(bytes.length + 1), 0, random.bytes(random.below(9))),
  // One letter in the other case.
  (bytes, random) => {
    const out = Buffer.from(bytes);
    const at = random.below(out.length);
    const letter = (out[at] ?? 0) | 0x20;
    if (letter >= 0x61 && letter <= 0x7a) out[at] = (out[at] ?? 0) ^ 0x20;
    return out;
  },
];

const NOTHING = Buffer.alloc(0);
const mark = (random: Random): Buffer => {
  const at = random.below(MARKS.length);
  return MARKS.subarray(at, at + 1);
};

/** Changes an input a few times; pieces of `other` may be grafted on. */
export const mutate = (bytes: Buffer, random: Random, other: Buffer): Buffer => {
  let out = bytes;
  for (let left = 1 + random.below(MAX_CHANGES); left > 0; left -= 1) {
    if (out.length > 0) out = random.pick(CHANGES)(out, random, other);
    else out = part(other, random);
  }
  return out;
};

/** Cuts bytes at random places, down to single bytes: what a parser of streams is given. */
export const cut = (bytes: Buffer, random: Random): readonly Buffer[] => {
  const longest = random.pick([1, 2, 7, 40, 1000, bytes.length + 1]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random.below(longest);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
};
