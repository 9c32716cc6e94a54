const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A random id of Crockford base-32 characters; twelve carry 60 bits. Short, for socket paths and labels. */
export const randomId = (length = 12): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => ALPHABET.charAt(byte & 31)).join('');
};
