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

/**
 * Carries a body from a source to a sink through a step, with backpressure. Calls `ended` once the
 * source has ended and all is written, or `broke` where it closed before its end; neither after
 * `discard` or after the step has ended it.
 */
export const pump = (
  source: BodySource,
  sink: Sink,
  step: Step,
  { ended, broke, later }: PumpEnds,
): Pump => {
  let over = false;
  let waiting = false;
  let cancelPause: (() => void) | undefined;
  const onDrain = (): void => {
    waiting = false;
    source.resume();
  };
  const stop = (): void => {
    over = true;
    cancelPause?.();
    if (waiting) sink.removeListener('drain', onDrain);
    waiting = false;
    source.resume();
  };
  const write = (parts: readonly Buffer[] | undefined): boolean => {
    if (parts === undefined) {
      stop();
      return false;
    }
    let room = true;
    for (const part of parts) room = sink.write(part);
    if (!room && !waiting) {
      waiting = true;
      source.pause();
      sink.once('drain', onDrain);
    }
    return true;
  };
  const onPause = (): void => {
    cancelPause = undefined;
    if (!over && step.pause !== undefined) write(step.pause());
  };
  source.read({
    data: (chunk) => {
      if (over) return;
      cancelPause?.();
      cancelPause = undefined;
      spend(chunk.length);
      if (write(step.push(chunk)) && step.holds?.() === true) cancelPause = later(onPause);
    },
    ended: () => {
      cancelPause?.();
      if (over || !write(step.end())) return;
      over = true;
      ended();
    },
    broke: (failed) => {
      cancelPause?.();
      if (over) return;
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
