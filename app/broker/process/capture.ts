import { createServer, type Server, type Socket } from 'node:net';
import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import {
  boundInCrowd,
  breakUnlessEnded,
  halfClosedFor,
  type DestinationOf,
  type Family,
} from './captured-socket.ts';
import { endpointOf, type Endpoint } from './endpoint.ts';
import type { Exchanges } from './exchange.ts';
import type { HandedSocket } from './handed-sockets.ts';
import { flowOf } from './identify.ts';
import type { Intercept } from './intercept.ts';
import type { NativeSockets } from './native-sockets.ts';
import type { Refusal } from './refuse.ts';

/** Most captured connections at once; further ones are reset and recorded. */
export const MAX_CONNECTIONS = 4096;
/** Connections the kernel may hold ready before they are accepted. */
export const MAX_BACKLOG = 4096;
/** How long a connection may stay half closed from inside and silent, in milliseconds, and how often that is looked at. */
export const HALF_CLOSED_IDLE_MS = 120_000;
export const SWEEP_EVERY_MS = 30_000;

export type CaptureDeps = {
  readonly clock: Clock;
  readonly native: NativeSockets;
  readonly destinationOf: DestinationOf;
  readonly intercept: Intercept;
  readonly exchanges: Exchanges;
  readonly identify: (flow: Flow) => Promise<Program | undefined>;
};

/** The sandbox's connections, as long as its gateway is there. */
export type Capture = {
  /** Stops taking connections and breaks those that are there. */
  readonly close: () => void;
};

const isSame = (one: Endpoint, other: Endpoint | undefined): boolean =>
  one.address === other?.address && one.port === other.port;

/**
 * Accepts the sandbox's connections from the listening sockets that a gateway handed over, which it owns: they
 * live in the sandbox's network, and both ends of each connection are read from the kernel.
 */
export const openCapture = (
  deps: CaptureDeps,
  listening: readonly HandedSocket[],
  onFailure: () => void,
): Capture => {
  const { native } = deps;
  const sockets = new Set<Socket>();

  const refuse = (
    socket: Socket,
    destination: Endpoint,
    program: Promise<Program | undefined>,
    refusal: Refusal,
  ): void => {
    const exchange = deps.exchanges.begin(
      {
        verdict: 'denied',
        scheme: 'tcp',
        host: destination.address,
        port: destination.port,
        protocol: 'tcp',
        inspected: false,
        bytesOut: 0,
        bytesIn: 0,
      },
      program,
    );
    exchange.refuse(refusal);
    exchange.finish();
    socket.destroy();
  };

  const onConnection = (socket: Socket, family: Family): void => {
    socket.on('error', () => undefined);
    breakUnlessEnded(native, socket);
    const destination = deps.destinationOf(socket, family);
    const source = endpointOf(socket.remoteAddress, socket.remotePort);
    if (destination === undefined || source === undefined) {
      // Gone already, or never redirected: nothing it says could be judged.
      socket.destroy();
      return;
    }
    const program = deps.identify(flowOf('tcp', source, destination));
    if (isSame(destination, endpointOf(socket.localAddress, socket.localPort))) {
      // Dialled by hand: there is no destination but ourselves.
      const loop = failure('egress.loop', 'The connection went to Glovebox itself.');
      refuse(socket, destination, program, loop);
      return;
    }
    if (sockets.size >= MAX_CONNECTIONS) {
      const many = `More than ${String(MAX_CONNECTIONS)} connections are open at once.`;
      refuse(socket, destination, program, failure('egress.too-many', many));
      return;
    }
    const barred = deps.exchanges.barred();
    if (barred !== undefined) {
      refuse(socket, destination, program, barred);
      return;
    }
    boundInCrowd(native, socket, sockets.size);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    deps.intercept.accept(socket, destination, program).catch(() => {
      // Whatever went wrong, this connection is over; none goes on unjudged.
      socket.destroy();
    });
  };

  const listen = ({ fd, family }: HandedSocket): Server => {
    const options = { allowHalfOpen: true, noDelay: true };
    const server = createServer(options, (socket) => onConnection(socket, family));
    server.on('error', onFailure);
    // Beside a descriptor, Node takes the backlog as an argument alone.
    server.listen({ fd, exclusive: true }, MAX_BACKLOG);
    return server;
  };
  const servers = listening.map(listen);
  let cancelSweep: () => void;
  const sweepLater = (): void => {
    cancelSweep = deps.clock.after(SWEEP_EVERY_MS, () => {
      for (const socket of sockets) {
        if (halfClosedFor(native, socket) >= HALF_CLOSED_IDLE_MS) socket.destroy();
      }
      sweepLater();
    });
  };
  sweepLater();
  return {
    close: () => {
      cancelSweep();
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
