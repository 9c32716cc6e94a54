import type * as Electron from 'electron/main';
import type { Wire } from '../contract/index.ts';

export type Port = Pick<Electron.MessagePortMain, 'on' | 'postMessage' | 'start' | 'close'>;

/** A MessagePort as what carries the contract's messages. What is not text closes it. */
export const portWire = (port: Port): Wire => ({
  send: (message) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has one other end
    port.postMessage(message);
  },
  onMessage: (listener) => {
    port.on('message', (event) => {
      const data: unknown = event.data;
      if (typeof data === 'string' && event.ports.length === 0) listener(data);
      else port.close();
    });
    port.start();
  },
  onClose: (listener) => {
    port.on('close', listener);
  },
  close: () => port.close(),
});
