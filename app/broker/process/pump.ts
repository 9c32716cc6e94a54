import type { BodySource } from './body-source.ts';
import type { Sink } from './http-call.ts';
import { spend } from './spent-buffers.ts';

/** What becomes of each chunk of a body; undefined ends the pumping there. */
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
export const MAX_JOINED_BYTES = 256 * 1024;
/** What is shorter, in bytes, comes by itself and goes on at once. */
export const MIN_JOINED_BYTES = 8 * 1024;

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
  let arrived: Buffer[] = [];
  let arrivedBytes = 0;
  let nextTurn: NodeJS.Immediate | undefined;
  let cancelPause: (() => void) | undefined;

  const stop = (): void => {
    over = true;
    cancelPause?.();
    clearImmediate(nextTurn);
    arrived = [];
    if (full) sink.removeListener('drain', onDrain);
    source.resume();
  };
  const write = (parts: readonly Buffer[] | undefined): boolean => {
    if (parts === undefined) {
      stop();
      return false;
    }
    let room = true;
    for (const part of parts) room = sink.write(part);
    if (!room && !full) {
      full = true;
      sink.once('drain', onDrain);
    }
    return true;
  };
  const onPause = (): void => {
    cancelPause = undefined;
    if (!over && step.pause !== undefined) write(step.pause());
  };
  /** Takes all that has arrived through the step. */
  const carry = (): boolean => {
    clearImmediate(nextTurn);
    nextTurn = undefined;
    const [first] = arrived;
    if (first === undefined) return true;
    const chunk = arrived.length === 1 ? first : Buffer.concat(arrived, arrivedBytes);
    arrived = [];
    arrivedBytes = 0;
    const going = write(step.push(chunk));
    if (going && step.holds?.() === true) cancelPause = later(onPause);
    return going;
  };
  const onDrain = (): void => {
    full = false;
    if (!carry() || !paused) return;
    paused = false;
    source.resume();
  };
  const onData = (chunk: Buffer): void => {
    if (over) return;
    cancelPause?.();
    cancelPause = undefined;
    spend(chunk.length);
    const alone = arrived.length === 0 && chunk.length < MIN_JOINED_BYTES;
    arrived.push(chunk);
    arrivedBytes += chunk.length;
    const enough = arrivedBytes >= MAX_JOINED_BYTES;
    if (!full && (alone || enough)) carry();
    else if (!full) nextTurn ??= setImmediate(carry);
    else if (enough && !paused) {
      paused = true;
      source.pause();
    }
  };
  source.read({
    data: onData,
    ended: () => {
      cancelPause?.();
      if (over || !carry() || !write(step.end())) return;
      over = true;
      ended();
    },
    broke: (failed) => {
      cancelPause?.();
      if (over || !carry()) return;
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
