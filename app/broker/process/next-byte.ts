/** How far a byte is looked for by hand before the native search, whose call costs as much as this. */
const NEAR_BYTES = 12;

/** Where a byte stands next, from a place on; -1 where it does not. */
export const nextOf = (data: Buffer, byte: number, from: number): number => {
  const near = Math.min(from + NEAR_BYTES, data.length);
  for (let at = from; at < near; at += 1) if (data[at] === byte) return at;
  return near === data.length ? -1 : data.indexOf(byte, near);
};
