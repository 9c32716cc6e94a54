/** Letters and digits, in the order GitHub's and npm's checksums count them. */
export const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Characters that need no escaping in a URL (RFC 4648 5). */
export const URL_SAFE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Random text over an alphabet of at most 256 characters, each equally likely. */
export const randomText = (alphabet: string, length: number): string => {
  // Bytes beyond the largest multiple are thrown away, or the first characters would come more often.
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < fair && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
};

/** CRC-32 (ISO 3309) of ASCII text, as an unsigned number. */
export const crc32 = (text: string): number => {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
};

const base62 = (value: number, length: number): string => {
  let text = '';
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) {
    text = BASE62.charAt(rest % 62) + text;
  }
  return text;
};

/** A token of GitHub's and npm's form: prefix, 30 random characters, and their CRC-32 as six in base 62. */
export const checksummed = (prefix: string): string => {
  const random = randomText(BASE62, 30);
  return `${prefix}${random}${base62(crc32(random), 6)}`;
};
