import type { Duplex } from 'node:stream';
import { createInbox } from '../http-clients.ts';

/** The wire protocol as far as the trials speak it (PostgreSQL, Message Formats). */

export type WireMessage = { readonly type: string; readonly body: Buffer };

export const PROTOCOL_3 = 196_608;
export const SSL_REQUEST = 80_877_103;
export const GSSENC_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
};

export const wireMessage = (type: string, ...parts: readonly (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
  );
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(4 + body.length), body]);
};

/** A first packet: without a type, with a code. */
export const startPacket = (code: number, body: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([int32(8 + body.length), int32(code), body]);

export const parametersBody = (parameters: readonly (readonly [string, string])[]): Buffer =>
  Buffer.from(`${parameters.map(([name, value]) => `${name}\0${value}\0`).join('')}\0`, 'latin1');

export const authentication = (kind: number, ...parts: readonly (Buffer | string)[]): Buffer =>
  wireMessage('R', int32(kind), ...parts);

export const saslResponse = (mechanism: string, text: string): Buffer =>
  wireMessage('p', `${mechanism}\0`, int32(text.length), text);

/** Reads messages as they come; undefined where there are no more. */
export const createWire = (stream: Duplex) => {
  const inbox = createInbox(stream);
  return {
    all: inbox.all,
    byte: async (): Promise<string | undefined> => (await inbox.take(1))?.toString('latin1'),
    packet: async (): Promise<{ readonly code: number; readonly body: Buffer } | undefined> => {
      const length = await inbox.take(4);
      const rest = length === undefined ? undefined : await inbox.take(length.readInt32BE(0) - 4);
      return rest === undefined ? undefined : { code: rest.readInt32BE(0), body: rest.subarray(4) };
    },
    message: async (): Promise<WireMessage | undefined> => {
      const head = await inbox.take(5);
      const body = head === undefined ? undefined : await inbox.take(head.readInt32BE(1) - 4);
      return head === undefined || body === undefined
        ? undefined
        : { type: head.toString('latin1', 0, 1), body };
    },
  };
};
export type Wire = ReturnType<typeof createWire>;
