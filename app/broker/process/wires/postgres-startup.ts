/** Largest start-up packet, in bytes; the server's own limit. */
export const MAX_STARTUP_BYTES = 10_000;
/** Most parameters of one start-up packet. */
export const MAX_STARTUP_PARAMETERS = 64;

/** Codes that stand where a protocol version would (PostgreSQL protocol, Message Formats). */
export const SSL_REQUEST = 80_877_103;
export const GSSENC_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;

const PROTOCOL_MAJOR = 3;
const CANCEL_BYTES = 16;

export type StartupParameter = readonly [name: string, value: string];

/** What a PostgreSQL client says before anything else. */
export type Startup =
  | { readonly type: 'ssl' }
  | { readonly type: 'gssenc' }
  | { readonly type: 'cancel'; readonly processId: number; readonly key: number }
  | {
      readonly type: 'startup';
      /** Minor version of protocol 3 that the client would like. */
      readonly minor: number;
      readonly parameters: readonly StartupParameter[];
    };

export type StartupReading =
  | { readonly type: 'more' }
  | { readonly type: 'bad'; readonly why: string }
  | { readonly type: 'read'; readonly startup: Startup; readonly used: number };

const bad = (why: string): StartupReading => ({ type: 'bad', why });

const readParameters = (bytes: Buffer): readonly StartupParameter[] | { readonly why: string } => {
  const parameters: StartupParameter[] = [];
  let at = 0;
  const text = (): string | undefined => {
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    const value = bytes.toString('latin1', at, end);
    at = end + 1;
    return value;
  };
  for (;;) {
    const name = text();
    if (name === undefined) return { why: 'the start-up packet has no end' };
    if (name === '') break;
    const value = text();
    if (value === undefined) return { why: 'a start-up parameter has no value' };
    if (parameters.some(([other]) => other === name)) {
      return { why: 'a start-up parameter occurs twice' };
    }
    if (parameters.length >= MAX_STARTUP_PARAMETERS) {
      return { why: 'the start-up packet has too many parameters' };
    }
    parameters.push([name, value]);
  }
  return at === bytes.length ? parameters : { why: 'bytes follow the end of the start-up packet' };
};

/**
 * Reads the first packet of a PostgreSQL client (protocol 3, start-up phase): a request for
 * encryption, a cancel request, or the start-up message. Never throws; text is latin1, so that
 * writing it again gives the same bytes.
 */
export const readStartup = (bytes: Buffer): StartupReading => {
  if (bytes.length < 4) return { type: 'more' };
  const length = bytes.readInt32BE(0);
  if (length < 8 || length > MAX_STARTUP_BYTES) return bad('the start-up packet has no fit length');
  if (bytes.length < 8) return { type: 'more' };
  const code = bytes.readUInt32BE(4);
  const read = (startup: Startup): StartupReading => ({ type: 'read', startup, used: length });
  if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
    if (length !== 8) return bad('a request for encryption has an odd length');
    return read({ type: code === SSL_REQUEST ? 'ssl' : 'gssenc' });
  }
  if (code === CANCEL_REQUEST) {
    if (length !== CANCEL_BYTES) return bad('a cancel request has an odd length');
    if (bytes.length < length) return { type: 'more' };
    return read({
      type: 'cancel',
      processId: bytes.readInt32BE(8),
      key: bytes.readInt32BE(12),
    });
  }
  if (code >>> 16 !== PROTOCOL_MAJOR) return bad('the start-up packet is not of protocol 3');
  if (bytes.length < length) return { type: 'more' };
  const parameters = readParameters(bytes.subarray(8, length));
  if ('why' in parameters) return bad(parameters.why);
  return read({ type: 'startup', minor: code & 0xffff, parameters });
};

/** A start-up message of protocol 3.0. */
export const startupMessage = (parameters: readonly StartupParameter[]): Buffer => {
  const body = Buffer.from(
    `${parameters.map(([name, value]) => `${name}\0${value}\0`).join('')}\0`,
    'latin1',
  );
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(PROTOCOL_MAJOR << 16, 4);
  return Buffer.concat([head, body]);
};

/** The request for encryption that is sent to servers. */
export const sslRequest = (): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32BE(8, 0);
  bytes.writeInt32BE(SSL_REQUEST, 4);
  return bytes;
};

export const cancelRequest = (processId: number, key: number): Buffer => {
  const bytes = Buffer.alloc(CANCEL_BYTES);
  bytes.writeInt32BE(CANCEL_BYTES, 0);
  bytes.writeInt32BE(CANCEL_REQUEST, 4);
  bytes.writeInt32BE(processId, 8);
  bytes.writeInt32BE(key, 12);
  return bytes;
};
