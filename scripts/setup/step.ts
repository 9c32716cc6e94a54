const TICK_MS = 10_000;

/** Glovebox's own words go to standard error. */
export const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Says that a long step runs, every ten seconds that it still does, and how long it took. */
export const step = async <T>(name: string, doing: string, task: () => Promise<T>): Promise<T> => {
  const began = Date.now();
  const seconds = (): string => `${String(Math.round((Date.now() - began) / 1000))} s`;
  say(`  ${name}: ${doing} …`);
  const timer = setInterval(() => say(`  ${name}: ${doing}, ${seconds()} so far`), TICK_MS);
  try {
    const result = await task();
    say(`  ${name}: done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
};
