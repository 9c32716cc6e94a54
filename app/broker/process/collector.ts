import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Lets this process collect its garbage by hand, where memory runs short and while long bodies are
 * carried. Asked for from within, because not every shell passes V8's flags on to its children.
 */
export const exposeCollector = (): void => {
  if (globalThis.gc !== undefined) return;
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
};
