import type { TerminalId, TerminalSize } from '../contract/index.ts';
import type { Clock, Scope } from '../kit/index.ts';
import type { Terminal, TerminalAttachment, TerminalSource, TerminalViewer } from './port.ts';
import { createScreen, type ScreenSnapshot } from './screen.ts';
import { createViewerQueue, type ViewerQueue } from './viewer.ts';

/** Most bytes of one input message; more is not typed and not pasted by a person. */
export const MAX_INPUT_BYTES = 1024 * 1024;
/** Bytes that the emulator may be behind before the program has to wait. */
export const SCREEN_HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** At this many the program may go on. */
export const SCREEN_LOW_WATER_BYTES = 1024 * 1024;
/** Output that comes within this time of the last delivery goes out together. */
export const BATCH_MS = 8;
/** …unless this many bytes have come together before. */
export const BATCH_BYTES = 64 * 1024;

export type TerminalOptions = {
  readonly id: TerminalId;
  readonly title: string;
  readonly size: TerminalSize;
  readonly source: TerminalSource;
};

/** CAN ends whatever sequence is unfinished, RIS makes the viewer's terminal empty. */
const START_OVER = Uint8Array.of(0x18, 0x1b, 0x63);

/**
 * A terminal whose screen lives here and not in a window. Viewers come and go; each is fed at its own
 * pace, and the program waits only for viewers that are alive and far behind. The scope closes it.
 */
export const createTerminal = (
  options: TerminalOptions,
  deps: { readonly clock: Clock },
  scope: Scope,
): Terminal => {
  const { id, title, source } = options;
  const screen = createScreen(options.size);
  const viewers = new Set<ViewerQueue>();
  let size = options.size;
  let exitCode: number | undefined;
  let closed = false;
  let paused = false;
  let unparsed = 0;
  let unsent = 0;
  let cancelBatch: (() => void) | undefined;
  const abandon = new Set<() => void>();
  const attaching = new Set<Promise<unknown>>();

  const onPressure = (): void => {
    if (closed || exitCode !== undefined) return;
    const queues = Array.from(viewers);
    if (!paused) {
      if (unparsed < SCREEN_HIGH_WATER_BYTES && !queues.some((queue) => queue.full())) return;
      paused = true;
      source.pause();
    } else if (unparsed <= SCREEN_LOW_WATER_BYTES && queues.every((queue) => queue.resumable())) {
      paused = false;
      source.resume();
    }
  };

  const flushAll = (): void => {
    unsent = 0;
    for (const queue of viewers) queue.flush();
    onPressure();
  };

  const batch = (): void => {
    cancelBatch = deps.clock.after(BATCH_MS, () => {
      cancelBatch = undefined;
      if (unsent === 0) return;
      flushAll();
      batch();
    });
  };

  const onData = (bytes: Uint8Array): void => {
    if (closed || bytes.byteLength === 0) return;
    unparsed += bytes.byteLength;
    unsent += bytes.byteLength;
    screen.write(bytes, () => {
      unparsed -= bytes.byteLength;
      onPressure();
    });
    for (const queue of viewers) queue.push(bytes);
    // The first bytes after a pause go at once, so that typing feels direct; a flood goes in batches.
    if (cancelBatch === undefined || unsent >= BATCH_BYTES) flushAll();
    if (cancelBatch === undefined) batch();
    onPressure();
  };

  const input = (bytes: Uint8Array): void => {
    if (closed || exitCode !== undefined || bytes.byteLength === 0) return;
    source.write(bytes.subarray(0, MAX_INPUT_BYTES));
  };

  /** The smallest of the viewers' sizes, so that nobody sees a torn screen; without any, it stays. */
  const fit = (): void => {
    const sizes = Array.from(viewers, (queue) => queue.size).filter((s) => s !== undefined);
    if (sizes.length === 0 || closed) return;
    const next = {
      columns: Math.min(...sizes.map((s) => s.columns)),
      rows: Math.min(...sizes.map((s) => s.rows)),
    };
    if (next.columns === size.columns && next.rows === size.rows) return;
    size = next;
    screen.resize(next);
    // A program that just ended cannot be told; its exit is on the way.
    if (exitCode === undefined) source.resize(next).catch(() => undefined);
  };

  const attach = (viewer: TerminalViewer): Promise<TerminalAttachment> => {
    const begun = Promise.withResolvers<void>();
    attaching.add(begun.promise);
    const done = (): void => {
      attaching.delete(begun.promise);
      begun.resolve();
    };
    return new Promise((resolve, reject) => {
      if (closed) {
        done();
        reject(new Error(`terminal ${id} is closed`));
        return;
      }
      const queue = createViewerQueue(viewer, {
        clock: deps.clock,
        onPressure,
        onRevived: (restart) => {
          screen.snapshot((snapshot) => restart(Buffer.concat([START_OVER, snapshot.bytes])));
        },
      });
      const refuse = (): void => {
        done();
        reject(new Error(`terminal ${id} closed while attaching`));
      };
      abandon.add(refuse);
      // The cut is here: bytes before it are in the snapshot, bytes after it are in the queue.
      viewers.add(queue);
      if (exitCode !== undefined) queue.finish(exitCode);
      screen.snapshot((snapshot: ScreenSnapshot) => {
        abandon.delete(refuse);
        resolve({
          snapshot,
          ack: queue.ack,
          resize: (next) => {
            queue.size = next;
            fit();
          },
          detach: () => {
            queue.close();
            viewers.delete(queue);
            fit();
            onPressure();
          },
        });
        // After the caller had its turn with the snapshot: `then` callbacks run before this one.
        setImmediate(() => {
          queue.begin();
          done();
        });
      });
    });
  };

  const close = (): void => {
    if (closed) return;
    closed = true;
    cancelBatch?.();
    for (const queue of viewers) queue.close();
    viewers.clear();
    for (const refuse of abandon) refuse();
    abandon.clear();
    screen.close();
    source.close();
  };

  const exit = source.exit.then((code) => {
    exitCode = code;
    cancelBatch?.();
    cancelBatch = undefined;
    for (const queue of viewers) queue.finish(code);
    return code;
  });
  // Someone who watches (a window) answers for itself, with its own colours and size.
  screen.onAnswer((bytes) => {
    if (viewers.size === 0) input(bytes);
  });
  source.onData(onData);
  scope.defer(async () => {
    // A short program is over before its viewer has the first screen: that one still gets everything.
    if (exitCode !== undefined) await Promise.all(attaching);
    close();
  });

  return {
    id,
    summary: () => (exitCode === undefined ? { id, title } : { id, title, exitCode }),
    input,
    attach,
    exit,
    close,
  };
};
