import type { Wire } from '../../app/contract/index.ts';

/** What the Electron preload adds to the page: one function that makes it post a port to us. */
export type Bridge = { readonly requestPort: () => void };

/** How long the preload may take to hand over a port. */
export const PORT_TIMEOUT_MS = 5_000;

const bridgeOf = (page: Window): Bridge | undefined =>
  'glovebox' in page ? (page as unknown as { readonly glovebox: Bridge }).glovebox : undefined;

/** True inside Electron, where the preload offers a port. */
export const isDesktop = (page: Window = window): boolean => bridgeOf(page) !== undefined;

const connectPort = (page: Window, bridge: Bridge): Promise<Wire> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      page.removeEventListener('message', onMessage);
      reject(new Error('no port came from the preload'));
    }, PORT_TIMEOUT_MS);
    const onMessage = (event: MessageEvent<unknown>): void => {
      const data = event.data as { readonly type?: unknown } | null;
      const port = event.ports[0];
      if (event.source !== page || data?.type !== 'glovebox-port' || port === undefined) return;
      clearTimeout(timer);
      page.removeEventListener('message', onMessage);
      resolve(wireOfPort(port));
    };
    page.addEventListener('message', onMessage);
    bridge.requestPort();
  });

/** Speaks JSON strings over one port. */
export const wireOfPort = (port: MessagePort): Wire => {
  const closers: (() => void)[] = [];
  port.addEventListener('close', () => {
    for (const closer of closers) closer();
  });
  return {
    send: (message) => {
      port.postMessage(message);
    },
    onMessage: (listener) => {
      port.addEventListener('message', (event: MessageEvent<unknown>) => {
        if (typeof event.data === 'string') listener(event.data);
      });
      port.start();
    },
    onClose: (listener) => {
      closers.push(listener);
    },
    close: () => {
      port.close();
    },
  };
};

/** Opens the WebSocket of `glovebox serve`, on the page's own origin; its cookie says who we are. */
const connectSocket = (page: Window): Promise<Wire> =>
  new Promise((resolve, reject) => {
    const url = new URL('/ws', page.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    socket.addEventListener('error', () => {
      reject(new Error('the connection was refused'));
    });
    socket.addEventListener('open', () => {
      resolve({
        send: (message) => {
          socket.send(message);
        },
        onMessage: (listener) => {
          socket.addEventListener('message', (event: MessageEvent<unknown>) => {
            if (typeof event.data === 'string') listener(event.data);
          });
        },
        onClose: (listener) => {
          socket.addEventListener('close', listener);
        },
        close: () => {
          socket.close();
        },
      });
    });
  });

/** The page's own way to its host: the preload's port in Electron, a WebSocket in the browser. */
export const connectHost = (page: Window = window): Promise<Wire> => {
  const bridge = bridgeOf(page);
  return bridge === undefined ? connectSocket(page) : connectPort(page, bridge);
};
