import { fieldOf, lowerName } from './field-name.ts';
import { withoutHopByHop } from './hop.ts';
import type { HeaderPairs } from './inject.ts';
import type { RequestHead } from './request-head.ts';

export type CallHeadersOptions = {
  /** The answer has to be readable, and whole where a credential goes along. */
  readonly readable: boolean;
  readonly injected: boolean;
  /** Signed as it stands: no field may go or change. */
  readonly sealed: boolean;
  /** The body is in our hands already: nothing is left to wait for. */
  readonly held: boolean;
  readonly framing: RequestHead['framing'];
  readonly version: 'h1' | 'h2';
};

/** Fields with which a client says what content codings it can read; gRPC has its own. */
const CODINGS = new Set(['accept-encoding', 'grpc-accept-encoding']);
const RANGES = new Set(['range', 'if-range']);

/** The header section as it goes upstream: framing left to the connection, the client's in all else. */
export const callHeaders = (
  headers: HeaderPairs,
  { readable, injected, sealed, held, framing, version }: CallHeadersOptions,
): HeaderPairs => {
  const kept: (readonly [string, string])[] = [];
  for (const pair of withoutHopByHop(headers)) {
    const name = lowerName(pair[0]);
    if (name === 'content-length' || (held && name === 'expect')) continue;
    // HTTP/2 says the host in its own place.
    if (name === 'host' && version === 'h2') continue;
    // Announced trailers go with chunks alone; Node refuses to write such a request otherwise.
    if (name === 'trailer' && version === 'h1' && framing.type !== 'chunked') continue;
    // Pieces of an answer that may hold a secret could be asked for one by one.
    if ((injected || readable) && !sealed && RANGES.has(name)) continue;
    kept.push(readable && !sealed && CODINGS.has(name) ? [pair[0], 'identity'] : pair);
  }
  // The one use of TE that HTTP/2 has left (RFC 9113 8.2.2), and gRPC insists on it.
  if (version === 'h2' && fieldOf(headers, 'te')?.toLowerCase() === 'trailers')
    kept.push(['te', 'trailers']);
  return kept;
};

/** Names of the fields whose values were changed from what the program sent, lower case. */
export const changedFields = (sent: HeaderPairs, now: HeaderPairs): readonly string[] => {
  const before = new Set(sent.map(([name, value]) => `${name}: ${value}`));
  return now
    .filter(([name, value]) => !before.has(`${name}: ${value}`))
    .map(([name]) => name.toLowerCase());
};
