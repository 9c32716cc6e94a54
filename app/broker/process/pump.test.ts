import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { streamSource, type BodyReader, type BodySource } from './body-source.ts';
import { scrubbing } from './body-steps.ts';
import { frameChunk } from './chunk-frame.ts';
import { countingStep, MAX_JOINED_BYTES, MIN_JOINED_BYTES, pump, type Step } from './pump.ts';
import { createScrubber } from './scrub.ts';

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
    /** Takes one piece more. */
    drainOnce: () => {
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
    dataFrom: (memory: Buffer) => reader?.data(memory),
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
    // What had arrived past the bound is not lost, and no part of the joined one.
    expect(sink.written.slice(1).map((text) => text.length)).toEqual([
      MAX_JOINED_BYTES,
      'more that had arrived'.length,
    ]);
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

  it('stops again where the sink fills up again, and loses nothing', () => {
    const { from, sink } = start();
    sink.fill();
    from.data('first');
    const bytes = 2 * MAX_JOINED_BYTES + 5;
    for (let at = 0; at < bytes; at += PIECE.length)
      from.data(Buffer.alloc(Math.min(PIECE.length, bytes - at), at % 251));
    for (const expected of [2, 3, 4]) {
      sink.drainOnce();
      expect(sink.written).toHaveLength(expected);
      // Once less waits than the bound, more may come while the sink is at it.
      expect(from.resume).toHaveBeenCalledTimes(expected > 2 ? 1 : 0);
    }
    const all = Buffer.from(sink.written.slice(1).join(''), 'latin1');
    expect(all).toHaveLength(bytes);
    for (let at = 0; at < bytes; at += PIECE.length) expect(all[at]).toBe(at % 251);
  });

  it('may come in memory that is another’s after each call', async () => {
    const { from, sink } = start();
    const memory = Buffer.alloc(PIECE.length);
    for (const letter of ['a', 'b', 'c']) from.dataFrom(memory.fill(letter));
    from.dataFrom(memory.subarray(0, 3).fill('d'));
    memory.fill('!');
    await nextTurn();
    expect(sink.written.join('')).toBe(
      ['a', 'b', 'c'].map((letter) => letter.repeat(PIECE.length)).join('') + 'ddd',
    );
  });

  it('is not the other’s memory either where the sink keeps it for a while', () => {
    const from = createSource();
    const kept: Uint8Array[] = [];
    const sink = { ...createSink(), write: (chunk: Uint8Array) => kept.push(chunk) > 0 };
    const ends = { ended: () => undefined, broke: () => undefined, later: () => () => undefined };
    pump(
      from.source,
      sink,
      countingStep(() => undefined),
      ends,
    );
    const memory = Buffer.alloc(3);
    from.dataFrom(memory.fill('e'));
    from.dataFrom(memory.fill('f'));
    memory.fill('!');
    expect(Buffer.concat(kept).toString()).toBe('eeefff');
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

describe('a body that is framed where it lies', () => {
  /** A sink that frames in place, and says when it is done only where it is told to. */
  const createFramingSink = () => {
    const plain = createSink();
    const rooms: { readonly room: Buffer; readonly text: string; readonly done: () => void }[] = [];
    const writeWithin = (room: Buffer, from: number, to: number, done: () => void): boolean => {
      const text = room.toString('latin1', from, to);
      plain.written.push(`[${String(text.length)}]`);
      frameChunk(room, from, to);
      rooms.push({ room, text, done });
      return plain.write(Buffer.alloc(0));
    };
    return { ...plain, rooms, writeWithin };
  };
  const carry = (step: Step = countingStep(() => undefined)) => {
    const from = createSource();
    const sink = createFramingSink();
    const ended = vi.fn<() => void>();
    pump(from.source, sink, step, {
      ended,
      broke: () => undefined,
      later: () => () => undefined,
    });
    return { from, sink, ended };
  };
  const secret = Buffer.from('s3cret-'.repeat(5));
  const scrubber = createScrubber([{ secret: secret.toString(), placeholder: 'placeholder' }]);

  it('goes in one piece with its frame around it', async () => {
    const { from, sink } = carry();
    from.data(PIECE);
    from.data('and more');
    await nextTurn();
    expect(sink.rooms.map(({ text }) => text)).toEqual([`${PIECE.toString('latin1')}and more`]);
  });

  it('is written elsewhere while the memory is not given back', async () => {
    const { from, sink } = carry();
    from.data(PIECE);
    await nextTurn();
    from.data(PIECE);
    await nextTurn();
    const [first, second] = sink.rooms;
    expect(second?.room).not.toBe(first?.room);
    second?.done();
    from.data(PIECE);
    await nextTurn();
    expect(sink.rooms[2]?.room).toBe(second?.room);
  });

  it('is not framed in place where it goes in several parts', async () => {
    const { from, sink } = carry(scrubbing(scrubber.stream(), () => undefined));
    from.data(PIECE);
    from.data(secret);
    from.data(PIECE);
    await nextTurn();
    expect(sink.rooms).toEqual([]);
    const piece = PIECE.toString('latin1');
    expect(sink.written.join('')).toBe(`${piece}placeholder${piece}`);
  });

  it('comes whole through the search, however its beginnings of secrets fall', async () => {
    const { from, sink, ended } = carry(scrubbing(scrubber.stream(), () => undefined));
    let expected = '';
    for (let round = 0; round < 30; round += 1) {
      const text = Buffer.concat([
        Buffer.alloc(10_000 + round, 'x'),
        secret.subarray(0, round % 2 === 0 ? round : 0),
      ]);
      expected += text.toString('latin1');
      from.data(text);
      await nextTurn();
    }
    from.ended();
    expect(ended).toHaveBeenCalledTimes(1);
    let at = 0;
    const all = sink.written
      .filter((text) => text !== '')
      .map((text) => (/^\[\d+\]$/.test(text) ? (sink.rooms[at++]?.text ?? '') : text))
      .join('');
    expect(sink.rooms.length).toBeGreaterThan(10);
    expect(sink.rooms.length).toBeLessThan(30);
    expect(all).toBe(expected);
  });
});
