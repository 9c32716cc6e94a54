import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  BOMB_FLOOR_BYTES,
  createDecoder,
  decodeWhole,
  MAX_CODINGS,
  parseCodings,
} from './content-decoding.ts';

const TEXT = Buffer.concat([randomBytes(50_000), Buffer.from('some words '.repeat(5000))]);
const CASES: readonly (readonly [string, string, (bytes: Buffer) => Buffer])[] = [
  ['gzip', 'gzip', gzipSync],
  ['x-gzip', 'X-GZip', gzipSync],
  ['zlib', 'deflate', deflateSync],
  ['bare deflate', 'deflate', deflateRawSync],
  ['br', 'br', brotliCompressSync],
  ['zstd', 'zstd', zstdCompressSync],
  [
    'two members of gzip',
    'gzip',
    (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 900)), gzipSync(bytes.subarray(900))]),
  ],
  [
    'three codings',
    'gzip, br ,deflate',
    (bytes) => deflateSync(brotliCompressSync(gzipSync(bytes))),
  ],
];

const decode = async (encoded: Buffer, header: string, chunkBytes: number): Promise<Buffer> => {
  const chunks = Array.from({ length: Math.ceil(encoded.length / chunkBytes) }, (_, index) =>
    encoded.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
  const parts: Buffer[] = [];
  const decoder = createDecoder(parseCodings(header) ?? []);
  for await (const part of Readable.from(chunks).pipe(decoder) as AsyncIterable<Buffer>)
    parts.push(part);
  return Buffer.concat(parts);
};

describe('content decoding', () => {
  it.each(CASES)('takes off %s', async (_name, header, encode) => {
    const encoded = encode(TEXT);
    expect((await decode(encoded, header, 1 << 20)).equals(TEXT)).toBe(true);
    expect((await decode(encoded, header, 997)).equals(TEXT)).toBe(true);
    expect((await decode(encode(Buffer.from('x')), header, 1)).toString()).toBe('x');
  });

  it.each(CASES)('fails where %s is cut short', async (_name, header, encode) => {
    const encoded = encode(TEXT);
    await expect(decode(encoded.subarray(0, encoded.length - 9), header, 1 << 20)).rejects.toThrow(
      /./,
    );
  });

  it('reads no unknown coding and no more than its cap', () => {
    expect(parseCodings(undefined)).toEqual([]);
    expect(parseCodings(' identity ')).toEqual([]);
    expect(parseCodings('compress')).toBeUndefined();
    expect(parseCodings('gzip, constructor')).toBeUndefined();
    expect(parseCodings(Array.from({ length: MAX_CODINGS }, () => 'gzip').join())).toHaveLength(3);
    expect(
      parseCodings(Array.from({ length: MAX_CODINGS + 1 }, () => 'gzip').join()),
    ).toBeUndefined();
  });

  it('ends a bomb, and holds no more of it than a stream does', async () => {
    const zeros = Buffer.alloc(BOMB_FLOOR_BYTES * 4);
    const bomb = brotliCompressSync(zeros);
    expect(bomb.length).toBeLessThan(1000);
    await expect(decode(bomb, 'br', 1 << 20)).rejects.toThrow('proportion');
    await expect(decode(gzipSync(gzipSync(zeros)), 'gzip, gzip', 1 << 20)).rejects.toThrow(
      'proportion',
    );
    expect((await decode(gzipSync(zeros), 'gzip', 1 << 20)).length).toBe(zeros.length);
    expect(await decodeWhole(gzipSync(zeros), ['gzip'], 1000)).toMatchObject({
      ok: false,
      error: { code: 'egress.too-large' },
    });
    expect(await decodeWhole(Buffer.from('no gzip'), ['gzip'], 1000)).toMatchObject({
      ok: false,
      error: { code: 'egress.bad-request' },
    });
  });

  it('fails rather than drop what follows a first frame of zstd', async () => {
    const frames = Buffer.concat([zstdCompressSync(TEXT), zstdCompressSync(TEXT)]);
    await expect(decode(frames, 'zstd', 1 << 20)).rejects.toThrow('frame');
    await expect(decode(frames, 'zstd', 997)).rejects.toThrow(/./);
  });

  it('takes an empty body for one', async () => {
    for (const [, header] of CASES)
      expect((await decode(Buffer.alloc(0), header, 1)).length).toBe(0);
  });
});
