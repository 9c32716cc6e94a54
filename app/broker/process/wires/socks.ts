import { formatAddress, parseHost } from '../../../policy/enforce.ts';
import type { CanonicalHost } from '../../../policy/index.ts';

/** Most bytes of one SOCKS message: a SOCKS4a request with a long user id and a long name. */
export const MAX_SOCKS_BYTES = 1024;
/** Most characters of a SOCKS4 user id. */
export const MAX_SOCKS_USER_CHARS = 255;

/** Versions as the first byte says them. */
export const SOCKS5 = 5;
export const SOCKS4 = 4;

/** Methods of authentication (RFC 1928 3). */
export const SOCKS_METHOD = { none: 0x00, password: 0x02, refused: 0xff } as const;

/** Replies of RFC 1928 6 that are given here. */
export const SOCKS_REPLY = {
  succeeded: 0x00,
  failed: 0x01,
  notAllowed: 0x02,
  commandRefused: 0x07,
  addressRefused: 0x08,
} as const;

export type SocksTarget = { readonly host: CanonicalHost; readonly port: number };
type More = { readonly type: 'more' };
type Bad = { readonly type: 'bad'; readonly why: string };

const MORE: More = { type: 'more' };
const bad = (why: string): Bad => ({ type: 'bad', why });

export type SocksGreeting =
  | More
  | Bad
  | { readonly type: 'greeting'; readonly methods: readonly number[]; readonly used: number };

/** Reads the client's greeting: version and methods (RFC 1928 3). */
export const readSocksGreeting = (bytes: Buffer): SocksGreeting => {
  const [version, count] = bytes;
  if (version === undefined) return MORE;
  if (version !== SOCKS5) return bad('the greeting is not SOCKS5');
  if (count === undefined) return MORE;
  if (count === 0) return bad('the greeting offers no method');
  const used = 2 + count;
  if (bytes.length < used) return MORE;
  return { type: 'greeting', methods: Array.from(bytes.subarray(2, used)), used };
};

export type SocksLogin =
  | More
  | Bad
  | {
      readonly type: 'login';
      readonly user: string;
      readonly password: string;
      readonly used: number;
    };

/** Reads user name and password (RFC 1929 2). */
export const readSocksLogin = (bytes: Buffer): SocksLogin => {
  const [version, userLength] = bytes;
  if (version === undefined) return MORE;
  if (version !== 1) return bad('the login has an unknown version');
  if (userLength === undefined) return MORE;
  const passwordLength = bytes[2 + userLength];
  if (passwordLength === undefined) return MORE;
  const used = 3 + userLength + passwordLength;
  if (bytes.length < used) return MORE;
  return {
    type: 'login',
    user: bytes.toString('latin1', 2, 2 + userLength),
    password: bytes.toString('latin1', 3 + userLength, used),
    used,
  };
};

export type SocksRequest =
  | More
  | (Bad & { readonly reply: number })
  | {
      readonly type: 'request';
      readonly target: SocksTarget;
      /** The user id of SOCKS4; empty for SOCKS5. */
      readonly user: string;
      readonly used: number;
    };

const badRequest = (
  why: string,
  reply: number = SOCKS_REPLY.failed,
): Bad & { readonly reply: number } => ({ type: 'bad', why, reply });

const IPV4 = 1;
const DOMAIN = 3;
const IPV6 = 4;
const CONNECT = 1;

const target = (
  hostText: string,
  port: number,
  user: string,
  used: number,
): Exclude<SocksRequest, More> => {
  const host = parseHost(hostText);
  if (!host.ok) return badRequest('the request names no valid host', SOCKS_REPLY.addressRefused);
  if (port === 0) return badRequest('the request names port 0');
  return { type: 'request', target: { host: host.value, port }, user, used };
};

/** Reads a SOCKS5 request (RFC 1928 4): CONNECT alone, to an IPv4 or IPv6 address or to a name. */
export const readSocksRequest = (bytes: Buffer): SocksRequest => {
  if (bytes.length < 5) return MORE;
  const [version, command, reserved, type, first = 0] = bytes;
  if (version !== SOCKS5 || reserved !== 0) return badRequest('the request is not SOCKS5');
  if (type !== IPV4 && type !== DOMAIN && type !== IPV6) {
    return badRequest('the request has an unknown sort of address', SOCKS_REPLY.addressRefused);
  }
  const from = type === DOMAIN ? 5 : 4;
  const length = type === IPV4 ? 4 : type === IPV6 ? 16 : first;
  const used = from + length + 2;
  if (bytes.length < used) return MORE;
  if (command !== CONNECT) {
    return badRequest('only CONNECT is served, not BIND or UDP', SOCKS_REPLY.commandRefused);
  }
  const host = bytes.subarray(from, from + length);
  const port = bytes.readUInt16BE(from + length);
  return target(
    type === DOMAIN ? host.toString('latin1') : formatAddress(Array.from(host)),
    port,
    '',
    used,
  );
};

/** Reads a SOCKS4 or SOCKS4a request: CONNECT alone, to an IPv4 address or, with 4a, to a name. */
export const readSocks4Request = (bytes: Buffer): SocksRequest => {
  if (bytes.length < 9) return MORE;
  const [version, command] = bytes;
  if (version !== SOCKS4) return badRequest('the request is not SOCKS4');
  const userEnd = bytes.indexOf(0, 8);
  if (userEnd < 0) {
    return bytes.length > 8 + MAX_SOCKS_USER_CHARS ? badRequest('the user id is too long') : MORE;
  }
  if (userEnd > 8 + MAX_SOCKS_USER_CHARS) return badRequest('the user id is too long');
  const user = bytes.toString('latin1', 8, userEnd);
  const port = bytes.readUInt16BE(2);
  const address = Array.from(bytes.subarray(4, 8)).join('.');
  // 0.0.0.x, x not 0: the name follows (SOCKS4a).
  const named = address.startsWith('0.0.0.') && address !== '0.0.0.0';
  const nameEnd = named ? bytes.indexOf(0, userEnd + 1) : userEnd;
  if (nameEnd < 0) return MORE;
  if (command !== CONNECT) return badRequest('only CONNECT is served, not BIND');
  const name = named ? bytes.toString('latin1', userEnd + 1, nameEnd) : address;
  return target(name, port, user, nameEnd + 1);
};

/** The server's choice of method (RFC 1928 3). */
export const socksMethod = (method: number): Buffer => Buffer.from([SOCKS5, method]);

/** The answer to a login (RFC 1929 2). */
export const socksLoginAnswer = (accepted: boolean): Buffer => Buffer.from([1, accepted ? 0 : 1]);

/** A SOCKS5 reply; the address bound is never told, it would mean nothing inside. */
export const socksReply = (reply: number): Buffer =>
  Buffer.from([SOCKS5, reply, 0, IPV4, 0, 0, 0, 0, 0, 0]);

/** A SOCKS4 reply: granted or refused. */
export const socks4Reply = (granted: boolean): Buffer =>
  Buffer.from([0, granted ? 90 : 91, 0, 0, 0, 0, 0, 0]);
