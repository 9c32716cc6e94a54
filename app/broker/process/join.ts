import type { Readable, Writable } from 'node:stream';

/** Streams in a row: the first is read, the last is written, those between do both. */
export type Stages = readonly [Readable, ...(Readable & Writable)[], Writable];

const PREMATURE = 'a stream closed before its end';

/**
 * Joins streams with backpressure and calls back once: when the last has taken everything, or with
 * the first failure, after which all are destroyed. Like Node's `pipeline`, without an abort
 * controller and its exception for each use, which showed in profiles.
 */
export const joinStreams = (stages: Stages, done: (failed?: Error) => void): void => {
  const [source] = stages;
  let over = false;
  const settle = (failed?: Error): void => {
    if (over) return;
    over = true;
    if (failed !== undefined) for (const stage of stages) stage.destroy();
    done(failed);
  };
  stages.forEach((stage, index) => {
    stage.on('error', settle);
    const isLast = index === stages.length - 1;
    stage.once('close', () => {
      const complete = isLast
        ? (stage as Writable).writableFinished
        : (stage as Readable).readableEnded;
      if (!complete) settle(new Error(PREMATURE));
    });
    if (isLast) stage.once('finish', () => settle());
  });
  if (source.destroyed && !source.readableEnded) {
    settle(new Error(PREMATURE));
    return;
  }
  let from: Readable = source;
  for (const to of stages.slice(1)) {
    from.pipe(to as Writable);
    from = to as unknown as Readable;
  }
};
