import type { Duplex } from 'node:stream';

/** HTTP/2 frames written by hand (RFC 9113 4.1), for what no client library would send. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const FRAME_HEAD_BYTES = 9;
export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, goAway: 7 } as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;

const frame = (type: number, flags: number, stream: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
};

/** A length of up to 16,510 as an integer with a 7 bit prefix (RFC 7541 5.1). */
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'latin1');
  const rest = bytes.length - 127;
  const head =
    rest < 0 ? [bytes.length] : rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7];
  return Buffer.concat([Buffer.from(head), bytes]);
};

/** A header section without compression: every field a literal that is not indexed (RFC 7541 6.2.2). */
const section = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));

export type RawHttp2 = {
  readonly headers: (
    stream: number,
    fields: readonly (readonly [string, string])[],
    last: boolean,
  ) => void;
  readonly data: (stream: number, body: string, last: boolean) => void;
  /** Takes a stream back (RST_STREAM with CANCEL). */
  readonly reset: (stream: number) => void;
  /** Types of the frames that came, those that only keep the connection going left out. */
  readonly heard: () => readonly number[];
  /** Whether the other side has ended the connection. */
  readonly closed: () => boolean;
};

/**
 * Begins HTTP/2 on a stream that is there for it: as the client, or, with `onRequest`, as the server,
 * which is told the stream of each header section.
 */
export const speakRawHttp2 = (
  socket: Duplex,
  onRequest?: (raw: RawHttp2, stream: number) => void,
): RawHttp2 => {
  const heard: number[] = [];
  let rest = Buffer.alloc(0);
  let closed = false;
  let preface = onRequest === undefined ? 0 : PREFACE.length;
  const raw: RawHttp2 = {
    headers: (stream, fields, last) => {
      const flags = END_HEADERS | (last ? END_STREAM : 0);
      socket.write(frame(FRAME.headers, flags, stream, section(fields)));
    },
    data: (stream, body, last) => {
      socket.write(frame(FRAME.data, last ? END_STREAM : 0, stream, Buffer.from(body)));
    },
    reset: (stream) => {
      socket.write(frame(FRAME.reset, 0, stream, Buffer.from([0, 0, 0, 8])));
    },
    heard: () => heard,
    closed: () => closed,
  };
  const hear = (type: number, flags: number, stream: number): void => {
    if (type === FRAME.settings && (flags & ACK) === 0)
      socket.write(frame(FRAME.settings, ACK, 0, Buffer.alloc(0)));
    if (type === FRAME.headers || type === FRAME.reset || type === FRAME.goAway) heard.push(type);
    if (type === FRAME.headers) onRequest?.(raw, stream);
  };
  socket.on('error', () => undefined);
  // The test's own socket stays open for writing after the other side's end.
  for (const over of ['end', 'close']) {
    socket.once(over, () => {
      closed = true;
    });
  }
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    if (rest.length < preface) return;
    rest = rest.subarray(preface);
    preface = 0;
    while (rest.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) return;
      const [type, flags, stream] = [rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5)];
      rest = rest.subarray(end);
      hear(type, flags, stream);
    }
  });
  const settings = frame(FRAME.settings, 0, 0, Buffer.alloc(0));
  socket.write(onRequest === undefined ? Buffer.concat([PREFACE, settings]) : settings);
  return raw;
};
