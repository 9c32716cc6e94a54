import { Transform, type TransformCallback } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import type { Hit, Search } from './needles.ts';

/** Counts bytes and passes them on. */
export const createCounter = (count: (bytes: number) => void): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      count(chunk.length);
      done(null, chunk);
    },
  });

/** The failure that ends a body in which a placeholder turned up. */
export class TripError extends Error {
  readonly hit: Hit;
  constructor(hit: Hit) {
    super('a placeholder turned up in the body');
    this.name = 'TripError';
    this.hit = hit;
  }
}

/** Passes a body on while it is searched; fails before a byte of a placeholder's last piece has gone. */
export const createTripFlow = (search: Search): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const { out, hits } = search.push(chunk);
      if (hits[0] !== undefined) {
        done(new TripError(hits[0]));
        return;
      }
      for (const part of out) this.push(part);
      done();
    },
    flush(done: TransformCallback) {
      const { out, hits } = search.end();
      if (hits[0] !== undefined) {
        done(new TripError(hits[0]));
        return;
      }
      for (const part of out) this.push(part);
      done();
    },
  });

/** Passes a body on with needles replaced; each chunk goes on as it comes. */
export const createScrubFlow = (search: Search, onHits: (count: number) => void): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const { out, hits } = search.push(chunk);
      if (hits.length > 0) onHits(hits.length);
      for (const part of out) this.push(part);
      done();
    },
    flush(done: TransformCallback) {
      const { out, hits } = search.end();
      if (hits.length > 0) onHits(hits.length);
      for (const part of out) this.push(part);
      done();
    },
  });

/** A decoder for a Content-Encoding, `identity` for none, undefined for one that cannot be read. */
export const decoderFor = (encoding: string | undefined): Transform | 'identity' | undefined => {
  switch (encoding?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress();
    default:
      return undefined;
  }
};
