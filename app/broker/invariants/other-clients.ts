import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { writeCut } from './http-clients.ts';

export type WebSocketSaid = {
  readonly opened: boolean;
  readonly status: number;
  readonly messages: readonly { readonly data: Buffer; readonly binary: boolean }[];
  readonly raw: Buffer;
};

/** Sends messages in fragments, each after the answer to the one before. */
export const speakWebSocket = (
  stream: Duplex,
  options: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly messages: readonly { data: Buffer; binary: boolean; fragments: number }[];
  },
): Promise<WebSocketSaid> =>
  new Promise((resolve) => {
    const raw: Buffer[] = [];
    const messages: { data: Buffer; binary: boolean }[] = [];
    let opened = false;
    let status = 0;
    const ws = new WebSocket(options.url, {
      createConnection: (() => stream) as never,
      headers: options.headers,
    });
    let next = 0;
    const sendNext = (): void => {
      const message = options.messages[next];
      next += 1;
      if (message === undefined) {
        ws.close(1000);
        return;
      }
      const { data, binary, fragments } = message;
      const size = Math.max(1, Math.ceil(data.length / fragments));
      for (let at = 0; at < Math.max(1, data.length); at += size) {
        ws.send(data.subarray(at, at + size), { binary, fin: at + size >= data.length });
      }
    };
    ws.on('upgrade', (response) => {
      status = response.statusCode ?? 0;
      raw.push(Buffer.from(response.rawHeaders.join('\n'), 'latin1'));
    });
    ws.on('unexpected-response', (_request, response) => {
      status = response.statusCode ?? 0;
      raw.push(Buffer.from(response.rawHeaders.join('\n'), 'latin1'));
      response.on('data', (part: Buffer) => raw.push(part));
      response.on('error', () => undefined);
      response.once('close', finish);
      response.resume();
    });
    ws.on('open', () => {
      opened = true;
      sendNext();
    });
    ws.on('message', (data: Buffer, binary: boolean) => {
      raw.push(data);
      messages.push({ data, binary });
      sendNext();
    });
    ws.on('error', () => undefined);
    const finish = (): void => {
      stream.destroy();
      resolve({ opened, status, messages, raw: Buffer.concat(raw) });
    };
    ws.on('close', finish);
  });

/** Says all of it, ends its side, and listens to the end. */
export const speakRaw = (
  stream: Duplex,
  bytes: Buffer,
  cuts: readonly number[],
): Promise<{ readonly raw: Buffer; readonly ended: boolean }> =>
  new Promise((resolve) => {
    const parts: Buffer[] = [];
    let ended = false;
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => undefined);
    stream.once('end', () => {
      ended = true;
    });
    stream.once('close', () => resolve({ raw: Buffer.concat(parts), ended }));
    void writeCut(stream, bytes, cuts).then(() => stream.end());
  });
