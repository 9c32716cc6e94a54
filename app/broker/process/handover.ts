import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../kit/index.ts';
import { descriptorOf } from './descriptor.ts';
import type { NativeSockets } from './native-sockets.ts';

/** Most gateways that may be handing over at once. */
export const MAX_HANDOVERS = 4;
/** How long handed over descriptors may wait for their gateway's link, and a link for its descriptors, in milliseconds. */
export const HANDOVER_MS = 5000;

/** A descriptor and what its gateway says it is, a character. */
export type HandedOver = { readonly fd: number; readonly kind: string };

/** Where gateways hand over the sandbox's sockets: one message with a byte for each descriptor (unix(7), SCM_RIGHTS). */
export type Handover = {
  readonly server: Server;
  /** What the next message brought, which the caller owns; nothing where it is out of order or does not come in time. */
  readonly take: () => Promise<readonly HandedOver[]>;
  readonly close: () => void;
};

export const closeHandedOver = (handed: readonly HandedOver[]): void => {
  for (const { fd } of handed) closeSync(fd);
};

export const createHandover = (native: NativeSockets, clock: Clock): Handover => {
  const connections = new Set<Socket>();
  const arrivals = new Set<() => void>();

  const receive = (socket: Socket): readonly HandedOver[] | undefined => {
    const fd = descriptorOf(socket);
    const message = fd === undefined ? undefined : native.receive(fd);
    if (message === undefined) return undefined;
    connections.delete(socket);
    socket.destroy();
    const { data, descriptors, truncated } = message;
    // Nothing but an end: its gateway died before it sent anything.
    if (data.length === 0) return undefined;
    const handed = descriptors.map((one, at) => ({
      fd: one,
      kind: data.toString('latin1', at, at + 1),
    }));
    if (data.length === handed.length && !truncated) return handed;
    closeHandedOver(handed);
    return [];
  };
  const receiveAny = (): readonly HandedOver[] | undefined => {
    for (const socket of connections) {
      const handed = receive(socket);
      if (handed !== undefined) return handed;
    }
    return undefined;
  };

  // Never read by Node, which would throw descriptors away.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    // The oldest is the likeliest to be a dead gateway's: unread, a connection does not show its end.
    if (connections.size >= MAX_HANDOVERS)
      for (const oldest of connections) {
        connections.delete(oldest);
        oldest.destroy();
        break;
      }
    connections.add(socket);
    const cancel = clock.after(HANDOVER_MS, () => socket.destroy());
    socket.once('close', () => {
      connections.delete(socket);
      cancel();
    });
    for (const arrived of arrivals) arrived();
  });

  return {
    server,
    take: async () => {
      const found = receiveAny();
      if (found !== undefined) return found;
      // A gateway hands over before it links, but that connection may be accepted a moment later.
      return new Promise((resolve) => {
        const settle = (handed: readonly HandedOver[]): void => {
          arrivals.delete(arrived);
          cancel();
          resolve(handed);
        };
        const arrived = (): void => {
          const handed = receiveAny();
          if (handed !== undefined) settle(handed);
        };
        const cancel = clock.after(HANDOVER_MS, () => settle([]));
        arrivals.add(arrived);
      });
    },
    close: () => {
      server.close();
      for (const socket of connections) socket.destroy();
    },
  };
};
