import type { Clock } from '../kit/index.ts';
import type { TerminalSize } from '../contract/index.ts';
import type { TerminalViewer } from './port.ts';

/** A viewer with more unacknowledged bytes than this gets no more for now. */
export const HIGH_WATER_BYTES = 1024 * 1024;
/** At this many unacknowledged bytes a viewer gets more again. */
export const LOW_WATER_BYTES = 256 * 1024;
/** Bytes that wait for one viewer before the program itself has to wait. */
export const VIEWER_BUFFER_BYTES = 2 * 1024 * 1024;
/** A viewer that acknowledges nothing for this long is taken for gone: the program goes on without it. */
export const STALL_MS = 15_000;
/** Most bytes handed to a viewer at once. */
export const MAX_CHUNK_BYTES = 512 * 1024;

/** One viewer's share of the output: what waits, what is under way, and whether it still lives. */
export type ViewerQueue = {
  /** Holds everything back until `begin`; what comes in between waits. */
  readonly push: (bytes: Uint8Array) => void;
  /** The screen up to here has been handed over: from now on bytes flow. */
  readonly begin: () => void;
  readonly flush: () => void;
  readonly ack: (bytes: number) => void;
  /** Whether the program should wait for this viewer; `resumable` is the lower of the two marks. */
  readonly full: () => boolean;
  readonly resumable: () => boolean;
  /** Hands everything out regardless of marks, then the exit code. */
  readonly finish: (exitCode: number) => void;
  readonly close: () => void;
  size: TerminalSize | undefined;
};

export const createViewerQueue = (
  viewer: TerminalViewer,
  deps: {
    readonly clock: Clock;
    /** Something changed that decides whether the program waits. */
    readonly onPressure: () => void;
    /** It lives again after a stall and needs the whole screen: answer with `restart(bytes)`. */
    readonly onRevived: (restart: (screen: Uint8Array) => void) => void;
  },
): ViewerQueue => {
  let queue: Uint8Array[] = [];
  let queuedBytes = 0;
  let unacknowledged = 0;
  let state: 'waiting' | 'flowing' | 'stalled' | 'closed' = 'waiting';
  let exit: number | undefined;
  let cancelStall: (() => void) | undefined;

  const empty = (): void => {
    queue = [];
    queuedBytes = 0;
  };

  const watchForStall = (): void => {
    cancelStall?.();
    cancelStall = deps.clock.after(STALL_MS, () => {
      cancelStall = undefined;
      if (state !== 'flowing') return;
      state = 'stalled';
      empty();
      deps.onPressure();
    });
  };

  const take = (): Uint8Array => {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const [head] = queue;
      if (head === undefined || length === MAX_CHUNK_BYTES) break;
      const part = head.subarray(0, MAX_CHUNK_BYTES - length);
      parts.push(part);
      length += part.byteLength;
      if (part.byteLength < head.byteLength) queue[0] = head.subarray(part.byteLength);
      else queue.shift();
    }
    queuedBytes -= length;
    const [only] = parts;
    return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts);
  };

  const deliver = (): void => {
    const bytes = take();
    unacknowledged += bytes.byteLength;
    viewer.onBytes(bytes);
  };

  const flush = (): void => {
    // A viewer may detach from within `onBytes`, so each step looks again.
    for (;;) {
      if (state !== 'flowing' || queue.length === 0 || unacknowledged >= HIGH_WATER_BYTES) break;
      deliver();
    }
    if (state === 'flowing' && unacknowledged >= HIGH_WATER_BYTES) {
      if (cancelStall === undefined) watchForStall();
    }
  };

  const end = (exitCode: number): void => {
    for (;;) {
      if (state !== 'flowing' || queue.length === 0) break;
      deliver();
    }
    if (state !== 'flowing') return;
    cancelStall?.();
    cancelStall = undefined;
    viewer.onExit(exitCode);
  };

  const revive = (): void => {
    state = 'waiting';
    deps.onRevived((screen) => {
      if (state === 'closed') return;
      unacknowledged += screen.byteLength;
      viewer.onBytes(screen);
      begin();
    });
  };

  const begin = (): void => {
    if (state === 'closed') return;
    state = 'flowing';
    if (exit === undefined) flush();
    else end(exit);
  };

  return {
    size: undefined,
    push: (bytes) => {
      if (state === 'stalled' || state === 'closed') return;
      queue.push(bytes);
      queuedBytes += bytes.byteLength;
    },
    begin,
    flush,
    ack: (bytes) => {
      if (state === 'closed') return;
      unacknowledged = Math.max(0, unacknowledged - bytes);
      if (unacknowledged > LOW_WATER_BYTES) {
        if (cancelStall !== undefined) watchForStall();
        return;
      }
      cancelStall?.();
      cancelStall = undefined;
      if (state === 'stalled') {
        revive();
        return;
      }
      flush();
      deps.onPressure();
    },
    // Someone who waits for a snapshot is bounded by the screen's own marks, which stop the program too.
    full: () => state !== 'stalled' && state !== 'closed' && queuedBytes >= VIEWER_BUFFER_BYTES,
    resumable: () =>
      state === 'stalled' || state === 'closed' || queuedBytes <= VIEWER_BUFFER_BYTES / 2,
    finish: (exitCode) => {
      exit = exitCode;
      if (state === 'flowing') end(exitCode);
      // A stalled viewer gets the last screen; one that waits for its snapshot learns right after it.
      else if (state === 'stalled') revive();
    },
    close: () => {
      state = 'closed';
      cancelStall?.();
      cancelStall = undefined;
      empty();
    },
  };
};
