/** Longest frame of the guard, without its four bytes of length; guard.h has the same number. */
export const MAX_FRAME_BYTES = 32 * 1024;
/** Most fields of one frame. */
export const MAX_FRAME_FIELDS = 96;
/** Longest frame to the guard. */
export const MAX_QUESTION_BYTES = 512;

const LENGTH_BYTES = 4;

/** One frame as it came: a kind and fields of bytes. The format stands in sandbox-images/guard/src/guard.h. */
export type Frame = { readonly kind: string; readonly fields: readonly Buffer[] };

export type FrameReader = {
  /** Takes the next bytes of the stream; false once the stream is broken, for good. */
  readonly push: (bytes: Buffer) => boolean;
};

/**
 * Cuts a stream into frames. Never throws on what it reads: the first frame that does not fit ends the
 * stream, because nothing after it can be trusted to begin where it seems to.
 */
export const createFrameReader = (
  onFrame: (frame: Frame) => boolean,
  onBroken: (why: string) => void,
): FrameReader => {
  let pending: Buffer = Buffer.alloc(0);
  let broken = false;
  const fail = (why: string): false => {
    broken = true;
    pending = Buffer.alloc(0);
    onBroken(why);
    return false;
  };
  return {
    push: (bytes) => {
      if (broken) return false;
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      let at = 0;
      while (pending.length - at >= LENGTH_BYTES) {
        const length = pending.readUInt32BE(at);
        if (length < 1 || length > MAX_FRAME_BYTES) return fail(`a frame of ${length} bytes`);
        if (pending.length - at < LENGTH_BYTES + length) break;
        const start = at + LENGTH_BYTES;
        const frame = readFrame(pending.subarray(start, start + length));
        if (frame === undefined) return fail('a frame without an end');
        if (!onFrame(frame)) return fail(`a frame ‘${frame.kind}’ that does not fit`);
        at = start + length;
      }
      pending = pending.subarray(at);
      return true;
    },
  };
};

const readFrame = (bytes: Buffer): Frame | undefined => {
  const fields: Buffer[] = [];
  let at = 1;
  while (at < bytes.length) {
    const end = bytes.indexOf(0, at);
    if (end === -1 || fields.length === MAX_FRAME_FIELDS) return undefined;
    fields.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return { kind: bytes.toString('latin1', 0, 1), fields };
};

/** A frame for the guard. The fields are ours, so one that does not fit is a bug and throws. */
export const writeFrame = (kind: string, fields: readonly (string | number)[]): Buffer => {
  const body = Buffer.from(`${kind}${fields.map((field) => `${field}\0`).join('')}`);
  if (body.length > MAX_QUESTION_BYTES) throw new Error('a question to the guard is too long');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
};
