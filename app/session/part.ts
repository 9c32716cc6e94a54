import { unlessAborted } from './together.ts';

/** A part that others wait for; waiting ends with the signal. */
export type Part<T> = {
  readonly there: Promise<T>;
  readonly set: (value: T) => void;
  readonly now: () => T | undefined;
};

/** A part that is not there yet. */
export const part = <T>(signal: AbortSignal): Part<T> => {
  const { promise, resolve } = Promise.withResolvers<T>();
  const there = unlessAborted(signal, promise);
  // Nobody may be waiting for it when the start is called off.
  there.catch(() => undefined);
  let value: T | undefined;
  return {
    there,
    set: (made) => {
      value = made;
      resolve(made);
    },
    now: () => value,
  };
};
