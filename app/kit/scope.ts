type Cleanup = () => void | Promise<void>;

/** Anything a scope can own. */
export type Closable = { close(): void | Promise<void> };

/**
 * Owns what it opened. Cleanups run last in, first out, once; closing twice waits for the first.
 * A failing cleanup does not keep the others from running: all failures come back together.
 */
export type Scope = {
  readonly name: string;
  /** Aborts when the scope begins to close. */
  readonly signal: AbortSignal;
  /** Takes ownership and hands the thing back, so that it reads on the line of creation. */
  use<T extends Closable>(thing: T): T;
  defer(cleanup: Cleanup): void;
  child(name: string): Scope;
  close(): Promise<void>;
};

export const createScope = (name: string): Scope => {
  const cleanups: Cleanup[] = [];
  const abort = new AbortController();
  let closing: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    abort.abort(new Error(`${name} has ended`));
    const failures: unknown[] = [];
    for (;;) {
      const cleanup = cleanups.pop();
      if (cleanup === undefined) break;
      try {
        await cleanup();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `closing ${name}`);
  };

  const scope: Scope = {
    name,
    signal: abort.signal,
    use: (thing) => {
      scope.defer(() => thing.close());
      return thing;
    },
    defer: (cleanup) => {
      if (closing !== undefined) {
        // Opened while closing: nobody would ever clean it up, so it goes at once.
        void Promise.resolve(cleanup()).catch(() => undefined);
        throw new Error(`${name} has ended and can own nothing more`);
      }
      cleanups.push(cleanup);
    },
    child: (childName) => scope.use(createScope(`${name}/${childName}`)),
    close: () => (closing ??= run()),
  };
  return scope;
};
