import { Worker } from 'node:worker_threads';

/** The thread's entry, beside this file: TypeScript in the source tree, JavaScript when bundled. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js',
  import.meta.url,
);

/** Time after which an idle thread ends and gives its memory back. */
export const IDLE_THREAD_MS = 60_000;

export type ThreadAnswer =
  | { readonly type: 'done'; readonly value: unknown }
  | { readonly type: 'failed'; readonly message: string; readonly code?: string };

/** What a task in a thread threw, with the code of its system error. */
export class ThreadError extends Error {
  readonly code: string | undefined;
  constructor(message: string, code?: string) {
    super(message);
    this.name = 'ThreadError';
    this.code = code;
  }
}

/** A task that used up its time; its thread has been ended. */
export class ThreadTimeout extends Error {
  constructor() {
    super('the task used up its time');
    this.name = 'ThreadTimeout';
  }
}

/** Runs the tasks of `thread.ts` beside the app, so that no file system and no regular expression keeps it waiting. */
export type Threads = {
  /** Aborting or running out of time ends the thread at once; its memory goes with it. */
  readonly call: <Output>(
    task: string,
    input: unknown,
    signal: AbortSignal,
    timeoutMs?: number,
  ) => Promise<Output>;
};

/**
 * Threads are kept and used again: starting one costs 50 to 90 ms, and V8 has aborted whole processes where
 * threads come and go quickly (nodejs/node#64500). They keep no process alive while idle.
 */
export const createThreads = (): Threads => {
  const idle: { readonly worker: Worker; readonly stopTimer: () => void }[] = [];

  const rest = (worker: Worker): void => {
    worker.unref();
    const drop = (): void => {
      const at = idle.indexOf(entry);
      if (at !== -1) idle.splice(at, 1);
    };
    const timer = setTimeout(() => {
      drop();
      void worker.terminate();
    }, IDLE_THREAD_MS);
    timer.unref();
    const entry = { worker, stopTimer: () => clearTimeout(timer) };
    worker.once('exit', drop);
    worker.once('error', drop);
    idle.push(entry);
  };

  const take = (): Worker => {
    const entry = idle.pop();
    if (entry === undefined) {
      // Nothing of the app's environment is needed, and nothing of it can then leak through a rule.
      return new Worker(ENTRY, { env: {}, execArgv: [] });
    }
    entry.stopTimer();
    entry.worker.removeAllListeners('exit');
    entry.worker.removeAllListeners('error');
    entry.worker.ref();
    return entry.worker;
  };

  return {
    call: <Output>(task: string, input: unknown, signal: AbortSignal, timeoutMs?: number) =>
      new Promise<Output>((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        const worker = take();
        const timer =
          timeoutMs === undefined
            ? undefined
            : setTimeout(() => end(new ThreadTimeout()), timeoutMs);
        const onAbort = (): void => end(signal.reason);
        const settle = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
        };
        const end = (reason: unknown): void => {
          settle();
          // Whatever else it says while it ends is said to nobody.
          worker.on('error', () => undefined);
          void worker.terminate();
          reject(reason);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        worker.once('message', (answer: ThreadAnswer) => {
          settle();
          rest(worker);
          if (answer.type === 'done') resolve(answer.value as Output);
          else reject(new ThreadError(answer.message, answer.code));
        });
        worker.once('error', end);
        worker.once('exit', () => end(new Error(`the thread of ${task} ended without an answer`)));
        // A thread's port has no origin: it is not a window's.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        worker.postMessage({ task, input });
      }),
  };
};
