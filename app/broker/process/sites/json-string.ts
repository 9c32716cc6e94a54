import { fail, ok, type Result } from '../../../kit/index.ts';

/** Deepest nesting of a JSON body that is read. */
export const MAX_JSON_DEPTH = 128;

/** Where a string stands in a JSON text, quotes included, and what it says. */
export type JsonString = { readonly from: number; readonly to: number; readonly value: string };

const SPACE = /[\t\n\r ]*/y;
const SCALAR = /[^\s,\]}]+/y;

const unreadable = (why: string): Result<never> => fail('egress.bad-request', `The JSON ${why}.`);

/**
 * Finds the string that a pointer (RFC 6901) names in a JSON text (RFC 8259); undefined where there
 * is none. Fails on what is no JSON, is nested too deep, or names a key twice in one object (in any
 * case of letters: some servers do not tell them apart), for servers differ in which they take.
 */
export const findJsonString = (text: string, pointer: string): Result<JsonString | undefined> => {
  try {
    JSON.parse(text);
  } catch {
    // From here on the text is known to be JSON, and the walk below need not doubt it.
    return unreadable('cannot be read');
  }
  const wanted = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  let at = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const [found = ''] = pattern.exec(text) ?? [];
    at += found.length;
    return found;
  };
  /** Where the string that begins here ends: behind the first quote that no odd run of backslashes escapes. */
  const skipString = (): void => {
    for (;;) {
      at = text.indexOf('"', at + 1);
      let backslashes = 0;
      while (text[at - 1 - backslashes] === '\\') backslashes += 1;
      if (backslashes % 2 === 0) break;
    }
    at += 1;
  };
  const open: { readonly keys: Set<string> | undefined; index: number; readonly fits: boolean }[] =
    [];
  let found: JsonString | undefined;
  /** Whether the value that comes next is on the way to the one that is wanted. */
  let fits = true;
  const enter = (key: string): boolean => {
    const parent = open.at(-1);
    return parent !== undefined && parent.fits && wanted[open.length - 1] === key;
  };

  for (;;) {
    take(SPACE);
    const character = text[at];
    if (character === undefined) return ok(found);
    const parent = open.at(-1);
    if (character === '{' || character === '[') {
      if (open.length >= MAX_JSON_DEPTH) return unreadable('is nested too deep');
      open.push({ keys: character === '{' ? new Set() : undefined, index: 0, fits });
      at += 1;
      if (character === '[') fits = enter('0');
    } else if (character === '}' || character === ']') {
      open.pop();
      at += 1;
    } else if (character === ',') {
      at += 1;
      if (parent !== undefined && parent.keys === undefined) {
        parent.index += 1;
        fits = enter(String(parent.index));
      }
    } else if (character === '"') {
      const from = at;
      skipString();
      const to = at;
      const read = (): string => JSON.parse(text.slice(from, to)) as string;
      take(SPACE);
      if (text[at] === ':') {
        at += 1;
        const key = read();
        const folded = key.toLowerCase();
        if (parent?.keys?.has(folded) === true) return unreadable('names a key twice');
        parent?.keys?.add(folded);
        fits = enter(key);
      } else if (fits && open.length === wanted.length) {
        found = { from, to, value: read() };
      }
    } else {
      take(SCALAR);
    }
  }
};
