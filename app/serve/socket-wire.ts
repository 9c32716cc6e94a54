import { WebSocket, type RawData } from 'ws';
import type { Wire } from '../contract/index.ts';
import type { Clock } from '../kit/index.ts';

/** Bytes that may wait for a browser that does not read; beyond them the connection is given up. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** How often the browser is asked whether it is still there; one unanswered question ends the connection. */
export const PING_EVERY_MS = 30_000;

const CLOSE_UNSUPPORTED = 1003;

const textOf = (data: RawData): string =>
  Array.isArray(data)
    ? Buffer.concat(data).toString('utf8')
    : Buffer.from(data as ArrayBuffer).toString('utf8');

/** A WebSocket as what carries the contract's messages: text only, in order, with an end. */
export const socketWire = (socket: WebSocket, clock: Clock): Wire => {
  let answered = true;
  let cancelPing: (() => void) | undefined;
  const ping = (): void => {
    cancelPing = clock.after(PING_EVERY_MS, () => {
      if (!answered) {
        socket.terminate();
        return;
      }
      answered = false;
      socket.ping();
      ping();
    });
  };
  ping();
  socket.on('pong', () => {
    answered = true;
  });
  socket.on('close', () => cancelPing?.());
  // Broken frames and oversized messages: ws closes the connection with the right code by itself.
  socket.on('error', () => undefined);
  return {
    send: (message) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > MAX_WAITING_BYTES) {
        socket.terminate();
        return;
      }
      socket.send(message);
    },
    onMessage: (listener) => {
      socket.on('message', (data, isBinary) => {
        if (isBinary) socket.close(CLOSE_UNSUPPORTED, 'text only');
        else listener(textOf(data));
      });
    },
    onClose: (listener) => {
      socket.on('close', () => listener());
    },
    close: () => socket.close(),
  };
};
