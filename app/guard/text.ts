const BACKSLASH = 0x5c;
const decoder = new TextDecoder('utf-8', { fatal: true });

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

/** Bytes of the UTF-8 character that begins at `at`, or 0 where none does. */
const characterBytes = (bytes: Buffer, at: number): number => {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    decoder.decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch {
    return 0;
  }
};

/**
 * Text for the bytes of a path or argument. Bytes that are no UTF-8 become `\xHH`; a text that has any
 * also doubles its backslashes, so that it can be told from a name that contains `\x` itself.
 */
export const textOf = (bytes: Buffer): string => {
  try {
    return decoder.decode(bytes);
  } catch {
    // The slow way below keeps what can be kept.
  }
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = characterBytes(bytes, at);
    const byte = bytes[at] ?? 0;
    if (length === 0) parts.push(hex(byte));
    else if (byte === BACKSLASH) parts.push('\\\\');
    else parts.push(bytes.toString('utf8', at, at + length));
    at += Math.max(1, length);
  }
  return parts.join('');
};
