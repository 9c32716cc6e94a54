import type { HeaderPairs } from './request.ts';

/** Most spellings of field names that are remembered. */
export const MAX_KNOWN_NAMES = 1024;
/** Longest spelling that is remembered, in characters. */
const MAX_KNOWN_CHARS = 64;

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const known = new Map<string, string>();

/**
 * A field's name in lower case, or undefined where it has characters that none has (RFC 9110 5.1).
 * The same few names come with every message, and looking one up is cheaper than reading it.
 */
export const fieldName = (name: string): string | undefined => {
  const found = known.get(name);
  if (found !== undefined) return found;
  if (!FIELD_NAME.test(name)) return undefined;
  const lower = name.toLowerCase();
  if (known.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_CHARS) known.set(name, lower);
  return lower;
};

/** The same for names that were looked at before; others are given in lower case as they are. */
export const lowerName = (name: string): string => fieldName(name) ?? name.toLowerCase();

/** The value of the first field of that name, given in lower case. */
export const fieldOf = (headers: HeaderPairs, wanted: string): string | undefined => {
  for (const [name, value] of headers) {
    if (name.length === wanted.length && lowerName(name) === wanted) return value;
  }
  return undefined;
};
