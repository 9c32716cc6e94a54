import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import type { Closable } from '../../app/kit/index.ts';

/** A host port that nothing inside may ever reach: it counts what reaches it. */
export type Sink = Closable & { readonly port: number; readonly reached: () => number };

export const startTcpSink = async (address: string): Promise<Sink> => {
  let reached = 0;
  const server = createServer((socket) => {
    reached += 1;
    socket.end('reached the host\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    reached: () => reached,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
};

export const startUdpSink = async (address: string): Promise<Sink> => {
  let reached = 0;
  const socket = createSocket('udp4');
  socket.on('message', () => {
    reached += 1;
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, address, resolve);
  });
  return {
    port: socket.address().port,
    reached: () => reached,
    close: () =>
      new Promise<void>((resolve) => {
        socket.close(() => {
          resolve();
        });
      }),
  };
};
