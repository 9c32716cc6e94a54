/** Certificates begin this long ago, for clocks inside that are a little behind. */
export const BACKDATE_MS = 60 * 60 * 1000;

/** Sixteen random bytes as hex, positive (RFC 5280 4.1.2.2). */
export const randomSerial = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString('hex');
};
