import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDemultiplexer } from './exec.ts';

const frame = (kind: 1 | 2, data: string): Buffer => {
  const bytes = Buffer.from(data);
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
};

/** Half a surrogate has no UTF-8 form and comes back as the replacement character. */
const through = (data: string): string => Buffer.from(data).toString();

describe('the engine’s frames', () => {
  it('come apart into output and errors however they are cut', async () => {
    const frames = fc.array(
      fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.string({ maxLength: 40 })),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 17 }), async (parts, cut) => {
        const [stdout, stderr] = [new PassThrough(), new PassThrough()];
        const demultiplexer = createDemultiplexer(stdout, stderr);
        const bytes = Buffer.concat(parts.map(([kind, data]) => frame(kind, data)));
        for (let at = 0; at < bytes.length; at += cut)
          demultiplexer.write(bytes.subarray(at, at + cut));
        demultiplexer.end();
        const of = (kind: number): string =>
          parts
            .filter(([k]) => k === kind)
            .map(([, data]) => data)
            .join('');
        expect(await Promise.all([text(stdout), text(stderr)])).toEqual([
          through(of(1)),
          through(of(2)),
        ]);
      }),
      { numRuns: 60 },
    );
  });

  it('wait for a slow reader instead of piling up', async () => {
    const [stdout, stderr] = [new PassThrough({ highWaterMark: 16 }), new PassThrough()];
    const demultiplexer = createDemultiplexer(stdout, stderr);
    let taken = false;
    demultiplexer.write(frame(1, 'x'.repeat(64)), () => {
      taken = true;
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    expect(taken).toBe(false);
    stdout.resume();
    await expect.poll(() => taken).toBe(true);
  });
});
