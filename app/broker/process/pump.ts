import type { BodySource } from './body-source.ts';
import { FRAME_HEAD_BYTES } from './chunk-frame.ts';
import type { Sink } from './http-call.ts';
import { giveRoomBack, ROOM_BODY_BYTES, takeRoom, type Room } from './rooms.ts';

/**
 * What becomes of each chunk of a body; undefined ends the pumping there. A step that passes bytes of
 * a chunk on reads them no more after the call: what it needs of them later it copies.
 */
export type Step = {
  readonly push: (chunk: Buffer) => readonly Buffer[] | undefined;
  readonly end: () => readonly Buffer[] | undefined;
  /** Whether `pause` might let something go. */
  readonly holds?: () => boolean;
  /** Called when nothing more came for a while: what may go on meanwhile. */
  readonly pause?: () => readonly Buffer[] | undefined;
};

export type PumpEnds = {
  readonly ended: () => void;
  readonly broke: (failed?: Error) => void;
  /** Runs a task after a short pause, unless it is cancelled. */
  readonly later: (task: () => void) => () => void;
};

export type Pump = {
  /** Writes no more; what still comes is read and thrown away. */
  readonly discard: () => void;
};

/** How much of a body is put together, to be searched and written as one piece, in bytes; past it the source waits. */
export const MAX_JOINED_BYTES = ROOM_BODY_BYTES;
/** What is shorter, in bytes, comes by itself and goes on at once. */
export const MIN_JOINED_BYTES = 8 * 1024;

/** Pieces in a room, up to a place. */
type Filled = { readonly room: Room; end: number };

/**
 * Carries a body from a source to a sink through a step, with backpressure. Calls `ended` once the
 * source has ended and all is written, or `broke` where it closed before its end; neither after
 * `discard` or after the step has ended it.
 *
 * TLS gives a long body in pieces of 16 KiB. Those that arrive in one turn of the event loop, or
 * while the sink takes no more, go on as one: each piece has its own price in the search and in the
 * sink. Nothing waits for what has not arrived.
 */
export const pump = (
  source: BodySource,
  sink: Sink,
  step: Step,
  { ended, broke, later }: PumpEnds,
): Pump => {
  let over = false;
  let full = false;
  let paused = false;
  let held: Filled[] = [];
  let heldBytes = 0;
  let nextTurn: NodeJS.Immediate | undefined;
  let cancelPause: (() => void) | undefined;

  const stop = (): void => {
    over = true;
    cancelPause?.();
    clearImmediate(nextTurn);
    held = [];
    if (full) sink.removeListener('drain', onDrain);
    source.resume();
  };
  const writeOne = (part: Buffer, room: Room | undefined): boolean => {
    if (room === undefined || sink.writeWithin === undefined || part.buffer !== room.buffer)
      return sink.write(part);
    const start = part.byteOffset - room.byteOffset;
    return sink.writeWithin(room, start, start + part.length, () => giveRoomBack(room));
  };
  /** `room`: what the step was given lies in it, and nobody else reads it. */
  const write = (parts: readonly Buffer[] | undefined, room?: Room): boolean => {
    if (parts === undefined) {
      stop();
      return false;
    }
    // Where there are several, the frame of one would be written over another.
    const own = parts.length === 1 ? room : undefined;
    let more = true;
    for (const part of parts) more = writeOne(part, own);
    if (!more && !full) {
      full = true;
      sink.once('drain', onDrain);
    }
    return true;
  };
  const onPause = (): void => {
    cancelPause = undefined;
    if (!over && step.pause !== undefined) write(step.pause());
  };
  const pass = (chunk: Buffer, room?: Room): boolean => {
    const going = write(step.push(chunk), room);
    cancelPause?.();
    cancelPause = going && step.holds?.() === true ? later(onPause) : undefined;
    return going;
  };
  const hold = (chunk: Buffer): void => {
    heldBytes += chunk.length;
    let from = 0;
    while (from < chunk.length) {
      let last = held.at(-1);
      if (last === undefined || last.end === FRAME_HEAD_BYTES + ROOM_BODY_BYTES) {
        last = { room: takeRoom(), end: FRAME_HEAD_BYTES };
        held.push(last);
      }
      const count = Math.min(chunk.length - from, FRAME_HEAD_BYTES + ROOM_BODY_BYTES - last.end);
      chunk.copy(last.room, last.end, from, from + count);
      last.end += count;
      from += count;
    }
  };
  /** Takes what has arrived through the step: as much as the sink takes, or at the end all of it. */
  const carry = (all: boolean): boolean => {
    clearImmediate(nextTurn);
    nextTurn = undefined;
    const goesOn = (): boolean => all || !full;
    while (goesOn()) {
      const first = held.shift();
      if (first === undefined) return true;
      const { room, end } = first;
      heldBytes -= end - FRAME_HEAD_BYTES;
      if (!pass(room.subarray(FRAME_HEAD_BYTES, end), room)) return false;
    }
    return true;
  };
  const onTurn = (): void => {
    carry(false);
  };
  const onDrain = (): void => {
    full = false;
    if (!carry(false) || heldBytes >= MAX_JOINED_BYTES || !paused) return;
    paused = false;
    source.resume();
  };
  const onData = (chunk: Buffer): void => {
    if (over) return;
    if (!full && heldBytes === 0 && chunk.length < MIN_JOINED_BYTES) {
      pass(Buffer.from(chunk));
      return;
    }
    cancelPause?.();
    cancelPause = undefined;
    hold(chunk);
    const enough = heldBytes >= MAX_JOINED_BYTES;
    if (!full && enough) carry(false);
    else if (!full) nextTurn ??= setImmediate(onTurn);
    else if (enough && !paused) {
      paused = true;
      source.pause();
    }
  };
  source.read({
    data: onData,
    ended: () => {
      cancelPause?.();
      if (over || !carry(true) || !write(step.end())) return;
      cancelPause?.();
      over = true;
      ended();
    },
    broke: (failed) => {
      cancelPause?.();
      if (over || !carry(true)) return;
      cancelPause?.();
      over = true;
      broke(failed);
    },
  });
  return {
    discard: () => {
      if (!over) stop();
    },
  };
};

/** Passes everything on, counted. */
export const countingStep = (count: (bytes: number) => void): Step => ({
  push: (chunk) => {
    count(chunk.length);
    return [chunk];
  },
  end: () => [],
});
