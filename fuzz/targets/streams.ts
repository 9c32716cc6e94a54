import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { must, mustEqual } from '../target.ts';

/** Numbers as protocols write them, most significant byte first. */
export const u8 = (value: number): Buffer => Buffer.from([value & 255]);
export const u16 = (value: number): Buffer => Buffer.from([(value >> 8) & 255, value & 255]);
export const u24 = (value: number): Buffer => Buffer.concat([u8(value >> 16), u16(value)]);
export const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value)]);

/** A list of bytes behind its length; now and then the length lies. */
export const vector = (random: Random, lengthBytes: 1 | 2 | 3, body: Buffer): Buffer => {
  const lie = random.oneIn(40) ? random.pick([-1, 1, 2, 255, -body.length]) : 0;
  const write = { 1: u8, 2: u16, 3: u24 }[lengthBytes];
  return Buffer.concat([write(body.length + lie), body]);
};

/** What a parser says of the beginning of a stream; undefined where it asks for more. */
export type Prefix = { readonly said: unknown; readonly used?: number } | undefined;

/**
 * What has to hold for a parser of a growing prefix: once it has said something, more bytes change
 * nothing; it uses no more than it was given; and what it used is enough, and no less is.
 */
export const checkPrefixes = (
  bytes: Buffer,
  random: Random,
  parse: (bytes: Buffer) => Prefix,
): void => {
  const whole = parse(bytes);
  let have = 0;
  let first: Prefix;
  for (const chunk of cut(bytes, random)) {
    have += chunk.length;
    first = parse(bytes.subarray(0, have));
    if (first !== undefined) break;
  }
  mustEqual(first, whole, 'the verdict depends on how the stream is cut');
  const used = whole?.used;
  if (used === undefined) return;
  must(used > 0 && used <= bytes.length, 'it uses what it was not given');
  mustEqual(parse(bytes.subarray(0, used)), whole, 'what it used is not enough for it');
  mustEqual(parse(bytes.subarray(0, used - 1)), undefined, 'it uses more than it needs');
};

const HOSTS = [
  'api.example.com',
  'EXAMPLE.com.',
  'xn--bcher-kva.example',
  'b\u00fccher.example',
  'localhost',
  '127.0.0.1',
  '0x7f.1',
  '2130706433',
  '017700000001',
  '169.254.169.254',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[fe80::1%25eth0]',
  'a..b',
  '-a.example',
  'a_b.example',
  '',
  'a@b.example',
  'a.example:443',
  'a%2eexample',
  'a\tb.example',
  'a b',
  '\u3002example',
  'ex\u00adample.com',
  'example.com\u3002',
  '\uff11\uff12\uff17.0.0.1',
  'evil.test#.example.com',
  'a'.repeat(64),
] as const;

/** A host as it should be, or as it should not. */
export const hostText = (random: Random): string => random.pick(HOSTS);

/** Latin-1 text of bytes: one character for each. */
export const textOf = (bytes: Buffer): string => bytes.toString('latin1');
