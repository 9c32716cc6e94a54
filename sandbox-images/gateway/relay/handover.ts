import { createConnection, createServer, type Server, type Socket } from 'node:net';
import koffi from 'koffi';

/** Connections the kernel may hold ready before the broker accepts them. */
export const MAX_BACKLOG = 4096;
/** How long the broker's socket may take to be there, in milliseconds. */
export const HANDOVER_TIMEOUT_MS = 2000;

/** sys/socket.h */
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CMSG_HEADER_BYTES = 16;
const CMSG_ALIGN = 8;
/** The message is its descriptors; it carries a byte because an empty one would be none. */
const MESSAGE = Buffer.of(1);

/** Sends descriptors over a connected Unix socket (unix(7)); throws where it does not go out at once. */
type SendDescriptors = (socket: Socket, descriptors: readonly number[]) => void;

const createSendDescriptors = (): SendDescriptors => {
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
  const header = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    iov: koffi.pointer(iovec),
    iovCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const sendmsg = koffi
    .load('libc.so.6')
    .func('sendmsg', 'long', ['int', koffi.pointer(header), 'int']);
  return (socket, descriptors) => {
    const dataBytes = descriptors.length * 4;
    const control = Buffer.alloc(
      CMSG_HEADER_BYTES + Math.ceil(dataBytes / CMSG_ALIGN) * CMSG_ALIGN,
    );
    control.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + dataBytes), 0);
    control.writeInt32LE(SOL_SOCKET, 8);
    control.writeInt32LE(SCM_RIGHTS, 12);
    for (const [at, fd] of descriptors.entries()) {
      control.writeInt32LE(fd, CMSG_HEADER_BYTES + at * 4);
    }
    const message = {
      name: null,
      nameLength: 0,
      iov: [{ base: MESSAGE, length: MESSAGE.length }],
      iovCount: 1,
      control,
      controlLength: control.length,
      flags: 0,
    };
    const sent = Number(sendmsg(descriptorOf(socket), message, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (sent !== MESSAGE.length) throw new Error(`sendmsg: errno ${koffi.errno()}`);
  };
};

/** Node shows the descriptor of a socket or server on its handle alone. */
const descriptorOf = (owner: Socket | Server): number => {
  const handle: unknown = Reflect.get(owner, '_handle');
  const fd: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : -1;
  if (typeof fd !== 'number' || fd < 0) throw new Error('the socket has no descriptor');
  return fd;
};

const listen = (family: 4 | 6, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    // Nothing is accepted here before the sockets are handed over; if it were, it must break.
    const server = createServer((socket) => socket.resetAndDestroy());
    server.once('error', reject);
    const host = family === 4 ? '127.0.0.1' : '::1';
    const options = { host, port, backlog: MAX_BACKLOG, ipv6Only: family === 6, exclusive: true };
    server.listen(options, () => resolve(server));
  });

const connect = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.setTimeout(HANDOVER_TIMEOUT_MS, () => {
      socket.destroy(new Error('the broker does not answer'));
    });
    socket.on('error', reject);
    socket.once('connect', () => resolve(socket));
  });

/**
 * Listens where captured connections arrive and hands the listening sockets themselves to the broker, which from
 * then on accepts on its own: not a byte of the sandbox passes here. Rejects where that fails; in the end nobody
 * here listens, either way.
 */
export type HandOver = () => Promise<void>;

export const createHandOver = (
  socketPath: string,
  families: readonly (4 | 6)[],
  port: number,
): HandOver => {
  const sendDescriptors = createSendDescriptors();
  return async () => {
    const carrier = await connect(socketPath);
    const servers: Server[] = [];
    try {
      for (const family of families) servers.push(await listen(family, port));
      sendDescriptors(carrier, servers.map(descriptorOf));
    } finally {
      for (const server of servers) server.close();
      carrier.destroy();
    }
  };
};
