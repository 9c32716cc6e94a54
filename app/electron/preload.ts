import { contextBridge, ipcRenderer } from 'electron';
import { PORT_CHANNEL, PORT_MESSAGE } from './page-address.ts';

/**
 * All that the page gets from the other side: one function that makes a message channel, gives one end
 * to the main process (which checks who asks) and posts the other to the page. It passes nothing in and nothing out.
 */
const requestPort = (): void => {
  const { port1, port2 } = new MessageChannel();
  ipcRenderer.postMessage(PORT_CHANNEL, null, [port2]);
  // The receiver is this very window, whatever its origin is called.
  window.postMessage({ type: PORT_MESSAGE }, '*', [port1]);
};

contextBridge.exposeInMainWorld('glovebox', Object.freeze({ requestPort }));
