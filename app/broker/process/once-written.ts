/** What a stream calls back once a piece is written, or could not be: only then its memory may be used again. */
export const onceWritten =
  (done: () => void) =>
  (failed?: Error | null): void => {
    if (failed === undefined || failed === null) done();
  };
