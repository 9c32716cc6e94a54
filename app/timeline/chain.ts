import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import type { SessionId, TimelineEvent } from '../contract/index.ts';

/** SHA-256, as it is chained and stored. */
export type ChainHash = Uint8Array;

const HASH_FORMAT = 'glovebox timeline 1';

/** What the first event is chained to: bound to the session, so that no record passes for another's. */
export const firstHash = (session: SessionId): ChainHash =>
  createHash('sha256').update(`${HASH_FORMAT}\n${session}`).digest();

/** `SHA-256(previous hash || canonical JSON)`. */
export const nextHash = (previous: ChainHash, json: string): ChainHash =>
  createHash('sha256').update(previous).update(json, 'utf8').digest();

/** The one JSON text of an event (RFC 8785). Throws on what has none, such as NaN or half a character. */
export const canonicalJson = (event: TimelineEvent): string => {
  const json = canonicalize(event);
  if (json === undefined) throw new Error('an event has no JSON');
  return json;
};

const isHalf = /[\ud800-\udfff]/u;

/** The same value with half characters (a pair cut in two at some cap) replaced: canonical JSON has none. */
export const wellFormed = (value: unknown): unknown => {
  if (typeof value === 'string') return isHalf.test(value) ? value.toWellFormed() : value;
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, wellFormed(inner)]));
};

export const sameHash = (one: ChainHash, other: ChainHash): boolean =>
  one.length === other.length && one.every((byte, index) => other[index] === byte);
