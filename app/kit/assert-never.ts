/** Closes a switch over a union: a new member fails to compile here, and throws if it arrives anyway. */
export const assertNever = (value: never, why: string): never => {
  throw new Error(`${why}: unexpected ${JSON.stringify(value)}`);
};
