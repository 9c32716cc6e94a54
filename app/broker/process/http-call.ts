import type { Readable } from 'node:stream';
import type { BodySource } from './body-source.ts';
import type { HeaderPairs } from './inject.ts';
import type { Refusal } from './refuse.ts';
import type { RequestHead } from './request-head.ts';
import type { UpgradedEnd } from './upgrade.ts';

/** What takes a body's bytes: answers false when it has had enough, and says `drain` when it can take more. */
export type Sink = {
  readonly write: (chunk: Uint8Array) => boolean;
  /**
   * Takes the bytes from `start` to `end` of memory that is its own until it says `done`: what frames
   * them may be written around them, `FRAME_HEAD_BYTES` before and `FRAME_TAIL_BYTES` behind. Says it
   * only where the bytes are on their way, else never.
   */
  readonly writeWithin?: (room: Buffer, start: number, end: number, done: () => void) => boolean;
  readonly once: (event: 'drain', listener: () => void) => unknown;
  readonly removeListener: (event: 'drain', listener: () => void) => unknown;
};

/** The head of an answer on its way to the program. */
export type AnswerHead = {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderPairs;
  /** `nothing`: neither body nor trailers; `whole`: all that is left, at once. */
  readonly follows: 'nothing' | 'whole' | 'more';
};

/** The program's side of one request, of whatever HTTP version. */
export type Caller = {
  readonly version: 'h1' | 'h2';
  /** What the program sends after the head. */
  readonly body: Readable;
  /** Whether all of the request has arrived. */
  readonly arrived: () => boolean;
  /** Calls back when what is sent as the body turns out to be none: nothing more of it can be read. */
  readonly onMalformed: (take: (refusal: Refusal) => void) => void;
  /** Fields that came after the body, once that has ended. */
  readonly trailers: () => HeaderPairs;
  /** Whether an answer has begun. */
  readonly answered: () => boolean;
  /** Tells the program to go on sending (100). */
  readonly goOn: () => void;
  /** Passes an interim answer on (1xx but 100 and 101). */
  readonly inform: (status: number, headers: HeaderPairs) => void;
  readonly begin: (head: AnswerHead) => void;
  /** Where the answer's body goes, once it has begun. */
  readonly sink: Sink;
  /** Ends the answer, with a last piece of its body where there is one. */
  readonly end: (trailers: HeaderPairs, last?: Buffer) => void;
  /** Changes protocols, with this head: from here on both sides are free. */
  readonly upgrade: (headers: HeaderPairs) => UpgradedEnd;
  /** Answers with a refusal; where an answer has begun already, breaks it off. An upload is read on for a while, unless told not to. */
  readonly refuse: (refusal: Refusal, readOn?: boolean) => void;
  /** Breaks off, so that what was sent cannot be taken for whole. `code` is an HTTP/2 error code. */
  readonly breakOff: (code?: number) => void;
  /** Calls back with true when the answer has left us whole, else when the program is gone; perhaps once more afterwards. */
  readonly onOver: (over: (complete: boolean) => void) => void;
  /**
   * Calls back where the program has ended its side of the connection, though it may still read: all
   * that is seen of one that was killed, until something is written to it. Undone by what it returns.
   */
  readonly onLeft: (left: () => void) => () => void;
  /** The HTTP/2 error code with which the program broke off. */
  readonly resetCode: () => number | undefined;
};

/** A request's head as it goes to the server; framing and connection fields are the version's own. */
export type CallHead = {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly framing: RequestHead['framing'];
  /** Host and port as the program wrote them, judged. */
  readonly authority: string;
  /** Header names that hold real values, lower case: never put into a compression table. */
  readonly sensitive: () => readonly string[];
  /** The protocol that is asked for, where the request is an upgrade. */
  readonly protocol: string | undefined;
};

/** A server's answer, as it came. */
export type ServerAnswer = {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderPairs;
  readonly body: BodySource;
  /** Nothing follows the head. */
  readonly last: boolean;
  /** Fields that came after the body, once that has ended. */
  readonly trailers: () => HeaderPairs;
  /** The HTTP/2 error code with which the server broke off. */
  readonly resetCode: () => number | undefined;
};

/** How a call failed. */
export type CallFailure = {
  readonly refusal: Refusal;
  /** Whether the server has done nothing with it, so that the same request may be sent again. */
  readonly unprocessed: 'surely' | 'perhaps' | 'no';
  /** The HTTP/2 error code that the server sent. */
  readonly resetCode?: number;
};

/** Where the request's body goes, once the server can take it. */
export type CallBody = Sink & { readonly finish: (trailers: HeaderPairs) => void };

/** What a call tells. After `onFailure` nothing more is told. */
export type CallEvents = {
  readonly onAddress: (address: string) => void;
  readonly onReady: (body: CallBody) => void;
  readonly onContinue: () => void;
  readonly onInformation: (status: number, headers: HeaderPairs) => void;
  readonly onAnswer: (answer: ServerAnswer) => void;
  readonly onUpgrade: (
    answer: { readonly status: number; readonly headers: HeaderPairs },
    end: UpgradedEnd,
  ) => void;
  readonly onFailure: (failure: CallFailure) => void;
};

/** A request under way to its server. */
export type Call = {
  /** Gives up: nothing more is told, and the server is told so, with an HTTP/2 error code where there is one. */
  readonly cancel: (code?: number) => void;
};

/** Starts one request on a connection to its server. */
export type StartCall = (head: CallHead, events: CallEvents) => Call;
