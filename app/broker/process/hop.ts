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

/** Drops what belongs to the connection alone, the fields that `Connection` names among it. */
export const withoutHopByHop = (headers: HeaderPairs): HeaderPairs => {
  const named = new Set<string>();
  for (const [name, value] of headers) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const token of value.split(',')) named.add(token.trim().toLowerCase());
  }
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
    const name = rawName.toLowerCase();
    return !HOP_BY_HOP.has(name) && !named.has(name);
  });
};
