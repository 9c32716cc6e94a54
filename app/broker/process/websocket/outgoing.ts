import { isUtf8 } from 'node:buffer';
import type { Hit, Search } from '../search.ts';
import {
  applyMask,
  CLOSE,
  createFrameParser,
  OPCODE,
  readClose,
  type FrameEvent,
  type FrameFailure,
  type FrameHead,
} from './frame.ts';
import type { FrameFlow, FrameStep } from './incoming.ts';
import { createTextCheck } from './utf8.ts';

/** Largest frame that is searched whole before a byte of it goes up, in bytes; longer ones are searched in passing. */
export const MAX_SEARCHED_FRAME_BYTES = 65_536;

/**
 * Frames from the program, searched for what must not leave and passed on exactly as they came. One
 * search runs over all messages, so that a cut between fragments or messages hides nothing; it sees
 * control frames' payload too. After a find nothing of that frame goes on where it is small, and of
 * a large one only what had gone before.
 */
export const createSearchedFrames = (search: () => Search): FrameFlow => {
  const parser = createFrameParser({ from: 'client', reserved: 0 });
  const text = createTextCheck();
  let across = search();
  /** What the search holds as the beginning of something: taken along from one message to the next. */
  let held: Buffer = Buffer.alloc(0);
  /** Parts of a frame that wait until it has been searched; undefined while a large one streams. */
  let waiting: Buffer[] | undefined;
  let streaming = false;
  let closed = false;

  const readControl = (head: FrameHead, payload: Buffer): FrameFailure | undefined => {
    if (head.opcode !== OPCODE.close) return undefined;
    const words = readClose(payload, isUtf8);
    return words.ok ? undefined : words.error;
  };

  const pushAcross = (payload: Buffer): Hit | undefined => {
    const { out, hits } = across.push(payload);
    const passed = out.reduce((sum, part) => sum + part.length, 0);
    const all = held.length === 0 ? payload : Buffer.concat([held, payload]);
    held = Buffer.from(all.subarray(passed));
    return hits[0];
  };

  const tripAcross = (payload: Buffer, ends: boolean): Hit | undefined => {
    const tripped = pushAcross(payload);
    if (tripped !== undefined || !ends) return tripped;
    // The end may complete what waited for something longer; then the search goes on where it was.
    const late = across.end().hits[0];
    if (late !== undefined) return late;
    const begun = held;
    held = Buffer.alloc(0);
    across = search();
    return pushAcross(begun);
  };

  const tripIn = (payload: Buffer): Hit | undefined => {
    const alone = search();
    return alone.push(payload).hits[0] ?? alone.end().hits[0];
  };

  type Stop = { readonly failed: FrameFailure } | { readonly tripped: Hit };

  const takePiece = (
    { head, wire, at, last }: Extract<FrameEvent, { type: 'piece' }>,
    out: Buffer[],
  ): Stop | undefined => {
    const payload = applyMask(wire, head.mask, at);
    const ends = last && head.fin;
    if (head.message === OPCODE.text && (!text.push(payload) || (ends && !text.end()))) {
      return { failed: { code: CLOSE.badText, message: 'A text message is not UTF-8.' } };
    }
    const tripped = tripAcross(payload, ends);
    if (tripped !== undefined) return { tripped };
    if (waiting === undefined) out.push(wire);
    else waiting.push(wire);
    if (last) {
      out.push(...(waiting ?? []));
      waiting = undefined;
      streaming = false;
    }
    return undefined;
  };

  const takeControl = (
    { head, payload, wire }: Extract<FrameEvent, { type: 'control' }>,
    out: Buffer[],
  ): Stop | undefined => {
    const failed = readControl(head, payload);
    if (failed !== undefined) return { failed };
    const tripped = tripIn(payload);
    if (tripped !== undefined) return { tripped };
    out.push(wire);
    closed = head.opcode === OPCODE.close;
    return undefined;
  };

  const take = (event: FrameEvent, out: Buffer[]): Stop | undefined => {
    if (event.type === 'bad') return { failed: event.failure };
    if (event.type === 'piece') return takePiece(event, out);
    if (event.type === 'control') return takeControl(event, out);
    streaming = event.head.length > MAX_SEARCHED_FRAME_BYTES;
    if (streaming) out.push(event.wire);
    else waiting = [event.wire];
    return undefined;
  };

  return {
    push: (chunk) => {
      const out: Buffer[] = [];
      for (const event of closed ? [] : parser.push(chunk)) {
        const stopped = take(event, out);
        if (stopped !== undefined) {
          closed = true;
          return { out, hits: 0, closed, ...stopped };
        }
        if (closed) break;
      }
      return { out, hits: 0, closed };
    },
    between: () => !streaming,
  };
};

/**
 * Frames that need not be read: each is checked for its form, extensions and all, and the bytes go
 * on untouched.
 */
export const createCheckedFrames = (from: 'client' | 'server', extended: boolean): FrameFlow => {
  const parser = createFrameParser({ from, reserved: extended ? 0x70 : 0 });
  let closed = false;
  let between = true;
  return {
    push: (chunk) => {
      if (closed) return { out: [], hits: 0, closed };
      const out: Buffer[] = [];
      const fail = (failed: FrameFailure): FrameStep => {
        closed = true;
        return { out, hits: 0, closed, failed };
      };
      for (const event of parser.push(chunk)) {
        if (event.type === 'bad') return fail(event.failure);
        if (event.type !== 'control') {
          if (event.wire.length > 0) out.push(event.wire);
          between = event.type === 'piece' && event.last;
          continue;
        }
        if (event.head.opcode === OPCODE.close) {
          const words = readClose(event.payload, isUtf8);
          if (!words.ok) return fail(words.error);
          closed = true;
        }
        out.push(event.wire);
        if (closed) break;
      }
      return { out, hits: 0, closed };
    },
    between: () => between,
  };
};
