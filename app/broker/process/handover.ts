import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../kit/index.ts';
import { descriptorOf } from './descriptor.ts';
import type { NativeSockets } from './native-sockets.ts';

/** Most relays that may be handing over at once. */
export const MAX_HANDOVERS = 4;
/** How long a handed over descriptor may wait for its relay's greeting, and a greeting for its descriptors, in milliseconds. */
export const HANDOVER_MS = 5000;

/** Where relays hand over the sockets they listen on: one message of one byte with the descriptors (unix(7), SCM_RIGHTS). */
export type Handover = {
  readonly server: Server;
  /** The descriptors of the next message, which the caller owns; none where it is out of order or does not come in time. */
  readonly take: () => Promise<readonly number[]>;
  readonly close: () => void;
};

export const closeDescriptors = (descriptors: readonly number[]): void => {
  for (const fd of descriptors) closeSync(fd);
};

export const createHandover = (native: NativeSockets, clock: Clock): Handover => {
  const connections = new Set<Socket>();
  const arrivals = new Set<() => void>();

  const receive = (socket: Socket): readonly number[] | undefined => {
    const fd = descriptorOf(socket);
    const message = fd === undefined ? undefined : native.receive(fd);
    if (message === undefined) return undefined;
    connections.delete(socket);
    socket.destroy();
    // Nothing but an end: its relay died before it sent anything.
    if (message.bytes === 0) return undefined;
    if (message.bytes === 1 && !message.truncated) return message.descriptors;
    closeDescriptors(message.descriptors);
    return [];
  };
  const receiveAny = (): readonly number[] | undefined => {
    for (const socket of connections) {
      const descriptors = receive(socket);
      if (descriptors !== undefined) return descriptors;
    }
    return undefined;
  };

  // Never read by Node, which would throw descriptors away.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    // The oldest is the likeliest to be a dead relay's: unread, a connection does not show its end.
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
      // The relay sends before it greets, but its connection may be accepted a moment after the greeting was read.
      return new Promise((resolve) => {
        const settle = (descriptors: readonly number[]): void => {
          arrivals.delete(arrived);
          cancel();
          resolve(descriptors);
        };
        const arrived = (): void => {
          const descriptors = receiveAny();
          if (descriptors !== undefined) settle(descriptors);
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
