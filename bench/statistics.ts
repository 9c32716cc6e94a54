/** The middle of several figures; not a number where there is none. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
};

/**
 * The median of ratios taken round by round: what slows the machine for a while slows both sides of one
 * round, and falls out. Rounds in which one side has no figure are left out.
 */
export const pairedRatio = (
  ours: readonly (number | undefined)[],
  theirs: readonly (number | undefined)[],
): number =>
  median(
    ours.flatMap((value, round) => {
      const other = theirs[round];
      return value === undefined || other === undefined ? [] : [value / other];
    }),
  );
