import { METHODS } from '../node-http.ts';

const TLS_HANDSHAKE = 22;
const LF = 10;
const isSpace = (byte: number | undefined): boolean =>
  byte === 9 || byte === LF || byte === 13 || byte === 32;

/**
 * A request line without a version: HTTP/0.9 has none, and many a server, Node's too, reads whatever
 * fields and body follow such a line all the same.
 */
const VERSIONLESS = new RegExp(
  `^(?:${[...METHODS, 'PRI'].join('|')})[ \\t]+(?:[/*]|[A-Za-z][A-Za-z0-9+.-]*:)`,
);
/** A version in the first line, or what HTTP/0.9 had for one. */
const WEB_LINE = /\bHTTP\/[\d.]|^GET \//i;

/**
 * Whether bytes that are neither well-formed TLS nor HTTP are still so close that a lenient server may
 * take them for that: a broken ClientHello, a request line with white space before or after it, the
 * preface of HTTP/2. Undefined while only more bytes can tell.
 */
export const readWebLike = (bytes: Buffer): 'web' | 'other' | undefined => {
  let from = 0;
  while (from < bytes.length && isSpace(bytes[from])) from += 1;
  const first = bytes[from];
  if (first === undefined) return undefined;
  if (first === TLS_HANDSHAKE) return 'web';
  const isLetter = (first >= 65 && first <= 90) || (first >= 97 && first <= 122);
  if (!isLetter) return 'other';
  const end = bytes.indexOf(LF, from);
  const line = bytes.toString('latin1', from, end < 0 ? bytes.length : end);
  if (WEB_LINE.test(line) || VERSIONLESS.test(line)) return 'web';
  return end < 0 ? undefined : 'other';
};
