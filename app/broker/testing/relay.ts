import { writeFileSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, createConnection, createServer, type Socket } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { breakUnlessEnded } from '../process/captured-socket.ts';
import { createNativeSockets } from '../process/native-sockets.ts';
import { noteOf } from './destinations.ts';
import { handOver } from './hand-over.ts';

/** A gateway's relay in small: what the real one says over the link, from inside a test. */
export type TestRelay = {
  readonly session: ClientHttp2Session;
  /** A captured connection, as a program inside would open it. */
  readonly open: (destination: string) => Socket;
  /** Where the sandbox's connections arrive. */
  readonly port: number;
  readonly post: (
    path: string,
    type: string,
    body: Buffer,
  ) => Promise<{ status: number; body: Buffer }>;
  /** The zone's address for a name, asked for as a program would. */
  readonly addressOf: (name: string) => Promise<string>;
  readonly close: () => void;
};

/** A DNS query in wire format. */
export const dnsQuery = (name: string, type = 1, id = 0x1234): Buffer => {
  const labels = name.split('.').filter((label) => label !== '');
  const parts = labels.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
  );
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...parts, Buffer.from([0, type >> 8, type & 255, 0, 1])]);
};

/** The descriptor behind a socket or server. */
export const descriptorOfHandle = (owner: Server | Socket): number => {
  const handle = Reflect.get(owner, '_handle') as { readonly fd: number };
  return handle.fd;
};

const native = createNativeSockets();

let connections = 0;
/** A source address of its own for each connection, by which the broker process finds its destination. */
const nextSource = (): string => {
  connections += 1;
  return `127.${String(64 + (connections >> 16))}.${String((connections >> 8) & 255)}.${String(connections & 255)}`;
};

/** The relay's questions and reports alone. */
export const connectLink = async (
  linkFolder: string,
): Promise<Pick<TestRelay, 'session' | 'post' | 'close'>> => {
  const session = connect('http://glovebox', {
    createConnection: () => createConnection(join(linkFolder, 'link.sock')),
    settings: { enablePush: false },
  });
  session.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    session.once('error', reject);
  });
  const post: TestRelay['post'] = (path, type, body) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
      let status = 0;
      const parts: Buffer[] = [];
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', reject);
      stream.on('close', () => resolve({ status, body: Buffer.concat(parts) }));
      stream.end(body);
    });
  return { session, post, close: () => session.destroy() };
};

export const HELLO = Buffer.from('{"version":"1"}');

export const connectRelay = async (linkFolder: string): Promise<TestRelay> => {
  const { session, post, close } = await connectLink(linkFolder);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const carrier = await handOver(linkFolder, [descriptorOfHandle(server)]);
  server.close();
  await post('/hello', 'application/json', HELLO);
  carrier.destroy();
  return {
    session,
    port,
    open: (destination) => {
      const localAddress = nextSource();
      writeFileSync(noteOf(linkFolder, localAddress), destination);
      const socket = connectTcp({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
      socket.on('error', () => undefined);
      // Destroyed, it breaks, as the connection of a program that is killed while it is sent something.
      socket.once('connect', () => breakUnlessEnded(native, socket));
      return socket;
    },
    post,
    addressOf: async (name) => {
      const { body } = await post('/dns-query', 'application/dns-message', dnsQuery(name));
      if (body.length < 20 || body.readUInt16BE(6) !== 1) throw new Error(`no address for ${name}`);
      return Array.from(body.subarray(body.length - 4)).join('.');
    },
    close,
  };
};
