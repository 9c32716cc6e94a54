import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Lets this process collect its garbage by hand, where memory runs short and while long bodies are
 * carried. The young are collected by the thread that asks for it: so few of them are alive that
 * waking others takes longer, on a busy machine three times as long. Asked for from within, because
 * not every shell passes V8's flags on to its children.
 */
export const exposeCollector = (): void => {
  setFlagsFromString('--no-parallel-scavenge');
  if (globalThis.gc !== undefined) return;
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
};

/**
 * Collects all there is, and lets V8 give back what it took for it. It stops the process for some 30 ms,
 * and no more work is thrown away than what was compiled and not used since.
 */
export const collectAll = (): void => {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
};
