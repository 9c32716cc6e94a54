/** One protection, and how to take it away. */
export type Mutation = {
  readonly id: string;
  /** What the protection is for, in words. */
  readonly promise: string;
  /** Relative to the repository. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** A unit test file that must go red. */
  readonly test: string;
};

/** Why an entry no longer fits the source; undefined where it does. */
export const misfit = ({ find, replace }: Mutation, source: string): string | undefined => {
  const found = source.split(find).length - 1;
  if (found !== 1) return `its text is found ${String(found)} times`;
  return find === replace ? 'it changes nothing' : undefined;
};

type Entry = readonly [id: string, promise: string, find: string, replace: string, test: string];

/** Several protections of one file. */
export const inFile = (file: string, entries: readonly Entry[]): readonly Mutation[] =>
  entries.map(([id, promise, find, replace, test]) => ({ id, promise, file, find, replace, test }));
