import type { TerminalSize } from '../../contract/index.ts';
import type { TerminalSource } from '../port.ts';

/** A terminal source that a test plays by hand. */
export type ManualSource = TerminalSource & {
  readonly emit: (bytes: Uint8Array | string) => void;
  readonly end: (exitCode: number) => void;
  readonly written: () => string;
  readonly sizes: readonly TerminalSize[];
  readonly isPaused: () => boolean;
  readonly isClosed: () => boolean;
};

export const createManualSource = (): ManualSource => {
  const listeners: ((bytes: Uint8Array) => void)[] = [];
  const written: Uint8Array[] = [];
  const sizes: TerminalSize[] = [];
  let paused = false;
  let closed = false;
  const ended = Promise.withResolvers<number>();
  return {
    emit: (bytes) => {
      const data = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
      for (const listener of listeners) listener(data);
    },
    end: ended.resolve,
    written: () => Buffer.concat(written).toString('utf8'),
    sizes,
    isPaused: () => paused,
    isClosed: () => closed,
    onData: (listener) => {
      listeners.push(listener);
    },
    write: (bytes) => {
      written.push(bytes);
    },
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
    },
    resize: async (size) => {
      sizes.push(size);
    },
    exit: ended.promise,
    close: () => {
      closed = true;
    },
  };
};
