import { Duplex, PassThrough, pipeline, Readable } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { fail, ok, type Failure, type Result } from '../../kit/index.ts';

/** Most content codings that may lie on top of each other. */
export const MAX_CODINGS = 3;
/** From how many decoded bytes on the ratio counts: short texts of one letter are no bombs. */
export const BOMB_FLOOR_BYTES = 16 * 1024 * 1024;
/** Most decoded bytes for each encoded one; deflate itself reaches 1032. */
export const MAX_DECODED_RATIO = 1100;

type Coding = 'gzip' | 'deflate' | 'br' | 'zstd';

const CODINGS: Readonly<Record<string, Coding | undefined>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
};

/**
 * The codings of a Content-Encoding (RFC 9110 8.4), in the order in which they were applied; none for
 * `identity`. Undefined for what cannot be read: an unknown coding, or too many.
 */
export const parseCodings = (header: string | undefined): readonly Coding[] | undefined => {
  const names = (header ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > MAX_CODINGS) return undefined;
  const codings = names.map((name) => (Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined));
  return codings.every((coding) => coding !== undefined) ? codings : undefined;
};

/** `deflate` should be zlib's form (RFC 1950), but some servers send it bare (RFC 1951). */
const isZlib = (bytes: Buffer): boolean => {
  const [first = 0, second] = bytes;
  const fits = second === undefined || ((first << 8) | second) % 31 === 0;
  return (first & 0x0f) === 8 && first >> 4 <= 7 && fits;
};

/** The first chunk of a source, and the source as if it had not been read; undefined where it is empty. */
const peekFirst = async (
  source: AsyncIterable<Buffer>,
): Promise<{ readonly first: Buffer; readonly all: Readable } | undefined> => {
  const chunks = source[Symbol.asyncIterator]();
  const head = await chunks.next();
  if (head.done === true) return undefined;
  const first = head.value;
  const all = async function* (): AsyncGenerator<Buffer> {
    yield first;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return;
      yield next.value;
    }
  };
  return { first, all: Readable.from(all()) };
};

async function* inflateEither(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const peeked = await peekFirst(source);
  if (peeked === undefined) return;
  const inflate = isZlib(peeked.first) ? createInflate() : createInflateRaw();
  // What fails shows where the result is read.
  pipeline(peeked.all, inflate, () => undefined);
  yield* inflate;
}

/** Node reads the first frame alone and drops the rest without a word (RFC 8878 3 allows several). */
async function* decompressZstd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let given = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      given += chunk.length;
      yield chunk;
    }
  };
  const decompress = createZstdDecompress();
  pipeline(Readable.from(counted()), decompress, () => undefined);
  yield* decompress;
  if (decompress.bytesWritten < given) throw new Error('more than one frame of zstd');
}

const DECODERS: Readonly<Record<Coding, () => Duplex>> = {
  gzip: () => createGunzip(),
  deflate: () => Duplex.from(inflateEither),
  br: () => createBrotliDecompress(),
  zstd: () => Duplex.from(decompressZstd),
};

/**
 * Takes the codings off a body, streamed: memory stays bounded whatever comes. A body that is cut
 * short, malformed or a bomb destroys it with an error; an empty one is empty.
 */
export const createDecoder = (codings: readonly Coding[]): Duplex =>
  Duplex.from(async function* decode(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const peeked = await peekFirst(source);
    if (peeked === undefined) return;
    let encoded = 0;
    let decoded = 0;
    peeked.all.on('data', (chunk: Buffer) => {
      encoded += chunk.length;
    });
    const guard = new PassThrough();
    pipeline(
      [peeked.all, ...codings.toReversed().map((coding) => DECODERS[coding]()), guard],
      () => undefined,
    );
    for await (const chunk of guard as AsyncIterable<Buffer>) {
      decoded += chunk.length;
      if (decoded > BOMB_FLOOR_BYTES && decoded > encoded * MAX_DECODED_RATIO)
        throw new Error('the body grows out of all proportion');
      yield chunk;
    }
  });

/** A whole body without its codings; fails where it cannot be read or is longer than `maxBytes`. */
export const decodeWhole = async (
  body: Buffer,
  codings: readonly Coding[],
  maxBytes: number,
): Promise<Result<Buffer, Failure<'egress.too-large' | 'egress.bad-request'>>> => {
  const decoder = createDecoder(codings);
  decoder.end(body);
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of decoder as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxBytes) {
        decoder.destroy();
        return fail('egress.too-large', 'The body is too long once it is decoded.');
      }
      parts.push(part);
    }
  } catch {
    // Which byte it stumbled on helps nobody.
    return fail('egress.bad-request', 'The body is not what its Content-Encoding says.');
  }
  return ok(Buffer.concat(parts));
};
