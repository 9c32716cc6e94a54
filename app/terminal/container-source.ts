import type { Duplex } from 'node:stream';
import type { TerminalSize } from '../contract/index.ts';
import type { TerminalSource } from './port.ts';

/** Bytes of input that may wait for a program that does not read; what comes on top is dropped. */
export const MAX_WAITING_INPUT_BYTES = 4 * 1024 * 1024;
/** How long the last output may take to arrive after the program's exit was told. */
export const EXIT_GRACE_MS = 2000;

/** Turns a TTY stream of the container engine into a terminal's source. The exit waits for the last output. */
export const containerSource = (
  stream: Duplex,
  resize: (size: TerminalSize) => Promise<void>,
  exit: Promise<number>,
): TerminalSource => {
  const drained = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error'] as const) stream.once(event, () => resolve());
  });
  // The engine went away: the exit tells, with its own code. Without a listener Node would throw.
  stream.on('error', () => undefined);
  const lastOutput = async (): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, EXIT_GRACE_MS);
    });
    // A paused stream never ends: whoever waits for the exit wants the rest.
    stream.resume();
    await Promise.race([drained, grace]);
    clearTimeout(timer);
  };
  return {
    onData: (listener) => {
      stream.on('data', (bytes: Uint8Array) => listener(bytes));
    },
    write: (bytes) => {
      if (!stream.writable || stream.writableLength + bytes.byteLength > MAX_WAITING_INPUT_BYTES) {
        return;
      }
      stream.write(bytes);
    },
    pause: () => {
      stream.pause();
    },
    resume: () => {
      stream.resume();
    },
    resize,
    exit: exit.then(async (code) => {
      await lastOutput();
      return code;
    }),
    close: () => {
      stream.destroy();
    },
  };
};
