import type { OutgoingHttpHeaders } from 'node:http2';
import type { HeaderPairs } from './request.ts';
import { pairsOf } from './request-head.ts';

/** Pairs of a raw header list, pseudo-header fields left out. */
export const withoutPseudo = (raw: readonly string[]): HeaderPairs =>
  pairsOf(raw).filter(([name]) => !name.startsWith(':'));

/** Pairs as the object that Node takes for trailers and interim answers: repeated names as lists. */
export const headersOf = (pairs: HeaderPairs): OutgoingHttpHeaders => {
  const lists = new Map<string, string[]>();
  for (const [rawName, value] of pairs) {
    const name = rawName.toLowerCase();
    const there = lists.get(name);
    if (there === undefined) lists.set(name, [value]);
    else there.push(value);
  }
  return Object.fromEntries(
    Array.from(lists, ([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
};
