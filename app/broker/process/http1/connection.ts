import type { Socket } from 'node:net';
import type { BodyReader, BodySource } from '../body-source.ts';
import { frameChunk } from '../chunk-frame.ts';
import type { CallBody, CallHead } from '../http-call.ts';
import type { Intake } from '../intake.ts';
import { onceWritten } from '../once-written.ts';
import type { HeaderPairs } from '../request.ts';
import { spend } from '../spent-buffers.ts';
import type { UpgradedEnd } from '../upgrade.ts';
import type { Http1AnswerHead } from './answer-head.ts';
import { namesUpgrade } from './answer-head.ts';
import { createAnswerReader } from './answer-reader.ts';
import { endsConnection, writeFields } from './written-head.ts';

/** How long both directions of a request may be silent, in milliseconds: long polls and slow models included. */
export const IDLE_REQUEST_MS = 15 * 60 * 1000;

/** How a request on a connection failed. */
export type Http1Break = {
  /** A system error's code, or words. */
  readonly why: string;
  readonly silent: boolean;
  /** The server had said nothing, on a connection that had been kept: it may have closed it just then. */
  readonly unheard: boolean;
};

export type Http1Answer = {
  readonly head: Http1AnswerHead;
  readonly body: BodySource;
  /** Fields that came after the body, once that has ended. */
  readonly trailers: () => HeaderPairs;
};

/** What one request is told. After `onBreak` nothing more; a body that breaks tells its reader. */
export type Http1Events = {
  readonly onInterim: (head: Http1AnswerHead) => void;
  readonly onAnswer: (answer: Http1Answer) => void;
  /** The protocol has changed: the connection is the caller's. */
  readonly onUpgrade: (head: Http1AnswerHead, end: UpgradedEnd) => void;
  readonly onBreak: (broke: Http1Break) => void;
};

/** A connection to a server that carries one request after another, never two at once. */
export type Http1Connection = {
  /** The judged address that it leads to. */
  readonly address: string;
  readonly usable: () => boolean;
  /** Sends a written head. Gives what takes the body; undefined where the request has none. */
  readonly begin: (head: CallHead, written: string, events: Http1Events) => CallBody | undefined;
  /** Gives a request up, if it is still under way, and the connection with it. */
  readonly abandon: (events: Http1Events) => void;
  readonly destroy: () => void;
};

/** What carries it. */
export type Carrier = {
  readonly socket: Socket;
  /** The judged address that it leads to. */
  readonly address: string;
  /** Where it can be read without a stream. */
  readonly intake?: Intake;
};

export type Http1ConnectionEnds = {
  /** It is free for the next request, and may lie idle that long where the server said so. */
  readonly onFree: (keepForMs: number | undefined) => void;
  /** It is gone, or no longer one of ours; told once. */
  readonly onGone: () => void;
};

const codeOf = (failed: unknown): string =>
  failed instanceof Error && 'code' in failed ? String(failed.code) : 'failed';

const NO_TRAILERS: HeaderPairs = [];

/** A body that is told while it comes; what comes before anyone reads it waits. */
type Incoming = {
  readonly source: BodySource;
  readonly data: (part: Buffer) => void;
  readonly ended: (trailers: HeaderPairs) => void;
  readonly broke: (failed?: Error) => void;
  readonly trailers: () => HeaderPairs;
};

const createIncoming = (socket: Socket): Incoming => {
  let reader: BodyReader | undefined;
  let trailers = NO_TRAILERS;
  let paused = false;
  /** Nothing more comes: from here on the socket may be another body's to pause. */
  let over = false;
  const waiting: ((to: BodyReader) => void)[] = [];
  const tell = (what: (to: BodyReader) => void): void => {
    if (reader === undefined || waiting.length > 0) waiting.push(what);
    else what(reader);
  };
  return {
    source: {
      read: (by) => {
        reader = by;
        if (waiting.length === 0) return;
        // As for any other source, nothing is told before the reader's own call is over.
        queueMicrotask(() => {
          for (const what of waiting) what(by);
          waiting.length = 0;
          if (!over && !paused) socket.resume();
        });
      },
      pause: () => {
        if (over) return;
        paused = true;
        socket.pause();
      },
      resume: () => {
        if (over) return;
        paused = false;
        socket.resume();
      },
    },
    data: (part) => {
      if (reader !== undefined && waiting.length === 0) {
        reader.data(part);
        return;
      }
      const copy = Buffer.from(part);
      waiting.push((to) => to.data(copy));
      socket.pause();
    },
    ended: (fields) => {
      over = true;
      trailers = fields;
      if (socket.isPaused()) socket.resume();
      tell((to) => to.ended());
    },
    broke: (failed) => {
      if (over) return;
      over = true;
      tell((to) => to.broke(failed));
    },
    trailers: () => trailers,
  };
};

/** Speaks HTTP/1.1 to a server, written and read by hand: Node's client cost more than all the broker does with a request. */
export const createHttp1Connection = (
  { socket, address, intake }: Carrier,
  ends: Http1ConnectionEnds,
  /** It has lain idle since it was dialled. */
  reused = false,
): Http1Connection => {
  let events: Http1Events | undefined;
  let body: Incoming | undefined;
  let kept = reused;
  let heard = false;
  /** The request is whole on its way, and its answer has come whole. */
  let sent = true;
  let complete = true;
  /** Bytes are being read just now: what follows from them waits for the last. */
  let reading = false;
  let keep = true;
  let keepForMs: number | undefined;
  let gone = false;
  let failed: Error | undefined;

  const usable = (): boolean => !gone && socket.writable && !socket.destroyed;
  const leave = (): void => {
    if (gone) return;
    gone = true;
    ends.onGone();
  };
  const destroy = (): void => {
    events = undefined;
    body = undefined;
    leave();
    socket.destroy();
  };
  const breakOff = (why: string, silent = false): void => {
    const told = events;
    const incoming = body;
    const unheard = kept && !heard && !silent;
    destroy();
    if (incoming !== undefined) {
      if (silent) told?.onBreak({ why, silent, unheard });
      incoming.broke(failed ?? Object.assign(new Error(why), { code: why }));
    } else told?.onBreak({ why, silent, unheard });
  };
  /** Both ways are done with: on to the next request, or the end. */
  const settle = (): void => {
    if (reading || !sent || !complete || events === undefined) return;
    events = undefined;
    body = undefined;
    // What still waits to be written, after an early answer, would hold the next request up.
    if (!keep || !usable() || socket.writableLength > 0) {
      leave();
      socket.destroySoon();
      return;
    }
    kept = true;
    ends.onFree(keepForMs);
  };

  let changed: Http1AnswerHead | undefined;
  const reader = createAnswerReader({
    onInterim: (head) => events?.onInterim(head),
    onHead: (head) => {
      if (head.status === 101) {
        changed = head;
        return;
      }
      ({ keepForMs } = head);
      keep &&= head.keep;
      const incoming = createIncoming(socket);
      body = incoming;
      events?.onAnswer({ head, body: incoming.source, trailers: incoming.trailers });
    },
    onBody: (part) => body?.data(part),
    onEnd: (fields) => {
      complete = true;
      body?.ended(fields);
    },
    onMalformed: (why) => breakOff(why),
  });

  const onData = (bytes: Buffer): void => {
    if (events === undefined) {
      // Nobody asked: whatever it is, the next answer would be taken for it.
      destroy();
      return;
    }
    heard = true;
    reading = true;
    const at = reader.push(bytes);
    reading = false;
    if (changed !== undefined) change(changed, Buffer.from(bytes.subarray(at)));
    else if (complete && at < bytes.length) keep = false;
    settle();
  };
  const onStreamData = (bytes: Buffer): void => {
    spend(bytes.length);
    onData(bytes);
  };
  const onEnd = (): void => {
    if (events === undefined) destroy();
    else if (reader.end()) settle();
    else breakOff('ECONNRESET');
  };
  const onError = (error: Error): void => {
    failed = error;
  };
  const onClose = (): void => {
    if (events === undefined) leave();
    else breakOff(failed === undefined ? 'ECONNRESET' : codeOf(failed));
  };
  const onTimeout = (): void => {
    if (events !== undefined) breakOff('ETIMEDOUT', true);
    else destroy();
  };
  const change = (head: Http1AnswerHead, early: Buffer): void => {
    changed = undefined;
    const told = events;
    if (!namesUpgrade(head)) {
      breakOff('a change of protocols that names none');
      return;
    }
    events = undefined;
    leave();
    socket.setTimeout(0);
    intake?.giveBack();
    socket.removeListener('data', onStreamData);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', onClose);
    socket.removeListener('timeout', onTimeout);
    // Neither flowing nor paused: it waits for whoever reads next, and that needs not say resume.
    Object.assign(socket, { readableFlowing: null });
    told?.onUpgrade(head, { stream: socket, early });
  };
  // Whether it is taken or not, a listener for data is what lets the socket flow.
  intake?.take(onData);
  socket.on('data', onStreamData);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
  socket.on('timeout', onTimeout);
  socket.setTimeout(IDLE_REQUEST_MS);

  /** Where a request's body goes. One that is over takes all and sends nothing: what comes then is the next request's. */
  const bodyOf = ({ framing }: CallHead, told: Http1Events): CallBody => {
    let left = framing.type === 'length' ? framing.bytes : 0;
    const past = (): boolean => events !== told || sent;
    const finishWith = (last: string): void => {
      if (last !== '') socket.write(last, 'latin1');
      sent = true;
      settle();
    };
    /** Counts bytes of a body that told its length: the server would take more for the next request. */
    const fits = (bytes: number): boolean => {
      left -= bytes;
      if (left >= 0) return true;
      breakOff('a body that is longer than it said');
      return false;
    };
    const writeChunk = (chunk: Uint8Array): boolean => {
      // An empty one would be the last.
      if (chunk.length === 0) return true;
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      const room = socket.write('\r\n', 'latin1');
      socket.uncork();
      return room;
    };
    return {
      once: (event, listener) => socket.once(event, listener),
      removeListener: (event, listener) => socket.removeListener(event, listener),
      write: (chunk) => {
        if (past()) return true;
        if (framing.type === 'chunked') return writeChunk(chunk);
        return fits(chunk.length) ? socket.write(chunk) : true;
      },
      writeWithin: (room, start, end, done) => {
        if (past()) return true;
        const written = onceWritten(done);
        if (framing.type === 'chunked') return socket.write(frameChunk(room, start, end), written);
        return fits(end - start) ? socket.write(room.subarray(start, end), written) : true;
      },
      finish: (fields) => {
        if (past()) return;
        if (framing.type !== 'chunked') {
          if (left === 0) finishWith('');
          else breakOff('a body that is shorter than it said');
          return;
        }
        const written = writeFields(fields);
        if (typeof written === 'string') finishWith(`0\r\n${written}\r\n`);
        else breakOff(written.malformed);
      },
    };
  };

  return {
    address,
    usable,
    begin: (head, written, told) => {
      events = told;
      heard = false;
      complete = false;
      keep = !endsConnection(head);
      reader.expect(head.method);
      // It closed before anyone listened.
      if (!usable()) queueMicrotask(() => breakOff('ECONNRESET'));
      sent = head.framing.type === 'none';
      if (sent) {
        socket.write(written, 'latin1');
        return undefined;
      }
      // Goes in one piece with the first bytes of the body, where they are there already.
      socket.cork();
      socket.write(written, 'latin1');
      setImmediate(() => socket.uncork());
      return bodyOf(head, told);
    },
    abandon: (told) => {
      if (events === told) destroy();
    },
    destroy,
  };
};
