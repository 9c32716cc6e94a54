/** Most attempts at making one input smaller. */
export const MAX_ATTEMPTS = 600;

/** Leaves out ever smaller pieces of an input as long as it still fails. */
export const minimise = async (
  input: Buffer,
  fails: (input: Buffer) => Promise<boolean>,
  untilMs: number,
): Promise<Buffer> => {
  let smallest = input;
  let attempts = 0;
  for (let length = Math.ceil(input.length / 2); length >= 1; length = Math.floor(length / 2)) {
    for (let at = 0; at < smallest.length;) {
      if (attempts >= MAX_ATTEMPTS || performance.now() > untilMs) return smallest;
      attempts += 1;
      const shorter = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + length)]);
      if (await fails(shorter)) smallest = shorter;
      else at += length;
    }
  }
  return smallest;
};
