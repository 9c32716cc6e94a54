/** Largest message of the start-up phase, in bytes; errors and notices with long words included. */
export const MAX_LOGIN_MESSAGE_BYTES = 65_536;

/** One message after the start-up packet: its type as a letter, and what follows the length. */
export type PostgresMessage = {
  readonly type: string;
  readonly body: Buffer;
  /** The message as it came, to be passed on. */
  readonly raw: Buffer;
};

export type MessageReading =
  | { readonly type: 'more' }
  | { readonly type: 'bad' }
  | { readonly type: 'read'; readonly message: PostgresMessage };

/** Reads one message (PostgreSQL protocol, Message Formats). Never throws. */
export const readPostgresMessage = (bytes: Buffer): MessageReading => {
  if (bytes.length < 5) return { type: 'more' };
  const length = bytes.readInt32BE(1);
  if (length < 4 || length > MAX_LOGIN_MESSAGE_BYTES) return { type: 'bad' };
  if (bytes.length < 1 + length) return { type: 'more' };
  const raw = bytes.subarray(0, 1 + length);
  return {
    type: 'read',
    message: { type: String.fromCharCode(raw[0] ?? 0), body: raw.subarray(5), raw },
  };
};

export const postgresMessage = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
};

/** Kinds of authentication message (PostgreSQL protocol, Message Formats). */
export const AUTH = {
  ok: 0,
  cleartext: 3,
  md5: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

export type Authentication = { readonly kind: number; readonly data: Buffer };

/** Reads the body of an authentication request (`R`). */
export const readAuthentication = (body: Buffer): Authentication | undefined =>
  body.length < 4 ? undefined : { kind: body.readInt32BE(0), data: body.subarray(4) };

export const authenticationMessage = (kind: number, data: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(4);
  head.writeInt32BE(kind, 0);
  return postgresMessage('R', Buffer.concat([head, data]));
};

/** The mechanisms that a server offers (AuthenticationSASL); undefined where the list is malformed. */
export const readMechanisms = (data: Buffer): readonly string[] | undefined => {
  if (data.length < 2 || data.at(-1) !== 0 || data.at(-2) !== 0) return undefined;
  return data.toString('latin1', 0, data.length - 2).split('\0');
};

/** The client's choice of mechanism with its first message (SASLInitialResponse). */
export const readInitialResponse = (
  body: Buffer,
): { readonly mechanism: string; readonly message: string } | undefined => {
  const end = body.indexOf(0);
  if (end < 0 || body.length < end + 5) return undefined;
  const length = body.readInt32BE(end + 1);
  if (length !== body.length - end - 5) return undefined;
  return {
    mechanism: body.toString('latin1', 0, end),
    message: body.toString('latin1', end + 5),
  };
};

export const initialResponse = (mechanism: string, message: string): Buffer => {
  const text = Buffer.from(message, 'latin1');
  const length = Buffer.alloc(4);
  length.writeInt32BE(text.length, 0);
  return postgresMessage(
    'p',
    Buffer.concat([Buffer.from(`${mechanism}\0`, 'latin1'), length, text]),
  );
};

export type PostgresError = {
  /** SQLSTATE, five characters. */
  readonly state: string;
  readonly message: string;
  readonly hint?: string | undefined;
};

const noNul = (text: string): string => text.replaceAll('\0', '');

/** A fatal ErrorResponse, which clients show with message and hint. */
export const errorResponse = ({ state, message, hint }: PostgresError): Buffer =>
  postgresMessage(
    'E',
    Buffer.from(
      [
        'SFATAL',
        'VFATAL',
        `C${state}`,
        `M${noNul(message)}`,
        ...(hint === undefined ? [] : [`H${noNul(hint)}`]),
      ]
        .map((field) => `${field}\0`)
        .join('') + '\0',
    ),
  );

/** The message field of an ErrorResponse, for the record; cut short, control characters out. */
export const errorText = (body: Buffer): string => {
  const field = body
    .toString('utf8')
    .split('\0')
    .find((text) => text.startsWith('M'));
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return (field ?? '').slice(1, 201).replaceAll(/[\u0000-\u001f\u007f]/g, ' ');
};

/** Tells a client that asked for more than 3.0 what is spoken here (NegotiateProtocolVersion). */
export const negotiateVersion = (unknownOptions: readonly string[]): Buffer => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(0, 0);
  head.writeInt32BE(unknownOptions.length, 4);
  const names = unknownOptions.map((name) => `${name}\0`).join('');
  return postgresMessage('v', Buffer.concat([head, Buffer.from(names, 'latin1')]));
};
