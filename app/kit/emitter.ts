/** Announces values to whoever listens now. Announcing steers nothing: a listener's throw is its own. */
export type Emitter<T> = {
  readonly emit: (value: T) => void;
  /** Adds a listener; the returned function removes it. */
  readonly on: (listener: (value: T) => void) => () => void;
  readonly size: () => number;
};

export const createEmitter = <T>(
  onListenerError: (failure: unknown) => void = (failure) => {
    queueMicrotask(() => {
      throw failure;
    });
  },
): Emitter<T> => {
  const listeners = new Set<(value: T) => void>();
  return {
    emit: (value) => {
      for (const listener of Array.from(listeners)) {
        try {
          listener(value);
        } catch (failure) {
          onListenerError(failure);
        }
      }
    },
    on: (listener) => {
      // A wrapper of its own, so that the same function added twice is removed once each.
      const entry = (value: T): void => listener(value);
      listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },
    size: () => listeners.size,
  };
};
