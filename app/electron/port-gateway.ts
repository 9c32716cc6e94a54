import type * as Electron from 'electron/main';
import { createScope, type Scope } from '../kit/index.ts';
import type { SessionHost } from '../host/port.ts';
import type { AppWindow, ElectronApi } from './api.ts';
import { PAGE_ORIGIN, PORT_CHANNEL } from './page-address.ts';
import { portWire } from './port-wire.ts';

/** Who may speak to the services. Everyone else gets no port, and a line in the log. */
export type PortGateway = {
  /** Lets a window's own page connect, until the window is closed. */
  readonly admit: (window: AppWindow) => void;
};

type Sender = Pick<Electron.IpcMainEvent, 'sender' | 'senderFrame' | 'ports'>;

/** Why this sender gets no port; undefined where it may have one. */
const refusal = (event: Sender, admitted: ReadonlySet<number>): string | undefined => {
  const { sender, senderFrame, ports } = event;
  if (!admitted.has(sender.id)) return 'an unknown window';
  // A frame that went away in the meantime cannot be checked, so it is refused.
  if (senderFrame === null) return 'a frame that is gone';
  if (senderFrame.parent !== null || senderFrame !== sender.mainFrame) return 'an inner frame';
  if (senderFrame.origin !== PAGE_ORIGIN) return `the origin ${senderFrame.origin.slice(0, 200)}`;
  return ports.length === 1 ? undefined : `${ports.length} ports`;
};

/** Takes ports from the preload, checks who sends them, and serves the contract over them. */
export const createPortGateway = (
  { ipcMain }: Pick<ElectronApi, 'ipcMain'>,
  deps: {
    readonly host: Pick<SessionHost, 'serve'>;
    readonly warn: (message: string) => void;
  },
  scope: Scope,
): PortGateway => {
  const admitted = new Set<number>();
  const connections = new Map<number, Scope>();
  const disconnect = (id: number): void => {
    const connection = connections.get(id);
    connections.delete(id);
    void connection?.close();
  };
  scope.defer(() => {
    for (const id of Array.from(connections.keys())) disconnect(id);
  });

  ipcMain.on(PORT_CHANNEL, (event) => {
    const why = scope.signal.aborted ? 'a window after the end' : refusal(event, admitted);
    const [port] = event.ports;
    if (why !== undefined || port === undefined) {
      for (const other of event.ports) other.close();
      deps.warn(`A port was refused to ${why ?? 'a message without one'}.`);
      return;
    }
    const { id } = event.sender;
    // One page, one connection: a reloaded page replaces the one before.
    disconnect(id);
    const connection = createScope('window connection');
    connections.set(id, connection);
    deps.host.serve(portWire(port), connection);
  });

  return {
    admit: (window) => {
      const { id } = window.webContents;
      admitted.add(id);
      window.webContents.once('destroyed', () => {
        admitted.delete(id);
        disconnect(id);
      });
    },
  };
};
