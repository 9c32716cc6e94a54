import { MAX_HEADER_BYTES } from '../request-head.ts';
import type { HeaderPairs } from '../request.ts';
import { readAnswerHead, type Http1AnswerHead } from './answer-head.ts';
import { createChunkReader, type ChunkReader } from './chunk-reader.ts';
import { isMalformed } from './malformed.ts';

/** What an answer is made of, told in this order. After `onMalformed` nothing more is told. */
export type AnswerEvents = {
  /** An interim answer (1xx but 101). */
  readonly onInterim: (head: Http1AnswerHead) => void;
  /** The answer's own head; a change of protocol too, after which nothing is read. */
  readonly onHead: (head: Http1AnswerHead) => void;
  readonly onBody: (part: Buffer) => void;
  readonly onEnd: (trailers: HeaderPairs) => void;
  readonly onMalformed: (why: string) => void;
};

/** Reads the answers of one connection, one request at a time. */
export type AnswerReader = {
  /** The answer to a request with this method is to come. */
  readonly expect: (method: string) => void;
  /** Takes what came; gives the place after what belongs to the answer. */
  readonly push: (bytes: Buffer) => number;
  /** The server has ended its side: whether that was where the answer ends. */
  readonly end: () => boolean;
};

const HEAD_END = Buffer.from('\r\n\r\n');
const NO_TRAILERS: HeaderPairs = [];
/** Room for a head that does not come in one piece, in bytes: at first, and at most. */
const HELD_BYTES = 4096;
const MAX_HELD_BYTES = MAX_HEADER_BYTES + HEAD_END.length;

/** The same bytes with room for so many. */
const withRoom = (held: Buffer, used: number, bytes: number): Buffer => {
  if (bytes <= held.length) return held;
  const larger = Buffer.allocUnsafe(Math.min(MAX_HELD_BYTES, Math.max(bytes, 2 * held.length)));
  held.copy(larger, 0, 0, used);
  return larger;
};

export const createAnswerReader = (events: AnswerEvents): AnswerReader => {
  let state: 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'broken' = 'idle';
  let method = '';
  let left = 0;
  let chunks: ChunkReader | undefined;
  /** A head that did not come in one piece. */
  let held: Buffer | undefined;
  let heldBytes = 0;

  const broken = (why: string): void => {
    state = 'broken';
    held = undefined;
    events.onMalformed(why);
  };
  const ended = (trailers: HeaderPairs): void => {
    state = 'idle';
    chunks = undefined;
    events.onEnd(trailers);
  };

  const onHead = (text: string): void => {
    const head = readAnswerHead(text, method);
    if (isMalformed(head)) {
      broken(head.malformed);
      return;
    }
    if (head.status < 200 && head.status !== 101) {
      if (head.keep) events.onInterim(head);
      else broken('an interim answer that ends the connection');
      return;
    }
    const { framing } = head;
    if (head.status === 101) {
      state = 'idle';
      events.onHead(head);
      return;
    }
    const empty = framing.type === 'none' || (framing.type === 'length' && framing.bytes === 0);
    if (framing.type === 'length') left = framing.bytes;
    if (framing.type === 'chunked') chunks = createChunkReader();
    state = framing.type === 'none' || empty ? 'idle' : framing.type;
    events.onHead(head);
    if (empty) ended(NO_TRAILERS);
  };

  /** Looks for the end of a head; gives the place after it, or the end of what there is. */
  const readHead = (bytes: Buffer, from: number): number => {
    if (held === undefined) {
      const end = bytes.indexOf(HEAD_END, from);
      if (end >= 0) {
        if (end - from > MAX_HEADER_BYTES) broken('a header section that is too large');
        else onHead(bytes.toString('latin1', from, end));
        return end + HEAD_END.length;
      }
      held = Buffer.allocUnsafe(HELD_BYTES);
      heldBytes = 0;
    }
    // The end may lie across two pieces.
    const searched = Math.max(0, heldBytes - HEAD_END.length + 1);
    const before = heldBytes;
    const wanted = Math.min(MAX_HELD_BYTES, heldBytes + bytes.length - from);
    held = withRoom(held, heldBytes, wanted);
    heldBytes += bytes.copy(held, heldBytes, from);
    const end = held.subarray(0, heldBytes).indexOf(HEAD_END, searched);
    if (end < 0) {
      if (heldBytes === MAX_HELD_BYTES) broken('a header section that is too large');
      return bytes.length;
    }
    const text = held.toString('latin1', 0, end);
    held = undefined;
    onHead(text);
    return from + end + HEAD_END.length - before;
  };

  return {
    expect: (next) => {
      method = next;
      state = 'head';
      held = undefined;
    },
    push: (bytes) => {
      let at = 0;
      while (at < bytes.length) {
        if (state === 'head') at = readHead(bytes, at);
        else if (state === 'length') {
          const end = Math.min(bytes.length, at + left);
          left -= end - at;
          events.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
          at = end;
          if (left === 0) ended(NO_TRAILERS);
        } else if (state === 'chunked' && chunks !== undefined) {
          const after = chunks.push(bytes, at, events.onBody);
          if (typeof after !== 'number') {
            broken(after.malformed);
            return bytes.length;
          }
          at = after;
          const trailers = chunks.trailers();
          if (trailers !== undefined) ended(trailers);
        } else if (state === 'close') {
          events.onBody(at === 0 ? bytes : bytes.subarray(at));
          return bytes.length;
        } else return at;
      }
      return at;
    },
    end: () => {
      if (state !== 'close') return false;
      ended(NO_TRAILERS);
      return true;
    },
  };
};
