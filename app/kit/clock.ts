/** Where time comes from. Injected, so that tests decide what time it is. */
export type Clock = {
  /** Wall-clock time, milliseconds since the epoch, with a fraction where the platform has one. */
  readonly now: () => number;
  /** Milliseconds from an arbitrary start that never goes back. */
  readonly monotonic: () => number;
  /** Runs `task` once after `ms`; the returned function cancels it. */
  readonly after: (ms: number, task: () => void) => () => void;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });

/** The last second that was asked for, up to its dot: many times lie within one. */
let lastSecond = { second: Number.NaN, text: '' };

const textOfSecond = (second: number): string => {
  if (lastSecond.second !== second) {
    lastSecond = { second, text: new Date(second * 1000).toISOString().slice(0, -'000Z'.length) };
  }
  return lastSecond.text;
};

/** An RFC 3339 time in UTC with six digits of fraction, as timeline events carry it. */
export const isoTime = (milliseconds: number): string => {
  const whole = Math.floor(milliseconds);
  const second = Math.floor(whole / 1000);
  // A fraction such as .678 is not exact in binary; rounding gives the digits that were meant.
  const micros = Math.min(999, Math.round((milliseconds - whole) * 1000));
  const fraction = (whole - second * 1000) * 1000 + micros;
  return `${textOfSecond(second)}${String(fraction).padStart(6, '0')}Z`;
};

/** A clock for tests: time moves only when `advance` says so, and due tasks run in order. */
export type ManualClock = Clock & { readonly advance: (ms: number) => void };

export const createManualClock = (start = 0): ManualClock => {
  let time = start;
  let tasks: { at: number; task: () => void }[] = [];
  return {
    now: () => time,
    monotonic: () => time,
    after: (ms, task) => {
      const entry = { at: time + ms, task };
      tasks.push(entry);
      return () => {
        tasks = tasks.filter((other) => other !== entry);
      };
    },
    advance: (ms) => {
      const end = time + ms;
      for (;;) {
        const due = tasks.filter((entry) => entry.at <= end).toSorted((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        tasks = tasks.filter((other) => other !== due);
        time = due.at;
        due.task();
      }
      time = end;
    },
  };
};
