import { lowerName } from './field-name.ts';
import type { HeaderPairs } from './inject.ts';

/** Fields that belong to one connection (RFC 9110 7.6.1), and Alt-Svc, which would lead past the broker. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'alt-svc',
]);

/** Words of `Connection` that name no field. */
const CONNECTION_WORDS = new Set(['keep-alive', 'close', 'upgrade', '']);

/** What `Connection` names beside its own words; undefined where that is nothing. */
const namedByConnection = (headers: HeaderPairs): Set<string> | undefined => {
  let named: Set<string> | undefined;
  for (const [name, value] of headers) {
    if (lowerName(name) !== 'connection') continue;
    for (const part of value.split(',')) {
      const token = part.trim().toLowerCase();
      if (!CONNECTION_WORDS.has(token)) (named ??= new Set()).add(token);
    }
  }
  return named;
};

/** Drops what belongs to the connection alone, the fields that `Connection` names among it. */
export const withoutHopByHop = (headers: HeaderPairs): HeaderPairs => {
  const named = namedByConnection(headers);
  if (named === undefined) return headers.filter(([name]) => !HOP_BY_HOP.has(lowerName(name)));
  // A peer may not strip what frames, routes or authorises the message by calling it hop-by-hop.
  for (const kept of [
    'host',
    'content-length',
    'authorization',
    'content-type',
    'content-encoding',
  ])
    named.delete(kept);
  return headers.filter(([rawName]) => {
    const name = lowerName(rawName);
    return !HOP_BY_HOP.has(name) && !named.has(name);
  });
};

/** Fields that may not come late: they frame, route, authorise or describe a body that is already gone (RFC 9110 6.5.1). */
const NEVER_A_TRAILER = new Set([
  ...HOP_BY_HOP,
  'host',
  'authorization',
  'cookie',
  'set-cookie',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'expect',
  'max-forwards',
  'range',
  'trailer',
  'location',
]);

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** Trailers without those that are forbidden as such, and without any that could not be written again. */
export const safeTrailers = (trailers: HeaderPairs): HeaderPairs =>
  trailers.filter(
    ([name, value]) =>
      !NEVER_A_TRAILER.has(lowerName(name)) && FIELD_NAME.test(name) && FIELD_VALUE.test(value),
  );
