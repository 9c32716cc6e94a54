const CHUNK_BYTES = 64 * 1024;

/** Text as services send it: JSON with words, numbers and base64, the same in every run. */
export const textChunk = () => {
  let seed = 1;
  const next = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const digits = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/';
  const word = (length) =>
    Array.from({ length }, () => digits[Math.floor(next() * digits.length)]).join('');
  let text = '';
  while (text.length < CHUNK_BYTES) {
    text += `{"id":"${word(12)}","size":${Math.floor(next() * 1e6)},"text":"the ${word(5)} of a ${word(7)} in ${word(4)}","data":"${word(64)}"}\n`;
  }
  return Buffer.from(text.slice(0, CHUNK_BYTES));
};
