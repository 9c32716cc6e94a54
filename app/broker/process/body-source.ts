import type { Readable } from 'node:stream';
import { spend } from './spent-buffers.ts';

/** What reads a body: its pieces, then exactly one of `ended` and `broke`. */
export type BodyReader = {
  /** The chunk's memory is the source's again after the call: what is kept of it has to be copied. */
  readonly data: (chunk: Buffer) => void;
  readonly ended: () => void;
  /** It closed before its end. */
  readonly broke: (failed?: Error) => void;
};

/** A body on its way, read once. Plain calls, for a stream and its listeners for each body showed in profiles. */
export type BodySource = {
  /** Tells what comes from now on; what came before is told first. */
  readonly read: (reader: BodyReader) => void;
  /** Asks for no more for now; what has arrived already may still be told. */
  readonly pause: () => void;
  readonly resume: () => void;
};

/** A stream as a source. */
export const streamSource = (stream: Readable): BodySource => ({
  read: ({ data, ended, broke }) => {
    let over = false;
    let failed: Error | undefined;
    stream.on('data', (chunk: Buffer) => {
      spend(chunk.length);
      data(chunk);
    });
    // One that was looked into before is paused, and a listener alone does not wake it.
    stream.resume();
    stream.on('end', () => {
      if (over) return;
      over = true;
      ended();
    });
    stream.on('error', (error: Error) => {
      failed ??= error;
    });
    const closed = (): void => {
      if (over) return;
      over = true;
      broke(failed);
    };
    stream.on('close', closed);
    if (stream.destroyed && !stream.readableEnded) queueMicrotask(closed);
  },
  pause: () => void stream.pause(),
  resume: () => void stream.resume(),
});
