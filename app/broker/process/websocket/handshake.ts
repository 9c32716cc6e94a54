import { createHash } from 'node:crypto';
import { fail, ok, type Result } from '../../../kit/index.ts';
import { withoutHopByHop } from '../hop.ts';
import type { HeaderPairs } from '../inject.ts';
import type { Refusal } from '../refuse.ts';

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

const isUpgrade = (headers: HeaderPairs): boolean =>
  tokensOf(headers, 'connection').some((token) => token.toLowerCase() === 'upgrade');

/**
 * Whether a request asks for a WebSocket and nothing else. All other upgrades are not: `h2c` is then
 * an ordinary request, for the offer may be ignored (RFC 9110 7.8); the rest is refused as such.
 */
export const asksForWebSocket = (headers: HeaderPairs): boolean => {
  const upgrade = valuesOf(headers, 'upgrade');
  return upgrade.length === 1 && upgrade[0]?.toLowerCase() === 'websocket' && isUpgrade(headers);
};

/** What of a handshake the answer has to fit. */
export type Handshake = { readonly key: string; readonly protocols: readonly string[] };

/** The part of a judged request that a handshake is read from. */
export type HandshakeRequest = {
  readonly method: string;
  readonly headers: HeaderPairs;
  readonly framing: { readonly type: string };
};

const bad = (message: string): Result<never, Refusal> =>
  fail('egress.bad-request', `The WebSocket handshake is malformed: ${message}.`);

/** Reads a handshake of HTTP/1.1 (RFC 6455 4.2.1); its headers are those that go upstream. */
export const readHandshake = (request: HandshakeRequest): Result<Handshake, Refusal> => {
  const { method, headers, framing } = request;
  if (method !== 'GET') return bad('its method is not GET');
  if (framing.type !== 'none') return bad('it has a body');
  if (valuesOf(headers, 'expect').length > 0) return bad('it has an Expect header');
  const versions = valuesOf(headers, 'sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== '13') return bad('its version is not 13');
  const [key, ...more] = valuesOf(headers, 'sec-websocket-key');
  if (key === undefined || more.length > 0 || !KEY.test(key)) return bad('its key is not sixteen bytes');
  const protocols = tokensOf(headers, 'sec-websocket-protocol');
  if (protocols.length > MAX_SUBPROTOCOLS) return bad('it offers too many subprotocols');
  return ok({ key, protocols });
};

/**
 * The header section of a handshake as it goes upstream. Where frames must be read no extension is
 * offered, for a compressed frame shows nothing; else what the program offered stays.
 */
export const upstreamHandshake = (headers: HeaderPairs, read: boolean): HeaderPairs => [
  ...withoutHopByHop(headers).filter(([rawName]) => {
    const name = rawName.toLowerCase();
    if (name === 'content-length') return false;
    return !(read && (name === 'sec-websocket-extensions' || name === 'accept-encoding'));
  }),
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
];

/** What the server has to answer to a key (RFC 6455 4.2.2). */
export const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}${GUID}`).digest('base64');

export type HandshakeAnswer = {
  /** The header section for the program, not yet scrubbed. */
  readonly headers: HeaderPairs;
  /** Whether an extension was agreed on, which may use the reserved bits. */
  readonly extended: boolean;
};

const wrong = (message: string): Result<never, Refusal> =>
  fail('egress.websocket-handshake', `The server’s WebSocket handshake is not right: ${message}.`);

/** Never part of a 101 for the program: it has no body, and what would lead past the broker is dropped. */
const NOT_PASSED = new Set(['content-length', 'content-type', 'trailer']);

/** Judges a 101 (RFC 6455 4.1): right in every point, or the WebSocket does not come about. */
export const readHandshakeAnswer = (
  { key, protocols }: Handshake,
  headers: HeaderPairs,
  read: boolean,
): Result<HandshakeAnswer, Refusal> => {
  const upgrade = valuesOf(headers, 'upgrade');
  if (upgrade.length !== 1 || upgrade[0]?.toLowerCase() !== 'websocket')
    return wrong('it upgrades to something else');
  if (!isUpgrade(headers)) return wrong('its Connection header does not say Upgrade');
  const accepts = valuesOf(headers, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== acceptOf(key))
    return wrong('its Sec-WebSocket-Accept does not fit the key');
  const chosen = valuesOf(headers, 'sec-websocket-protocol');
  if (chosen.length > 1 || (chosen[0] !== undefined && !protocols.includes(chosen[0])))
    return wrong('it chose a subprotocol that was not offered');
  const extended = tokensOf(headers, 'sec-websocket-extensions').length > 0;
  if (read && extended) return wrong('it uses an extension that was not offered');
  return ok({
    extended,
    headers: [
      ...withoutHopByHop(headers).filter(([name]) => !NOT_PASSED.has(name.toLowerCase())),
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
    ],
  });
};

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** A 101 as bytes; fields that cannot be written again are left out. */
export const switchingMessage = (headers: HeaderPairs): Buffer => {
  const lines = headers
    .filter(([name, value]) => FIELD_NAME.test(name) && FIELD_VALUE.test(value))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`, 'latin1');
};
