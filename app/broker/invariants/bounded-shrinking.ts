/** Longest search for a smaller failing trial, in milliseconds: each that stalls takes its time. */
export const SHRINK_MS = 60_000;

/**
 * Bounds the search for a smaller failing trial by time, and nothing else: trials that hold take as
 * long as the machine needs for them. Once the time is over what is still tried counts as held, so the
 * smallest that failed until then is the one that is told.
 */
export const boundedShrinking = <Trial>(
  run: (trial: Trial) => Promise<void>,
): ((trial: Trial) => Promise<void>) => {
  let until: number | undefined;
  return async (trial) => {
    if (until !== undefined && performance.now() > until) return;
    try {
      await run(trial);
    } catch (thrown) {
      until ??= performance.now() + SHRINK_MS;
      throw thrown;
    }
  };
};
