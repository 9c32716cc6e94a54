import { Worker } from 'node:worker_threads';

/** The worker's entry, beside this file: TypeScript in the source tree, JavaScript when bundled. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
);

/**
 * Runs one task of `worker.ts` in a thread of its own, so that no file system and no regular expression
 * keeps the app waiting. Aborting ends the thread at once; its memory goes with it.
 */
export const callWorker = <Output>(
  task: string,
  input: unknown,
  signal: AbortSignal,
  timeoutMs?: number,
): Promise<Output> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const worker = new Worker(ENTRY, {
      workerData: { task, input },
      // Nothing of the app's environment is needed, and nothing of it can then leak through a rule.
      env: {},
      execArgv: [],
    });
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => end(new WorkerTimeout()), timeoutMs);
    const onAbort = (): void => end(signal.reason);
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      void worker.terminate();
    };
    const end = (reason: unknown): void => {
      settle();
      reject(reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    worker.once('message', (message: Output) => {
      settle();
      resolve(message);
    });
    worker.once('error', end);
    worker.once('exit', () => end(new Error(`the ${task} worker ended without an answer`)));
  });

/** A worker that used up its time. */
export class WorkerTimeout extends Error {
  constructor() {
    super('the worker used up its time');
    this.name = 'WorkerTimeout';
  }
}
