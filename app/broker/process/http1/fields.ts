import { fieldName } from '../field-name.ts';
import type { HeaderPairs } from '../request.ts';
import { malformed, type Malformed } from './malformed.ts';

/** Most fields of one header or trailer section that comes from a server. */
export const MAX_ANSWER_FIELDS = 2000;

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const SPACE = 0x20;
const TAB = 0x09;

const isSpace = (code: number): boolean => code === SPACE || code === TAB;

/** A line from a place on without the blanks around. By hand: an expression would go over inner blanks again and again. */
const trimmed = (line: string, from: number): string => {
  let start = from;
  let end = line.length;
  while (start < end && isSpace(line.charCodeAt(start))) start += 1;
  while (end > start && isSpace(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
};

/**
 * Reads the field lines of a section (RFC 9112 5), spelling and order kept. Strict: a name is a token right
 * before its colon, a line is never folded, and nothing has control characters in it.
 */
export const readFields = (lines: readonly string[]): HeaderPairs | Malformed => {
  if (lines.length > MAX_ANSWER_FIELDS) return malformed('too many header fields');
  const pairs: (readonly [string, string])[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? '' : line.slice(0, colon);
    if (fieldName(name) === undefined) return malformed('a header field without a name');
    if (CONTROL.test(line)) return malformed('a header field with control characters');
    pairs.push([name, trimmed(line, colon + 1)]);
  }
  return pairs;
};
