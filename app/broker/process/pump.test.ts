import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { streamSource, type BodyReader, type BodySource } from './body-source.ts';
import { countingStep, MAX_JOINED_BYTES, MIN_JOINED_BYTES, pump, type Step } from './pump.ts';

const PIECE = Buffer.alloc(16 * 1024, 'p');

/** A sink that takes as much as it is told to, and keeps what it was given. */
const createSink = () => {
  const written: string[] = [];
  let drained: (() => void) | undefined;
  let room = true;
  return {
    written,
    fill: () => {
      room = false;
    },
    drain: () => {
      room = true;
      const listener = drained;
      drained = undefined;
      listener?.();
    },
    write: (chunk: Uint8Array) => {
      written.push(Buffer.from(chunk).toString('latin1'));
      return room;
    },
    once: (_event: 'drain', listener: () => void) => {
      drained = listener;
    },
    removeListener: () => {
      drained = undefined;
    },
  };
};

/** A source that tells what a test wants it to. */
const createSource = () => {
  let reader: BodyReader | undefined;
  const pause = vi.fn<() => void>();
  const resume = vi.fn<() => void>();
  const source: BodySource = {
    read: (by) => {
      reader = by;
    },
    pause,
    resume,
  };
  return {
    source,
    pause,
    resume,
    data: (text: string | Buffer) => reader?.data(Buffer.from(text)),
    ended: () => reader?.ended(),
    broke: () => reader?.broke(new Error('gone')),
  };
};

const start = (step: Step = countingStep(() => undefined)) => {
  const from = createSource();
  const sink = createSink();
  const ended = vi.fn<() => void>();
  const broke = vi.fn<(failed?: Error) => void>();
  const later = (task: () => void): (() => void) => {
    const timer = setTimeout(task, 5);
    return () => clearTimeout(timer);
  };
  const { discard } = pump(from.source, sink, step, { ended, broke, later });
  return { from, sink, ended, broke, discard };
};

describe('a body that is carried', () => {
  it('goes on as one piece where it arrives in one turn', async () => {
    const { from, sink } = start();
    from.data(PIECE);
    from.data('then a short one');
    expect(sink.written).toEqual([]);
    await nextTurn();
    expect(sink.written).toEqual([`${PIECE.toString('latin1')}then a short one`]);
  });

  it('does not wait where it comes in short pieces', () => {
    const { from, sink } = start();
    from.data('one');
    from.data(Buffer.alloc(MIN_JOINED_BYTES - 1, 'x'));
    from.data('three');
    expect(sink.written.map((text) => text.length)).toEqual([3, MIN_JOINED_BYTES - 1, 5]);
  });

  it('is not put together without end', () => {
    const { from, sink } = start();
    for (let bytes = 0; bytes < MAX_JOINED_BYTES; bytes += PIECE.length) from.data(PIECE);
    expect(sink.written.map((text) => text.length)).toEqual([MAX_JOINED_BYTES]);
  });

  it('waits while the sink is full, and asks the source to once there is enough', async () => {
    const { from, sink } = start();
    sink.fill();
    from.data('first');
    let waiting = 0;
    for (; waiting + PIECE.length < MAX_JOINED_BYTES; waiting += PIECE.length) from.data(PIECE);
    await nextTurn();
    expect(from.pause).not.toHaveBeenCalled();
    from.data(PIECE);
    from.data('more that had arrived');
    expect(from.pause).toHaveBeenCalledTimes(1);
    expect(sink.written).toEqual(['first']);
    sink.drain();
    expect(sink.written).toHaveLength(2);
    expect(sink.written[1]).toHaveLength(MAX_JOINED_BYTES + 'more that had arrived'.length);
    expect(from.resume).toHaveBeenCalledTimes(1);
  });

  it('is written to its end before it is over', () => {
    const step: Step = { push: (chunk) => [chunk], end: () => [Buffer.from('held back')] };
    const { from, sink, ended } = start(step);
    sink.fill();
    from.data('first');
    from.data(PIECE);
    ended.mockImplementation(() => expect(sink.written.at(-1)).toBe('held back'));
    from.ended();
    expect(ended).toHaveBeenCalledTimes(1);
    expect(sink.written.join('')).toBe(`first${PIECE.toString('latin1')}held back`);
  });

  it('goes on as far as it came where it breaks off', () => {
    const { from, sink, broke } = start();
    from.data(PIECE);
    from.broke();
    expect(sink.written).toEqual([PIECE.toString('latin1')]);
    expect(broke).toHaveBeenCalledTimes(1);
  });

  it('goes nowhere once it is discarded', async () => {
    const { from, sink, ended, discard } = start();
    sink.fill();
    from.data('first');
    from.data(PIECE);
    discard();
    from.data(PIECE);
    sink.drain();
    from.ended();
    await nextTurn();
    expect(sink.written).toEqual(['first']);
    expect(ended).not.toHaveBeenCalled();
  });

  it('goes nowhere either where it had only just arrived', async () => {
    const { from, sink, discard } = start();
    from.data(PIECE);
    discard();
    await nextTurn();
    expect(sink.written).toEqual([]);
  });

  it('goes no further than to where its step ends it', async () => {
    const { from, sink, ended } = start({ push: () => undefined, end: () => [] });
    from.data(PIECE);
    from.data(PIECE);
    await nextTurn();
    from.data('more');
    from.ended();
    expect(sink.written).toEqual([]);
    expect(ended).not.toHaveBeenCalled();
  });

  it('comes through whole at the pace of a slow reader', async () => {
    const upstream = new PassThrough();
    const program = new PassThrough();
    onTestFinished(() => void program.destroy());
    const bytes = 40 * MAX_JOINED_BYTES + 12_345;
    const step = countingStep(() => undefined);
    const ends = {
      ended: () => program.end(),
      broke: () => undefined,
      later: () => () => undefined,
    };
    pump(streamSource(upstream), program, step, ends);
    const send = async (): Promise<void> => {
      for (let sent = 0; sent < bytes; sent += PIECE.length) {
        const piece = PIECE.subarray(0, Math.min(PIECE.length, bytes - sent));
        if (!upstream.write(piece)) await new Promise((resolve) => upstream.once('drain', resolve));
      }
      upstream.end();
    };
    const sending = send();
    let read = 0;
    for await (const chunk of program as AsyncIterable<Buffer>) {
      read += chunk.length;
      expect(program.writableLength).toBeLessThanOrEqual(3 * MAX_JOINED_BYTES);
      await nextTurn();
    }
    await sending;
    expect(read).toBe(bytes);
  });
});
