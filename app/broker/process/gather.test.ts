import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { BodySource } from './body-source.ts';
import { decodedBody } from './body-steps.ts';
import { gather } from './gather.ts';

const PIECE_BYTES = 1000;

/** Tells a body in pieces that all come in the same memory. */
const borrowed = (body: Buffer): BodySource => ({
  read: ({ data, ended }) => {
    const memory = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < body.length; at += PIECE_BYTES)
      data(memory.subarray(0, body.copy(memory, 0, at)));
    memory.fill(0);
    ended();
  },
  pause: () => undefined,
  resume: () => undefined,
});

describe('a body that is gathered', () => {
  const body = randomBytes(20_500);

  it('is whole where each piece comes in the memory of the one before', async () => {
    expect(await gather(borrowed(body), 30_000)).toEqual({ type: 'whole', body });
  });

  it('is whole where its coding is taken off too', async () => {
    const source = decodedBody(borrowed(gzipSync(body)), 'gzip');
    expect(await gather(source, 30_000)).toEqual({ type: 'whole', body });
  });

  it('lets its decoder be waited for once, whatever still comes', async () => {
    const warned: string[] = [];
    const warn = ({ name }: Error): void => void warned.push(name);
    process.on('warning', warn);
    const large = randomBytes(200_000);
    const source = decodedBody(borrowed(gzipSync(large)), 'gzip');
    expect(await gather(source, 300_000)).toEqual({ type: 'whole', body: large });
    process.off('warning', warn);
    expect(warned).toEqual([]);
  });

  it('is none past its bound', async () => {
    expect(await gather(borrowed(body), 20_499)).toEqual({ type: 'too-large' });
    expect(await gather(borrowed(body), 20_500)).toMatchObject({ type: 'whole' });
  });
});
