const HEX = '0123456789ABCDEF';

const digit = (byte: number | undefined): number =>
  byte === undefined ? -1 : HEX.indexOf(String.fromCharCode(byte).toUpperCase());

/** Reads percent escapes once, as UTF-8; what is broken stays as it is. */
export const percentDecode = (text: string): string => {
  if (!text.includes('%')) return text;
  const raw = Buffer.from(text);
  let length = 0;
  for (let at = 0; at < raw.length; at += 1) {
    const high = raw[at] === 0x25 ? digit(raw[at + 1]) : -1;
    const low = high < 0 ? -1 : digit(raw[at + 2]);
    // What was read is never longer than what it was read from.
    raw[length] = low < 0 ? (raw[at] ?? 0) : high * 16 + low;
    if (low >= 0) at += 2;
    length += 1;
  }
  return raw.toString('utf8', 0, length);
};

/** Percent-encodes all but letters, digits and the characters in `keep` (RFC 3986 2.1). */
export const percentEncode = (text: string, keep: string): string => {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    encoded +=
      /[A-Za-z0-9]/.test(character) || keep.includes(character)
        ? character
        : `%${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`;
  }
  return encoded;
};
