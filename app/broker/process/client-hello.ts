/** Most bytes of a ClientHello, record headers included; browsers with post-quantum shares need about 2 KiB. */
export const MAX_CLIENT_HELLO_BYTES = 32_768;
/** Most ALPN names read from one ClientHello. */
export const MAX_ALPN_NAMES = 32;

const RECORD_HEADER_BYTES = 5;
const MAX_RECORD_BYTES = 16_384;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
/** Encrypted ClientHello (RFC 9849). */
const ENCRYPTED_HELLO = 0xfe0d;

/** What a client said before anything is encrypted. */
export type ClientHello = {
  /** The DNS name of the SNI extension, as sent; undefined where there is none. */
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
  /** It carries an encrypted ClientHello, or the semblance of one: the name in sight may not be the true one. */
  readonly encrypted: boolean;
};

export type ClientHelloReading =
  | { readonly type: 'more' }
  | { readonly type: 'bad'; readonly why: string }
  | { readonly type: 'hello'; readonly hello: ClientHello };

const bad = (why: string): ClientHelloReading => ({ type: 'bad', why });

/** A cursor that cannot run past its end: each read says so with undefined. */
const reader = (bytes: Buffer) => {
  let at = 0;
  const take = (length: number): Buffer | undefined => {
    if (length > bytes.length - at) return undefined;
    const part = bytes.subarray(at, at + length);
    at += length;
    return part;
  };
  const number = (length: number): number | undefined => take(length)?.readUIntBE(0, length);
  const vector = (lengthBytes: number): Buffer | undefined => {
    const length = number(lengthBytes);
    return length === undefined ? undefined : take(length);
  };
  return { take, number, vector, left: () => bytes.length - at };
};

const TOO_LARGE = { why: 'the ClientHello is too large' } as const;

/** The bytes of the first handshake message, put together over records (RFC 8446 5.1). */
const firstHandshake = (bytes: Buffer): Buffer | { readonly why: string } | undefined => {
  const parts: Buffer[] = [];
  let have = 0;
  let at = 0;
  let want: number | undefined;
  for (;;) {
    if (bytes.length - at < RECORD_HEADER_BYTES) return undefined;
    if (at + RECORD_HEADER_BYTES > MAX_CLIENT_HELLO_BYTES) return TOO_LARGE;
    if (bytes[at] !== HANDSHAKE) return { why: 'a record is not a handshake record' };
    if (bytes[at + 1] !== 3 || (bytes[at + 2] ?? 255) > 4)
      return { why: 'the record version is not TLS' };
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD_BYTES)
      return { why: 'a record has an impossible length' };
    // Here too, so that the verdict does not depend on how much has come at once.
    if (at + RECORD_HEADER_BYTES + length > MAX_CLIENT_HELLO_BYTES) return TOO_LARGE;
    if (bytes.length - at - RECORD_HEADER_BYTES < length) return undefined;
    parts.push(bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length));
    have += length;
    at += RECORD_HEADER_BYTES + length;
    if (have < 4) continue;
    // Once: put together for each record, many small ones would take time by their square.
    if (want === undefined) {
      const head = Buffer.concat(parts);
      if (head[0] !== CLIENT_HELLO)
        return { why: 'the first handshake message is not a ClientHello' };
      want = 4 + head.readUIntBE(1, 3);
    }
    if (want > MAX_CLIENT_HELLO_BYTES) return TOO_LARGE;
    if (have > want) return { why: 'data follows the ClientHello in its record' };
    if (have === want) return Buffer.concat(parts).subarray(4);
  }
};

const parseServerName = (data: Buffer): string | undefined | false => {
  const list = reader(data);
  const names = list.vector(2);
  if (names === undefined || list.left() !== 0) return false;
  const entries = reader(names);
  // One entry of type host_name; RFC 6066 knows no other and forbids two of a type.
  if (entries.number(1) !== 0) return false;
  const name = entries.vector(2);
  if (name === undefined || name.length === 0 || entries.left() !== 0) return false;
  if (name.some((byte) => byte <= 0x20 || byte >= 0x7f)) return false;
  return name.toString('latin1');
};

const parseAlpn = (data: Buffer): readonly string[] | undefined => {
  const outer = reader(data);
  const list = outer.vector(2);
  if (list === undefined || outer.left() !== 0) return undefined;
  const names: string[] = [];
  const entries = reader(list);
  while (entries.left() > 0) {
    const name = entries.vector(1);
    if (name === undefined || name.length === 0 || names.length >= MAX_ALPN_NAMES) return undefined;
    names.push(name.toString('latin1'));
  }
  return names;
};

/**
 * Reads SNI and ALPN out of the first bytes of a connection (RFC 8446 4.1.2, RFC 6066, RFC 7301).
 * Never throws; asks for more bytes until the message is whole or past its cap.
 */
export const readClientHello = (bytes: Buffer): ClientHelloReading => {
  const body = firstHandshake(bytes);
  if (body === undefined) {
    return bytes.length > MAX_CLIENT_HELLO_BYTES ? bad(TOO_LARGE.why) : { type: 'more' };
  }
  if ('why' in body) return bad(body.why);
  const hello = reader(body);
  const version = hello.number(2);
  const random = hello.take(32);
  const session = hello.vector(1);
  const suites = hello.vector(2);
  const compression = hello.vector(1);
  if (
    version === undefined ||
    random === undefined ||
    session === undefined ||
    session.length > 32 ||
    suites === undefined ||
    suites.length % 2 !== 0 ||
    compression === undefined
  ) {
    return bad('the ClientHello is cut short');
  }
  if (hello.left() === 0)
    return { type: 'hello', hello: { serverName: undefined, alpn: [], encrypted: false } };
  const extensions = hello.vector(2);
  if (extensions === undefined || hello.left() !== 0) return bad('the extensions are cut short');
  let serverName: string | undefined;
  let alpn: readonly string[] = [];
  const seen = new Set<number>();
  const list = reader(extensions);
  while (list.left() > 0) {
    const type = list.number(2);
    const data = list.vector(2);
    if (type === undefined || data === undefined) return bad('an extension is cut short');
    if (seen.has(type)) return bad('an extension occurs twice');
    seen.add(type);
    if (type === SERVER_NAME) {
      const name = parseServerName(data);
      if (name === false) return bad('the server name is malformed');
      serverName = name;
    } else if (type === ALPN) {
      const names = parseAlpn(data);
      if (names === undefined) return bad('the ALPN list is malformed');
      alpn = names;
    }
  }
  return {
    type: 'hello',
    hello: { serverName, alpn, encrypted: seen.has(ENCRYPTED_HELLO) },
  };
};
