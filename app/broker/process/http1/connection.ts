import type { Socket } from 'node:net';
import type { BodyReader, BodySource } from '../body-source.ts';
import type { CallBody, CallHead } from '../http-call.ts';
import type { HeaderPairs } from '../request.ts';
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
  const waiting: ((to: BodyReader) => void)[] = [];
  const tell = (what: (to: BodyReader) => void): void => {
    if (reader === undefined) {
      waiting.push(what);
      socket.pause();
    } else what(reader);
  };
  return {
    source: {
      read: (by) => {
        reader = by;
        if (waiting.length === 0) return;
        // As for any other source, nothing is told before the reader's own call is over.
        queueMicrotask(() => {
          for (const what of waiting.splice(0)) what(by);
          socket.resume();
        });
      },
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
    },
    data: (part) => {
      if (reader === undefined) tell((to) => to.data(part));
      else reader.data(part);
    },
    ended: (fields) => {
      trailers = fields;
      tell((to) => to.ended());
    },
    broke: (failed) => tell((to) => to.broke(failed)),
    trailers: () => trailers,
  };
};

/** Speaks HTTP/1.1 to a server, written and read by hand: Node's client cost more than all the broker does with a request. */
export const createHttp1Connection = (
  socket: Socket,
  address: string,
  ends: Http1ConnectionEnds,
): Http1Connection => {
  let events: Http1Events | undefined;
  let body: Incoming | undefined;
  let reused = false;
  let heard = false;
  /** The request is whole on its way, and its answer has come whole. */
  let sent = true;
  let complete = true;
  let keep = true;
  let keepForMs: number | undefined;
  let gone = false;
  let failed: Error | undefined;

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
    const reading = body;
    const unheard = reused && !heard;
    destroy();
    if (reading !== undefined) {
      if (silent) told?.onBreak({ why, silent, unheard: false });
      reading.broke(failed ?? Object.assign(new Error(why), { code: why }));
    } else told?.onBreak({ why, silent, unheard });
  };
  /** Both ways are done with: on to the next request, or the end. */
  const settle = (): void => {
    if (!sent || !complete || events === undefined) return;
    events = undefined;
    body = undefined;
    if (!keep || !socket.writable || socket.destroyed) {
      leave();
      socket.destroySoon();
      return;
    }
    reused = true;
    if (socket.isPaused()) socket.resume();
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
    const at = reader.push(bytes);
    if (changed !== undefined) change(changed, bytes.subarray(at));
    else if (complete && at < bytes.length) keep = false;
    settle();
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
    socket.removeListener('data', onData);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', onClose);
    socket.removeListener('timeout', onTimeout);
    // Neither flowing nor paused: it waits for whoever reads next, and that needs not say resume.
    Object.assign(socket, { readableFlowing: null });
    told?.onUpgrade(head, { stream: socket, early });
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
  socket.on('timeout', onTimeout);
  socket.setTimeout(IDLE_REQUEST_MS);

  const finishWith = (last: string): void => {
    if (last !== '') socket.write(last, 'latin1');
    sent = true;
    settle();
  };
  const plainBody: CallBody = {
    write: (chunk) => socket.write(chunk),
    once: (event, listener) => socket.once(event, listener),
    removeListener: (event, listener) => socket.removeListener(event, listener),
    finish: () => finishWith(''),
  };
  const chunkedBody: CallBody = {
    ...plainBody,
    write: (chunk) => {
      // An empty chunk would be the last.
      if (chunk.length === 0) return true;
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      const room = socket.write('\r\n', 'latin1');
      socket.uncork();
      return room;
    },
    finish: (fields) => {
      const written = writeFields(fields);
      if (typeof written === 'string') finishWith(`0\r\n${written}\r\n`);
      else breakOff(written.malformed);
    },
  };

  return {
    address,
    usable: () => !gone && socket.writable && !socket.destroyed,
    begin: (head, written, told) => {
      events = told;
      heard = false;
      complete = false;
      keep = !endsConnection(head);
      reader.expect(head.method);
      const { type } = head.framing;
      sent = type === 'none';
      if (sent) {
        socket.write(written, 'latin1');
        return undefined;
      }
      // Goes in one piece with the first bytes of the body, where they are there already.
      socket.cork();
      socket.write(written, 'latin1');
      setImmediate(() => socket.uncork());
      return type === 'chunked' ? chunkedBody : plainBody;
    },
    abandon: (told) => {
      if (events === told) destroy();
    },
    destroy,
  };
};
