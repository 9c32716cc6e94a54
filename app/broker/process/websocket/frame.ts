import { ok, type Result } from '../../../kit/index.ts';

/** Longest payload of one frame, in bytes: far above what anyone sends, low enough that counts stay exact. */
export const MAX_FRAME_BYTES = 2 ** 40;
/** Longest payload of a control frame, in bytes (RFC 6455 5.5). */
export const MAX_CONTROL_BYTES = 125;

export const OPCODE = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];

/** Reasons that a connection of ours ends for (RFC 6455 7.4.1). */
export const CLOSE = {
  goingAway: 1001,
  protocolError: 1002,
  badText: 1007,
  policy: 1008,
  tooBig: 1009,
} as const;
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** What is wrong with a frame, with the close code that says so. */
export type FrameFailure = { readonly code: CloseCode; readonly message: string };

/** The header of one frame. */
export type FrameHead = {
  readonly fin: boolean;
  /** The three reserved bits, as in the first byte (0x40, 0x20, 0x10). */
  readonly reserved: number;
  readonly opcode: Opcode;
  /** Of the message that it belongs to: text or binary also for a continuation, itself for a control frame. */
  readonly message: Opcode;
  /** Payload in bytes. */
  readonly length: number;
  /** Four bytes; undefined where the payload is not masked. */
  readonly mask: Buffer | undefined;
};

export type FrameEvent =
  /** A data frame begins; `wire` is its header as it came. */
  | { readonly type: 'begin'; readonly head: FrameHead; readonly wire: Buffer }
  /** Payload of the data frame as it came, still masked; `at` counts from the payload's beginning. */
  | {
      readonly type: 'piece';
      readonly head: FrameHead;
      readonly wire: Buffer;
      readonly at: number;
      /** Nothing of this frame follows. */
      readonly last: boolean;
    }
  /** A whole control frame, its payload unmasked; `wire` is all of it as it came. */
  | {
      readonly type: 'control';
      readonly head: FrameHead;
      readonly payload: Buffer;
      readonly wire: Buffer;
    }
  /** Always the last event: the parser reads nothing more. */
  | { readonly type: 'bad'; readonly failure: FrameFailure };

export type FrameParser = {
  readonly push: (chunk: Buffer) => readonly FrameEvent[];
  /** Whether all that came so far is whole frames. */
  readonly idle: () => boolean;
};

export type FrameParserOptions = {
  /** Who sends: a client masks every frame, a server none (RFC 6455 5.1). */
  readonly from: 'client' | 'server';
  /** The reserved bits that a negotiated extension may use; 0 where there is none. */
  readonly reserved: number;
};

const NONE = Buffer.alloc(0);
const OPCODES = new Set<number>(Object.values(OPCODE));

const protocolError = (message: string): Result<never, FrameFailure> => ({
  ok: false,
  error: { code: CLOSE.protocolError, message },
});

/** Masks or unmasks payload that begins `at` bytes into its frame (RFC 6455 5.3); always a copy. */
export const applyMask = (bytes: Buffer, mask: Buffer | undefined, at: number): Buffer => {
  const out = Buffer.from(bytes);
  if (mask === undefined) return out;
  const turned = Buffer.from([0, 1, 2, 3].map((index) => mask[(at + index) & 3] ?? 0));
  const [a = 0, b = 0, c = 0, d = 0] = turned;
  const whole = out.length & ~3;
  for (let index = 0; index < whole; index += 4) {
    out[index] = (out[index] ?? 0) ^ a;
    out[index + 1] = (out[index + 1] ?? 0) ^ b;
    out[index + 2] = (out[index + 2] ?? 0) ^ c;
    out[index + 3] = (out[index + 3] ?? 0) ^ d;
  }
  for (let index = whole; index < out.length; index += 1) {
    out[index] = (out[index] ?? 0) ^ (turned[index & 3] ?? 0);
  }
  return out;
};

/** How long the header is, as far as its first two bytes tell. */
const headerBytes = (second: number): number => {
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
};

const lengthOf = (header: Buffer): Result<number, FrameFailure> => {
  const short = (header[1] ?? 0) & 0x7f;
  if (short < 126) return ok(short);
  if (short === 126) {
    const length = header.readUInt16BE(2);
    return length < 126
      ? protocolError('A length is not encoded in the fewest bytes.')
      : ok(length);
  }
  const length = header.readBigUInt64BE(2);
  if (length >> 63n !== 0n) return protocolError('The highest bit of a 64-bit length is set.');
  if (length < 65_536n) return protocolError('A length is not encoded in the fewest bytes.');
  if (length > BigInt(MAX_FRAME_BYTES)) {
    return { ok: false, error: { code: CLOSE.tooBig, message: 'A frame is too large.' } };
  }
  return ok(Number(length));
};

/** Judges one whole header; `message` is the opcode of the fragmented message under way. */
const readHead = (
  header: Buffer,
  { from, reserved: allowed }: FrameParserOptions,
  message: Opcode | undefined,
): Result<FrameHead, FrameFailure> => {
  const first = header[0] ?? 0;
  const fin = (first & 0x80) !== 0;
  const reserved = first & 0x70;
  const opcode = first & 0x0f;
  const masked = ((header[1] ?? 0) & 0x80) !== 0;
  if (!OPCODES.has(opcode)) return protocolError('A frame has an opcode that does not exist.');
  if ((reserved & ~allowed) !== 0) {
    return protocolError('A frame has a reserved bit set that no extension uses.');
  }
  if (masked !== (from === 'client')) {
    return protocolError(
      from === 'client' ? 'The client sent a frame without a mask.' : 'The server masked a frame.',
    );
  }
  const length = lengthOf(header);
  if (!length.ok) return length;
  const control = opcode >= OPCODE.close;
  if (control && !fin) return protocolError('A control frame is fragmented.');
  if (control && length.value > MAX_CONTROL_BYTES) {
    return protocolError('A control frame is longer than 125 bytes.');
  }
  if (opcode === OPCODE.continuation && message === undefined) {
    return protocolError('A continuation continues no message.');
  }
  if (!control && opcode !== OPCODE.continuation && message !== undefined) {
    return protocolError('A message begins inside another.');
  }
  return ok({
    fin,
    reserved,
    opcode: opcode as Opcode,
    message: opcode === OPCODE.continuation ? (message ?? OPCODE.binary) : (opcode as Opcode),
    length: length.value,
    mask: masked ? Buffer.from(header.subarray(header.length - 4)) : undefined,
  });
};

/**
 * Reads WebSocket frames from a stream of chunks (RFC 6455 5), wherever it is cut. Payload is handed
 * on as it comes; only headers and control frames are collected, so memory has a bound.
 */
export const createFrameParser = (options: FrameParserOptions): FrameParser => {
  let partial: Buffer = NONE;
  let current: { head: FrameHead; seen: number } | undefined;
  let message: Opcode | undefined;
  let over = false;

  const bad = (failure: FrameFailure): FrameEvent => {
    over = true;
    partial = NONE;
    return { type: 'bad', failure };
  };

  return {
    push: (chunk) => {
      const events: FrameEvent[] = [];
      if (over) return events;
      const data = partial.length === 0 ? chunk : Buffer.concat([partial, chunk]);
      partial = NONE;
      let at = 0;
      while (at < data.length) {
        if (current !== undefined) {
          const { head, seen } = current;
          const wire = data.subarray(at, at + Math.min(data.length - at, head.length - seen));
          at += wire.length;
          const last = seen + wire.length === head.length;
          events.push({ type: 'piece', head, wire, at: seen, last });
          current = last ? undefined : { head, seen: seen + wire.length };
          continue;
        }
        const size = data.length - at < 2 ? 2 : headerBytes(data[at + 1] ?? 0);
        if (data.length - at < size) {
          partial = Buffer.from(data.subarray(at));
          break;
        }
        const header = data.subarray(at, at + size);
        const read = readHead(header, options, message);
        if (!read.ok) {
          events.push(bad(read.error));
          return events;
        }
        const head = read.value;
        if (head.opcode >= OPCODE.close) {
          const end = at + size + head.length;
          if (end > data.length) {
            partial = Buffer.from(data.subarray(at));
            break;
          }
          const payload = applyMask(data.subarray(at + size, end), head.mask, 0);
          events.push({ type: 'control', head, payload, wire: data.subarray(at, end) });
          at = end;
          continue;
        }
        message = head.fin ? undefined : head.message;
        at += size;
        events.push({ type: 'begin', head, wire: header });
        if (head.length === 0) events.push({ type: 'piece', head, wire: NONE, at: 0, last: true });
        else current = { head, seen: 0 };
      }
      return events;
    },
    idle: () => partial.length === 0 && current === undefined,
  };
};

/** Writes one frame; the payload is masked where a mask is given. */
export const writeFrame = (
  frame: { readonly fin: boolean; readonly opcode: Opcode; readonly mask?: Buffer },
  payload: Buffer,
): Buffer[] => {
  const { fin, opcode, mask } = frame;
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended + (mask?.length ?? 0));
  header[0] = (fin ? 0x80 : 0) | opcode;
  const short = extended === 0 ? length : extended === 2 ? 126 : 127;
  header[1] = (mask === undefined ? 0 : 0x80) | short;
  if (extended === 2) header.writeUInt16BE(length, 2);
  else if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (mask !== undefined) mask.copy(header, 2 + extended);
  if (length === 0) return [header];
  return [header, mask === undefined ? payload : applyMask(payload, mask, 0)];
};

/** Whether a close code may stand in a frame (RFC 6455 7.4, and the registered ones up to 1014). */
const isCloseCode = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
  (code >= 3000 && code <= 4999);

/** What a close frame says: nothing, or a code and a reason in bytes that are UTF-8. */
export type CloseWords = { readonly code: number; readonly reason: Buffer } | undefined;

/** Reads the payload of a close frame (RFC 6455 5.5.1). */
export const readClose = (
  payload: Buffer,
  isText: (bytes: Buffer) => boolean,
): Result<CloseWords, FrameFailure> => {
  if (payload.length === 0) return ok(undefined);
  if (payload.length === 1) return protocolError('A close frame has half a code.');
  const code = payload.readUInt16BE(0);
  if (!isCloseCode(code)) return protocolError('A close frame has a code that may not be sent.');
  const reason = payload.subarray(2);
  return isText(reason)
    ? ok({ code, reason })
    : { ok: false, error: { code: CLOSE.badText, message: 'A close reason is not UTF-8.' } };
};

/** The payload of a close frame of ours; `reason` is short ASCII. */
export const closePayload = (code: number, reason: string): Buffer => {
  const payload = Buffer.alloc(2 + reason.length);
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2, 'latin1');
  return payload.subarray(0, MAX_CONTROL_BYTES);
};
