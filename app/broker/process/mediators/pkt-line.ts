import { fail, ok, type Result } from '../../../kit/index.ts';

/** Longest pkt-line with its four length digits, in bytes (gitprotocol-common(5)). */
export const MAX_PKT_LINE_BYTES = 65_520;

/** One unit of git's wire format: bytes, or one of the markers that have no bytes. */
export type PktLine =
  | { readonly type: 'data'; readonly data: Buffer }
  | { readonly type: 'flush' }
  | { readonly type: 'delimiter' }
  | { readonly type: 'end' };

const LENGTH = /^[0-9a-f]{4}$/i;

/**
 * Reads the pkt-line that begins at `from`, and where it ends; undefined where more bytes are needed.
 * Refuses what is no length, a length that none has, and lines over the limit.
 */
export const readPktLine = (
  bytes: Buffer,
  from: number,
): Result<{ readonly line: PktLine; readonly end: number } | undefined> => {
  if (bytes.length < from + 4) return ok(undefined);
  const digits = bytes.toString('latin1', from, from + 4);
  if (!LENGTH.test(digits)) return fail('git.unreadable', 'A line has no length.');
  const length = Number.parseInt(digits, 16);
  const end = from + 4;
  if (length === 0) return ok({ line: { type: 'flush' }, end });
  if (length === 1) return ok({ line: { type: 'delimiter' }, end });
  if (length === 2) return ok({ line: { type: 'end' }, end });
  if (length < 4 || length > MAX_PKT_LINE_BYTES)
    return fail('git.unreadable', 'A line has a length that none has.');
  if (bytes.length < from + length) return ok(undefined);
  return ok({
    line: { type: 'data', data: bytes.subarray(end, from + length) },
    end: from + length,
  });
};

/** A pkt-line with this text; longer texts are cut, for they are words. */
export const writePktLine = (data: string | Buffer): Buffer => {
  const bytes = Buffer.from(data).subarray(0, MAX_PKT_LINE_BYTES - 4);
  const length = (bytes.length + 4).toString(16).padStart(4, '0');
  return Buffer.concat([Buffer.from(length), bytes]);
};

/** The flush marker that ends a list. */
export const FLUSH_PKT: Buffer = Buffer.from('0000');
