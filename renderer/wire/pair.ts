import type { Wire } from '../../app/contract/index.ts';

/** Two ends of one in-page connection; messages arrive in order, one task later. For tests and the sample host. */
export const createWirePair = (): readonly [Wire, Wire] => {
  const ends = [0, 1].map(() => ({
    messages: [] as ((message: string) => void)[],
    closers: [] as (() => void)[],
    held: [] as string[],
  }));
  let open = true;
  const wireOf = (mine: number): Wire => {
    const here = ends[mine];
    const there = ends[1 - mine];
    if (here === undefined || there === undefined) throw new Error('a pair has two ends');
    return {
      send: (message) => {
        if (!open) return;
        queueMicrotask(() => {
          if (there.messages.length === 0) there.held.push(message);
          for (const listener of there.messages) listener(message);
        });
      },
      onMessage: (listener) => {
        here.messages.push(listener);
        for (const message of here.held.splice(0)) listener(message);
      },
      onClose: (listener) => {
        here.closers.push(listener);
      },
      close: () => {
        if (!open) return;
        open = false;
        for (const end of ends) for (const closer of end.closers) closer();
      },
    };
  };
  return [wireOf(0), wireOf(1)];
};
