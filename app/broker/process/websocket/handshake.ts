import { createHash } from 'node:crypto';
import { fail, ok, type Result } from '../../../kit/index.ts';
import { withoutHopByHop } from '../hop.ts';
import type { HeaderPairs } from '../inject.ts';
import type { Refusal } from '../refuse.ts';
import type { UpgradeRequest } from '../upgrade.ts';

/** Most subprotocols that one handshake may offer. */
export const MAX_SUBPROTOCOLS = 64;

/** RFC 6455 1.3: what the server shows that it knows. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

const valuesOf = (headers: HeaderPairs, wanted: string): string[] =>
  headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value.trim());

const tokensOf = (headers: HeaderPairs, wanted: string): string[] =>
  valuesOf(headers, wanted)
    .flatMap((value) => value.split(','))
    .map((token) => token.trim())
    .filter((token) => token !== '');

/** What of a handshake the answer has to fit. */
export type Handshake = {
  /** Undefined on HTTP/2. */
  readonly key: string | undefined;
  readonly protocols: readonly string[];
};

const bad = (message: string): Result<never, Refusal> =>
  fail('egress.bad-request', `The WebSocket handshake is malformed: ${message}.`);

const offered = (headers: HeaderPairs): Result<readonly string[], Refusal> => {
  const protocols = tokensOf(headers, 'sec-websocket-protocol');
  return protocols.length > MAX_SUBPROTOCOLS
    ? bad('it offers too many subprotocols')
    : ok(protocols);
};

/** Reads a handshake (RFC 6455 4.2.1; RFC 8441 5 for HTTP/2, which has no key). */
export const readHandshake = (request: UpgradeRequest): Result<Handshake, Refusal> => {
  const { method, headers, version } = request;
  if (method !== (version === 'h1' ? 'GET' : 'CONNECT')) return bad('its method is not right');
  for (const name of ['content-length', 'transfer-encoding', 'expect']) {
    if (valuesOf(headers, name).length > 0) return bad(`it has the field ${name}`);
  }
  const versions = valuesOf(headers, 'sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== '13') return bad('its version is not 13');
  const protocols = offered(headers);
  if (!protocols.ok) return protocols;
  const keys = valuesOf(headers, 'sec-websocket-key');
  if (version === 'h2') return ok({ key: undefined, protocols: protocols.value });
  const [key] = keys;
  if (key === undefined || keys.length > 1 || !KEY.test(key))
    return bad('its key is not sixteen bytes');
  return ok({ key, protocols: protocols.value });
};

/**
 * What of a handshake goes upstream. Where frames must be read no extension is offered, for a
 * compressed frame shows nothing; else what the program offered stays.
 */
export const upstreamHandshake = (headers: HeaderPairs, read: boolean): HeaderPairs =>
  headers.filter(([rawName]) => {
    const name = rawName.toLowerCase();
    return !(read && name === 'sec-websocket-extensions');
  });

/** What the server has to answer to a key (RFC 6455 4.2.2). */
export const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}${GUID}`).digest('base64');

const wrong = (message: string): Result<never, Refusal> =>
  fail('egress.websocket-handshake', `The server’s WebSocket handshake is not right: ${message}.`);

/** What an answer without a body does not need. */
const OF_A_BODY = new Set(['content-length', 'content-type', 'trailer']);

/** Whether an extension was agreed on, which may use the reserved bits. */
export const isExtended = (headers: HeaderPairs): boolean =>
  tokensOf(headers, 'sec-websocket-extensions').length > 0;

/**
 * Judges the answer to a handshake (RFC 6455 4.1; RFC 8441 5): right in every point, or the
 * WebSocket does not come about. `redact` takes secrets out, as a subprotocol may hold one.
 */
export const readHandshakeAnswer = (
  { key, protocols }: Handshake,
  answer: { readonly status: number; readonly headers: HeaderPairs },
  read: boolean,
  redact: (text: string) => string,
): Result<HeaderPairs, Refusal> => {
  const { status, headers } = answer;
  if (key === undefined) {
    if (status !== 200) return wrong('its status is not 200');
  } else {
    const upgrade = valuesOf(headers, 'upgrade');
    const accepts = valuesOf(headers, 'sec-websocket-accept');
    if (status !== 101) return wrong('its status is not 101');
    if (upgrade.length !== 1 || upgrade[0]?.toLowerCase() !== 'websocket')
      return wrong('it upgrades to something else');
    if (!tokensOf(headers, 'connection').some((token) => token.toLowerCase() === 'upgrade'))
      return wrong('its Connection header does not say Upgrade');
    if (accepts.length !== 1 || accepts[0] !== acceptOf(key))
      return wrong('its Sec-WebSocket-Accept does not fit the key');
  }
  const chosen = valuesOf(headers, 'sec-websocket-protocol');
  if (chosen.length > 1 || (chosen[0] !== undefined && !protocols.includes(redact(chosen[0]))))
    return wrong('it chose a subprotocol that was not offered');
  if (read && isExtended(headers)) return wrong('it uses an extension that was not offered');
  const kept = withoutHopByHop(headers).filter(([name]) => !OF_A_BODY.has(name.toLowerCase()));
  return ok(
    key === undefined ? kept : [...kept, ['Connection', 'Upgrade'], ['Upgrade', 'websocket']],
  );
};
