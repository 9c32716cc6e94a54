import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Program } from '../../contract/index.ts';
import type { Clock } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import { bindAlone, boundBuffers, type DestinationOf } from './captured-socket.ts';
import { DNS_HEADER_BYTES, MAX_DNS_QUERY_BYTES } from './dns-message.ts';
import type { DnsServer } from './dns-server.ts';
import { endpointOf, parseEndpoint } from './endpoint.ts';
import type { HandedSocket } from './handed-sockets.ts';
import { flowOf } from './identify.ts';
import type { NativeSockets } from './native-sockets.ts';

/** Most questions of one socket that are read in a second; further ones are dropped, as programs ask again. */
export const MAX_QUERIES_PER_SECOND = 2000;
/** Bytes of datagrams that the kernel may hold unread; further ones it drops. It counts twice that for its own needs. */
export const DNS_QUEUE_BYTES = 256 * 1024;
/** DNS connections at once; further ones are closed. */
export const MAX_DNS_CONNECTIONS = 256;
/** How long a DNS connection may say nothing, in milliseconds. */
export const DNS_IDLE_MS = 30_000;
/** Bytes the kernel may hold for each direction of a DNS connection. */
export const DNS_BUFFER_BYTES = 64 * 1024;
/** Questions of one DNS connection that are answered before others have their turn. */
export const MAX_QUERIES_AT_ONCE = 32;

const SECOND_MS = 1000;
/** What stands before each message of a connection. */
const LENGTH_BYTES = 2;
/** DNS connections the kernel may hold ready before they are accepted. */
const BACKLOG = MAX_DNS_CONNECTIONS;
/** Where sandboxes send their questions (an address of TEST-NET-1 that the engine writes): only the way to ask for the program. */
const RESOLVER = parseEndpoint('192.0.2.53:53');

export type DnsSocketsDeps = {
  readonly clock: Clock;
  readonly native: NativeSockets;
  readonly destinationOf: DestinationOf;
  readonly dns: DnsServer;
  readonly identify: (flow: Flow) => Promise<Program | undefined>;
};

/** The sandbox's questions, as long as its gateway is there. */
export type DnsSockets = { readonly close: () => void };

/** Says whether there is room for one more in this second. */
const createAllowance = (clock: Clock): (() => boolean) => {
  let until = 0;
  let left = 0;
  return () => {
    const now = clock.monotonic();
    if (now >= until) {
      until = now + SECOND_MS;
      left = MAX_QUERIES_PER_SECOND;
    }
    left -= 1;
    return left >= 0;
  };
};

const isQuery = (bytes: Buffer): boolean =>
  bytes.length >= DNS_HEADER_BYTES && bytes.length <= MAX_DNS_QUERY_BYTES;

/** Answers go to addresses, which nobody needs to look up. */
const asItIs = (
  address: string,
  _options: unknown,
  done: (failed: null, address: string, family: number) => void,
): void => done(null, address, address.includes(':') ? 6 : 4);

/**
 * Answers what comes as datagrams. An answer leaves the socket the question came to, and the packet filter, which
 * redirected the question, gives it the address that was asked. It never needs cutting: one name, one address.
 */
const serveDatagrams = (
  deps: DnsSocketsDeps,
  { fd, family }: HandedSocket,
  onFailure: () => void,
): DatagramSocket => {
  const hasRoom = createAllowance(deps.clock);
  boundBuffers(deps.native, fd, DNS_QUEUE_BYTES);
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', lookup: asItIs });
  socket.on('error', onFailure);
  socket.on('message', (query, { address, port }) => {
    if (!isQuery(query) || port === 0 || !hasRoom()) return;
    const answer = deps.dns.answer(query, () => {
      const source = endpointOf(address, port);
      if (source === undefined || RESOLVER === undefined) return Promise.resolve(undefined);
      return deps.identify(flowOf('udp', source, RESOLVER));
    });
    // Who asked may be gone: its own loss.
    if (answer !== undefined) socket.send(answer, port, address, () => undefined);
  });
  socket.bind({ fd, exclusive: true });
  bindAlone(deps.native, fd);
  return socket;
};

/** Serves one connection: each message after two bytes of length (RFC 1035 4.2.2), answered in turn. */
const serveConnection = (socket: Socket, answerOf: (query: Buffer) => Buffer | undefined): void => {
  let pending = Buffer.alloc(0);
  let isBusy = false;
  let hasEnded = false;
  const later = (): void => {
    isBusy = true;
    socket.pause();
  };
  const take = (): void => {
    if (socket.destroyed) return;
    isBusy = false;
    for (let asked = 0; asked < MAX_QUERIES_AT_ONCE; asked += 1) {
      const bytes = pending.length < LENGTH_BYTES ? undefined : pending.readUInt16BE(0);
      const end = LENGTH_BYTES + (bytes ?? 0);
      // What claims to be longer than any question is not waited for.
      if (bytes === undefined || (bytes <= MAX_DNS_QUERY_BYTES && pending.length < end)) {
        if (hasEnded) socket.end();
        else socket.resume();
        return;
      }
      const query = pending.subarray(LENGTH_BYTES, end);
      const answer = query.length === bytes && isQuery(query) ? answerOf(query) : undefined;
      if (answer === undefined) {
        socket.resetAndDestroy();
        return;
      }
      pending = pending.subarray(end);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(answer.length);
      if (!socket.write(Buffer.concat([length, answer]))) {
        later();
        socket.once('drain', take);
        return;
      }
    }
    later();
    setImmediate(take);
  };
  socket.setTimeout(DNS_IDLE_MS, () => socket.destroy());
  socket.on('data', (part: Buffer) => {
    pending = Buffer.concat([pending, part]);
    take();
  });
  socket.on('end', () => {
    hasEnded = true;
    if (!isBusy) socket.end();
  });
};

const serveConnections = (
  deps: DnsSocketsDeps,
  { fd, family }: HandedSocket,
  sockets: Set<Socket>,
  onFailure: () => void,
): Server => {
  const hasRoom = createAllowance(deps.clock);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const source = endpointOf(socket.remoteAddress, socket.remotePort);
    const destination = deps.destinationOf(socket, family);
    serveConnection(socket, (query) => {
      if (!hasRoom()) return undefined;
      return deps.dns.answer(query, () =>
        source === undefined || destination === undefined
          ? Promise.resolve(undefined)
          : deps.identify(flowOf('tcp', source, destination)),
      );
    });
  });
  server.maxConnections = MAX_DNS_CONNECTIONS;
  server.on('error', onFailure);
  boundBuffers(deps.native, fd, DNS_BUFFER_BYTES);
  server.listen({ fd, exclusive: true }, BACKLOG);
  return server;
};

/** Answers the sandbox's questions from the sockets that a gateway handed over, which it owns. */
export const openDnsSockets = (
  deps: DnsSocketsDeps,
  datagrams: readonly HandedSocket[],
  connections: readonly HandedSocket[],
  onFailure: () => void,
): DnsSockets => {
  const sockets = new Set<Socket>();
  const queues = datagrams.map((handed) => serveDatagrams(deps, handed, onFailure));
  const servers = connections.map((handed) => serveConnections(deps, handed, sockets, onFailure));
  return {
    close: () => {
      for (const queue of queues) queue.close();
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
