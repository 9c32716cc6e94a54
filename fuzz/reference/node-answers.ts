import { request } from 'node:http';
import { Duplex } from 'node:stream';
import { MAX_HEADER_BYTES } from '../../app/broker/process/request-head.ts';

type Pairs = readonly (readonly [string, string])[];

/** An answer as a client has read it. */
export type ReadAnswer = {
  /** Interim answers that came before it. */
  readonly interim: readonly { readonly status: number; readonly headers: Pairs }[];
  readonly status: number;
  readonly headers: Pairs;
  readonly body: string;
  readonly trailers: Pairs;
  /** What came after a change of protocols. */
  readonly early: string;
};

/** How the reading of bytes ended: with an answer that is whole, or without one. */
export type NodeReading =
  | { readonly type: 'whole'; readonly answer: ReadAnswer }
  | { readonly type: 'none'; readonly why: string };

const pairsOf = (raw: readonly string[]): Pairs => {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return pairs;
};

/** A connection to a server that says these bytes once it is asked, and ends. */
const connectionThatSays = (bytes: Buffer): Duplex => {
  const socket = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      done();
      setImmediate(() => {
        if (socket.destroyed) return;
        if (bytes.length > 0) socket.push(bytes);
        socket.push(null);
      });
    },
    final: (done) => done(),
  });
  const self = (): Duplex => socket;
  return Object.assign(socket, { setTimeout: self, setNoDelay: self, setKeepAlive: self });
};

/** Reads bytes as the answer to a request with Node's own client, strict as it comes. */
export const readWithNode = (bytes: Buffer, method: string): Promise<NodeReading> =>
  new Promise((resolve) => {
    let head: Omit<ReadAnswer, 'body' | 'trailers' | 'early' | 'interim'> | undefined;
    const interim: { readonly status: number; readonly headers: Pairs }[] = [];
    let body = '';
    let whole: ReadAnswer | undefined;
    let why = 'it ended';
    const failed = (error: Error): void => {
      why = 'code' in error ? String(error.code) : error.message;
    };
    const asked = request({
      method,
      host: 'a.test',
      maxHeaderSize: MAX_HEADER_BYTES,
      createConnection: () => connectionThatSays(bytes),
    });
    asked.on('information', ({ statusCode, rawHeaders }) => {
      interim.push({ status: statusCode, headers: pairsOf(rawHeaders) });
    });
    asked.on('response', (answer) => {
      head = { status: answer.statusCode ?? 0, headers: pairsOf(answer.rawHeaders) };
      const { status, headers } = head;
      answer.on('data', (part: Buffer) => {
        body += part.toString('latin1');
      });
      answer.on('error', failed);
      answer.on('end', () => {
        if (!answer.complete) return;
        const trailers = pairsOf(answer.rawTrailers);
        whole = { interim, status, headers, body, trailers, early: '' };
      });
    });
    asked.on('upgrade', ({ statusCode = 0, rawHeaders }, socket, early) => {
      whole = {
        interim,
        status: statusCode,
        headers: pairsOf(rawHeaders),
        body: '',
        trailers: [],
        early: early.toString('latin1'),
      };
      socket.destroy();
    });
    asked.on('error', failed);
    asked.on('close', () => {
      resolve(whole === undefined ? { type: 'none', why } : { type: 'whole', answer: whole });
    });
    asked.end();
  });
