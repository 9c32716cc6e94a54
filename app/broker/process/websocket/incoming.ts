import type { Hit, Search } from '../search.ts';
import {
  CLOSE,
  createFrameParser,
  MAX_CONTROL_BYTES,
  OPCODE,
  readClose,
  writeFrame,
  type FrameFailure,
  type FrameHead,
} from './frame.ts';
import { createStraddle, type Sought } from './straddle.ts';
import { createTextCheck, cutText } from './utf8.ts';
import { isUtf8 } from 'node:buffer';

/** Largest frame that is written again as one frame, in bytes; longer ones go on as fragments of about this size. */
export const MAX_REFRAMED_BYTES = 65_536;

/** What a chunk from one side comes to on the other. */
export type FrameStep = {
  /** Bytes for the other side, in order. */
  readonly out: readonly Buffer[];
  /** Secrets that were replaced in them. */
  readonly hits: number;
  /** A close frame has gone by: nothing more goes this way. */
  readonly closed: boolean;
  readonly failed?: FrameFailure;
  /** What was found that may not leave. */
  readonly tripped?: Hit;
};

/** One direction of a WebSocket. */
export type FrameFlow = {
  readonly push: (chunk: Buffer) => FrameStep;
  /** Whether a frame of ours may follow what was handed out so far. */
  readonly between: () => boolean;
};

/** What the answers' side of the scrubber offers to frames. */
export type FrameScrubber = {
  readonly text: (value: string) => { readonly text: string; readonly hits: number };
  readonly stream: () => Search;
  /** All that is looked for as bytes. */
  readonly needles: readonly Sought[];
};

type Message = { readonly search: Search; begun: boolean; parts: Buffer[]; bytes: number };

/**
 * Frames from the server with secrets replaced. Frames are written anew, since a replacement may
 * change a length: small ones one to one, large ones as fragments in passing. Control frames pass
 * at once. Nothing is held back past the end of its message. `current` is asked anew for each
 * message, since secrets may join while the connection is open.
 */
export const createScrubbedFrames = (current: () => FrameScrubber): FrameFlow => {
  const parser = createFrameParser({ from: 'server', reserved: 0 });
  let scrubber = current();
  let straddle = createStraddle(scrubber.needles);
  const text = createTextCheck();
  let message: Message | undefined;
  let closed = false;

  const renew = (): void => {
    const now = current();
    if (now === scrubber) return;
    scrubber = now;
    straddle = createStraddle(now.needles);
  };

  const control = (head: FrameHead, payload: Buffer): { out: Buffer[]; hits: number } => {
    const words = head.opcode === OPCODE.close ? payload.subarray(2) : payload;
    const clean = current().text(words.toString('latin1'));
    if (clean.hits === 0)
      return { out: writeFrame({ fin: true, opcode: head.opcode }, payload), hits: 0 };
    const code = payload.subarray(0, payload.length - words.length);
    const room = MAX_CONTROL_BYTES - code.length;
    const replaced = cutText(Buffer.from(clean.text, 'latin1'), room);
    return {
      out: writeFrame({ fin: true, opcode: head.opcode }, Buffer.concat([code, replaced])),
      hits: clean.hits,
    };
  };

  const flush = (to: Message, head: FrameHead, fin: boolean): Buffer[] => {
    if (to.bytes === 0 && !fin) return [];
    const payload =
      to.parts.length === 1 ? (to.parts[0] ?? Buffer.alloc(0)) : Buffer.concat(to.parts);
    const opcode = to.begun ? OPCODE.continuation : head.message;
    to.begun = true;
    to.parts = [];
    to.bytes = 0;
    return writeFrame({ fin, opcode }, payload);
  };

  const add = (to: Message, parts: readonly Buffer[]): void => {
    for (const part of parts) {
      if (part.length === 0) continue;
      to.parts.push(part);
      to.bytes += part.length;
    }
  };

  /** The message's last byte has come: what was held goes. */
  const finish = (to: Message): number => {
    const rest = to.search.end();
    const held = Buffer.concat(rest.out);
    // With a hit in it, what was held is no longer the bytes that came.
    const last = straddle.end(rest.hits.length === 0 ? held : Buffer.alloc(0));
    add(to, [rest.hits.length === 0 ? last.bytes : held]);
    return rest.hits.length + last.hits;
  };

  return {
    push: (chunk) => {
      const out: Buffer[] = [];
      let hits = 0;
      const failed = (failure: FrameFailure): FrameStep => {
        closed = true;
        return { out, hits, closed, failed: failure };
      };
      if (closed) return { out, hits, closed };
      for (const event of parser.push(chunk)) {
        switch (event.type) {
          case 'bad':
            return failed(event.failure);
          case 'control': {
            const { head, payload } = event;
            if (head.opcode === OPCODE.close) {
              const words = readClose(payload, isUtf8);
              if (!words.ok) return failed(words.error);
            }
            const clean = control(head, payload);
            out.push(...clean.out);
            hits += clean.hits;
            if (head.opcode === OPCODE.close) {
              closed = true;
              return { out, hits, closed };
            }
            break;
          }
          case 'begin':
            if (message === undefined) renew();
            message ??= { search: scrubber.stream(), begun: false, parts: [], bytes: 0 };
            break;
          case 'piece': {
            if (message === undefined) break;
            const { head, wire, last } = event;
            const isText = head.message === OPCODE.text;
            const ends = last && head.fin;
            if (isText && (!text.push(wire) || (ends && !text.end()))) {
              return failed({ code: CLOSE.badText, message: 'A text message is not UTF-8.' });
            }
            const piece = straddle.push(wire);
            const found = message.search.push(piece.bytes);
            hits += piece.hits + found.hits.length;
            add(message, found.out);
            if (ends) hits += finish(message);
            if (last || message.bytes >= MAX_REFRAMED_BYTES) {
              out.push(...flush(message, head, ends));
            }
            if (ends) message = undefined;
            break;
          }
        }
      }
      return { out, hits, closed };
    },
    between: () => true,
  };
};
