import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { createConnection } from 'node:net';
import type { HandOver } from './handover.ts';

/** Most memory of the HTTP/2 session, in megabytes (Node's unit), before new questions are refused. */
export const LINK_MEMORY_MEGABYTES = 16;
export const RECONNECT_FIRST_MS = 20;
export const RECONNECT_MOST_MS = 1000;
/** How long the broker may take to greet back before the link is tried anew. */
export const HELLO_TIMEOUT_MS = 5000;
/** Most bytes of an answer to a POST. */
export const MAX_ANSWER_BYTES = 65_535;

export type PostOptions = {
  readonly type: string;
  readonly body: Buffer;
  readonly source?: string;
  readonly timeoutMs: number;
};

/** The way to the broker for questions and reports: HTTP/2 over a Unix socket. */
export type Link = {
  readonly up: () => boolean;
  /** One question, one answer: the body of a 200, or undefined for everything else. */
  readonly post: (path: string, options: PostOptions) => Promise<Buffer | undefined>;
};

const quietly = (): void => undefined;

export const createLink = (socketPath: string, version: string, handOver: HandOver): Link => {
  let session: ClientHttp2Session | undefined;
  let greeted = false;
  let wait = RECONNECT_FIRST_MS;

  const post = (path: string, options: PostOptions): Promise<Buffer | undefined> =>
    new Promise((resolve) => {
      if (session === undefined || session.destroyed || session.closed) {
        resolve(undefined);
        return;
      }
      const headers: Record<string, string> = {
        ':method': 'POST',
        ':path': path,
        ':scheme': 'http',
        ':authority': 'glovebox',
        'content-type': options.type,
        'content-length': String(options.body.length),
      };
      if (options.source !== undefined) headers['glovebox-source'] = options.source;
      const stream = session.request(headers);
      const parts: Buffer[] = [];
      let bytes = 0;
      let status = 0;
      stream.on('response', (answer) => {
        status = answer[':status'] ?? 0;
      });
      stream.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > MAX_ANSWER_BYTES) stream.close(constants.NGHTTP2_CANCEL);
        else parts.push(part);
      });
      stream.on('error', quietly);
      stream.on('close', () => {
        const whole = stream.rstCode === constants.NGHTTP2_NO_ERROR && status === 200;
        resolve(whole ? Buffer.concat(parts) : undefined);
      });
      stream.setTimeout(options.timeoutMs, () => {
        stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.end(options.body);
    });

  const dial = (): void => {
    const next = connect('http://glovebox', {
      createConnection: () => createConnection(socketPath),
      maxSessionMemory: LINK_MEMORY_MEGABYTES,
      settings: { enablePush: false },
    });
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      session = undefined;
      greeted = false;
      next.destroy();
      setTimeout(dial, wait);
      wait = Math.min(wait * 2, RECONNECT_MOST_MS);
    };
    const greet = async (): Promise<void> => {
      const body = Buffer.from(JSON.stringify({ version }));
      const options = { type: 'application/json', body, timeoutMs: HELLO_TIMEOUT_MS };
      try {
        await handOver();
      } catch {
        // The broker has just gone, or an earlier one has not yet let go of the port.
        end();
        return;
      }
      if ((await post('/hello', options)) === undefined) {
        end();
        return;
      }
      greeted = true;
      wait = RECONNECT_FIRST_MS;
    };
    next.on('error', end);
    next.on('close', end);
    next.on('goaway', end);
    // Only after the broker's settings is it known how many streams it takes.
    next.once('remoteSettings', () => {
      session = next;
      void greet();
    });
  };
  dial();

  return {
    up: () => greeted,
    post: (path, options) => (greeted ? post(path, options) : Promise.resolve(undefined)),
  };
};
