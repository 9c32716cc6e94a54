import type { Socket } from 'node:net';
import { descriptorOf } from './descriptor.ts';
import { readSockaddr, SOCKADDR_BYTES, type Endpoint } from './endpoint.ts';
import type { NativeSockets } from './native-sockets.ts';

/** sys/socket.h, netinet/in.h, netinet/tcp.h */
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_LINGER = 13;
const SO_ACCEPTCONN = 30;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_IPV6 = 41;
const TCP_INFO = 11;
/** struct tcp_info: the state, and how long ago data was last sent and received, in milliseconds. */
const INFO_BYTES = 56;
const INFO_LAST_SENT = 44;
const INFO_LAST_RECEIVED = 52;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** The option by which netfilter tells a redirected connection's first destination, of both families. */
const SO_ORIGINAL_DST = 80;
/** States in which our side of a connection has been ended (include/net/tcp_states.h). */
const FIN_WAIT1 = 4;
const FIN_WAIT2 = 5;
const TIME_WAIT = 6;
const CLOSE_WAIT = 8;
const LAST_ACK = 9;
const CLOSING = 11;
const ENDED: ReadonlySet<number> = new Set([FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING]);

/** Bytes the kernel may hold for each direction of one captured connection; it counts twice that for its own needs. */
export const SOCKET_BUFFER_BYTES = 256 * 1024;

/**
 * The same once there is a crowd of them, from when they are accepted on: what came before stays until it is read.
 * No less than loopback’s segments need: with 16 KiB each waits for a late acknowledgement, at 2 MiB/s.
 */
export const CROWD_BUFFER_BYTES = 64 * 1024;
/** Connections from which on there is a crowd. */
export const CROWD_CONNECTIONS = 256;

export type Family = 4 | 6;

/** Where a captured connection was going before it was redirected; undefined where the kernel can't say. */
export type DestinationOf = (socket: Socket, family: Family) => Endpoint | undefined;

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

/** struct linger: close with a reset at once, or in good order in the background. */
const RESETS = Buffer.concat([int(1), int(0)]);
const LINGERS = Buffer.concat([int(0), int(0)]);

/** Makes a socket break when it is closed, by its process's end too. */
const breakOnClose = (native: NativeSockets, fd: number): boolean =>
  native.setOption(fd, SOL_SOCKET, SO_LINGER, RESETS);

const factOf = (native: NativeSockets, fd: number, name: number): number | undefined => {
  const value = native.option(fd, SOL_SOCKET, name, 4);
  return value?.length === 4 ? value.readInt32LE() : undefined;
};

const familyOf = (
  native: NativeSockets,
  fd: number,
  type: number,
  protocol: number,
): Family | undefined => {
  if (factOf(native, fd, SO_TYPE) !== type) return undefined;
  if (factOf(native, fd, SO_PROTOCOL) !== protocol) return undefined;
  const domain = factOf(native, fd, SO_DOMAIN);
  if (domain === AF_INET) return 4;
  return domain === AF_INET6 ? 6 : undefined;
};

/** The family of a listening TCP socket; undefined for every other descriptor. */
export const listeningFamily = (native: NativeSockets, fd: number): Family | undefined =>
  factOf(native, fd, SO_ACCEPTCONN) === 1
    ? familyOf(native, fd, SOCK_STREAM, IPPROTO_TCP)
    : undefined;

/** The family of a UDP socket; undefined for every other descriptor. */
export const datagramFamily = (native: NativeSockets, fd: number): Family | undefined =>
  familyOf(native, fd, SOCK_DGRAM, IPPROTO_UDP);

/** Whether a socket is bound to its family's own loopback address, where the packet filter leads. */
export const isOnLoopback = (native: NativeSockets, fd: number, family: Family): boolean =>
  native.boundTo(fd)?.address === (family === 4 ? '127.0.0.1' : '::1');

/** Takes back Node's leave for others to bind to the same port and get its datagrams; it gives that to all it is handed. */
export const bindAlone = (native: NativeSockets, fd: number): boolean =>
  native.setOption(fd, SOL_SOCKET, SO_REUSEADDR, int(0));

/** Bounds what the kernel may hold in each direction. */
export const boundBuffers = (native: NativeSockets, fd: number, bytes: number): boolean =>
  native.setOption(fd, SOL_SOCKET, SO_RCVBUF, int(bytes)) &&
  native.setOption(fd, SOL_SOCKET, SO_SNDBUF, int(bytes));

/** What each connection of a listening socket inherits: not even accepted it breaks, and what the kernel holds of it is bounded. */
export const prepareListening = (native: NativeSockets, fd: number): boolean =>
  breakOnClose(native, fd) && boundBuffers(native, fd, SOCKET_BUFFER_BYTES);

/** Bounds what the kernel holds of a connection that comes while there are so many already. */
export const boundInCrowd = (native: NativeSockets, socket: Socket, others: number): void => {
  const fd = others < CROWD_CONNECTIONS ? undefined : descriptorOf(socket);
  if (fd !== undefined) boundBuffers(native, fd, CROWD_BUFFER_BYTES);
};

export const createDestinationOf =
  (native: NativeSockets): DestinationOf =>
  (socket, family) => {
    const fd = descriptorOf(socket);
    if (fd === undefined) return undefined;
    const level = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
    const value = native.option(fd, level, SO_ORIGINAL_DST, SOCKADDR_BYTES);
    return value === undefined ? undefined : readSockaddr(value);
  };

/**
 * A connection that closes without having been ended is reset, also by the end of this process, so that nothing
 * cut short looks complete inside. One that was ended keeps the kernel at it until everything has arrived.
 */
export const breakUnlessEnded = (native: NativeSockets, socket: Socket): void => {
  const own = descriptorOf(socket);
  if (own !== undefined) breakOnClose(native, own);
  /* oxlint-disable no-underscore-dangle -- Node's name for the last step before the descriptor is closed */
  const destroy = socket._destroy.bind(socket);
  socket._destroy = (error, done) => {
    /* oxlint-enable no-underscore-dangle */
    const fd = descriptorOf(socket);
    // Asked of the kernel, because TLS ends the connection below the socket's own methods.
    const state = fd === undefined ? undefined : native.option(fd, IPPROTO_TCP, TCP_INFO, 1)?.[0];
    if (fd !== undefined && state !== undefined && ENDED.has(state)) {
      native.setOption(fd, SOL_SOCKET, SO_LINGER, LINGERS);
    }
    destroy(error, done);
  };
};

/**
 * How long the connection has been half closed from inside with nothing said on it, in milliseconds; 0 where it
 * is whole. The kernel cannot tell a program that waits for its answer from one that is gone.
 */
export const halfClosedFor = (native: NativeSockets, socket: Socket): number => {
  const fd = descriptorOf(socket);
  const info = fd === undefined ? undefined : native.option(fd, IPPROTO_TCP, TCP_INFO, INFO_BYTES);
  if (info?.length !== INFO_BYTES || info[0] !== CLOSE_WAIT) return 0;
  return Math.min(info.readUInt32LE(INFO_LAST_SENT), info.readUInt32LE(INFO_LAST_RECEIVED));
};
