import { PassThrough, Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { containerSource, MAX_WAITING_INPUT_BYTES } from './container-source.ts';

describe('a container TTY as a terminal source', () => {
  it('carries bytes both ways and tells the exit after the last output', async () => {
    const stream = new PassThrough();
    const source = containerSource(stream, async () => undefined, Promise.resolve(7));
    const seen: string[] = [];
    source.onData((bytes) => seen.push(Buffer.from(bytes).toString()));
    source.write(Buffer.from('echo'));
    setTimeout(() => stream.end('last words'), 20);
    expect(await source.exit).toBe(7);
    expect(seen.join('')).toBe('echolast words');
  });

  it('drops input that a program never reads, beyond the cap', () => {
    const stuck = new Duplex({
      read: () => undefined,
      write: () => undefined,
      writableHighWaterMark: 1,
    });
    const source = containerSource(stuck, async () => undefined, new Promise(() => undefined));
    for (let i = 0; i < 10; i += 1) source.write(Buffer.alloc(1024 * 1024));
    expect(stuck.writableLength).toBeLessThanOrEqual(MAX_WAITING_INPUT_BYTES);
    expect(stuck.writableLength).toBeGreaterThan(MAX_WAITING_INPUT_BYTES / 2);
  });

  it('survives an engine that breaks off, and input after that', async () => {
    const stream = new PassThrough();
    const source = containerSource(stream, async () => undefined, Promise.resolve(-1));
    stream.destroy(new Error('socket hang up'));
    expect(await source.exit).toBe(-1);
    source.write(Buffer.from('x'));
    source.close();
  });
});
