const HEX = '0123456789ABCDEF';

/** Reads percent escapes once, as UTF-8; what is broken stays as it is. */
export const percentDecode = (text: string): string => {
  if (!text.includes('%')) return text;
  const bytes: number[] = [];
  const raw = Buffer.from(text);
  for (let at = 0; at < raw.length; at += 1) {
    const escape = raw[at] === 0x25 ? raw.toString('latin1', at + 1, at + 3) : '';
    if (/^[0-9a-f]{2}$/i.test(escape)) {
      bytes.push(Number.parseInt(escape, 16));
      at += 2;
    } else {
      bytes.push(raw[at] ?? 0);
    }
  }
  return Buffer.from(bytes).toString('utf8');
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
