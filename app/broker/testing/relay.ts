import { writeFileSync } from 'node:fs';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createConnection, createServer, type Socket } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { breakUnlessEnded } from '../process/captured-socket.ts';
import { createNativeSockets } from '../process/native-sockets.ts';
import { noteOf } from './destinations.ts';
import { handOver } from './hand-over.ts';

/** A gateway in small: what the real one hands over and says, from inside a test. */
export type TestRelay = {
  /** The link, over which heads of refused datagrams go. */
  readonly link: Socket;
  /** A captured connection, as a program inside would open it. */
  readonly open: (destination: string) => Socket;
  /** Where the sandbox's connections arrive. */
  readonly port: number;
  /** Where its DNS arrives: datagrams and connections. */
  readonly dns: { readonly datagrams: number; readonly connections: number };
  /** The answer to a question asked in a datagram; rejects where nobody listens or says anything. */
  readonly ask: (query: Buffer) => Promise<Buffer>;
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
export const descriptorOfHandle = (owner: Server | Socket | DatagramSocket): number => {
  const inner = Object.getOwnPropertySymbols(owner).find(
    (one) => one.description === 'state symbol',
  );
  const holder: unknown = inner === undefined ? owner : Reflect.get(owner, inner);
  const handle = Reflect.get(holder as object, inner === undefined ? '_handle' : 'handle') as {
    readonly fd: number;
  };
  return handle.fd;
};

const native = createNativeSockets();

let connections = 0;
/** A source address of its own for each connection, by which the broker process finds its destination. */
const nextSource = (): string => {
  connections += 1;
  return `127.${String(64 + (connections >> 16))}.${String((connections >> 8) & 255)}.${String(connections & 255)}`;
};

/** The link alone. */
export const connectLink = (linkFolder: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const link = createConnection(join(linkFolder, 'link.sock'));
    link.once('error', reject);
    link.once('connect', () => {
      link.on('error', () => undefined);
      resolve(link);
    });
  });

/** How long an answer to a question may take, in milliseconds. */
const ANSWER_MS = 10_000;

/** Asks one question in a datagram. */
export const askDatagram = (port: number, query: Buffer, host = '127.0.0.1'): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const late = setTimeout(() => socket.emit('error', new Error('no answer')), ANSWER_MS);
    socket.once('close', () => clearTimeout(late));
    socket.once('error', (failed) => {
      socket.close();
      reject(failed);
    });
    socket.once('message', (answer) => {
      socket.close();
      resolve(answer);
    });
    socket.connect(port, host, () => socket.send(query));
  });

export const listenOnLoopback = async (host = '127.0.0.1'): Promise<Server> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return server;
};

export const bindOnLoopback = async (host = '127.0.0.1'): Promise<DatagramSocket> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  return socket;
};

/** What no name is asked in: the answer says so, and nothing is recorded. */
const NO_QUESTION = Buffer.from([0x12, 0x34, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** Hands sockets of its own over, and links; resolves once the broker answers on them. */
export const connectRelay = async (linkFolder: string): Promise<TestRelay> => {
  const [server, dnsServer] = [await listenOnLoopback(), await listenOnLoopback()];
  const dnsSocket = await bindOnLoopback();
  const { port } = server.address() as AddressInfo;
  const dns = {
    datagrams: dnsSocket.address().port,
    connections: (dnsServer.address() as AddressInfo).port,
  };
  let link: Socket;
  try {
    const descriptors = [server, dnsSocket, dnsServer].map(descriptorOfHandle);
    (await handOver(linkFolder, descriptors, Buffer.from('cdt'))).destroy();
    link = await connectLink(linkFolder);
  } finally {
    server.close();
    dnsServer.close();
    dnsSocket.close();
  }
  await Promise.race([
    askDatagram(dns.datagrams, NO_QUESTION),
    new Promise((_resolve, reject) => {
      link.once('close', () => reject(new Error('the link was closed')));
    }),
  ]);
  const ask: TestRelay['ask'] = (query) => askDatagram(dns.datagrams, query);
  return {
    link,
    port,
    dns,
    open: (destination) => {
      const localAddress = nextSource();
      writeFileSync(noteOf(linkFolder, localAddress), destination);
      const socket = connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
      socket.on('error', () => undefined);
      // Destroyed, it breaks, as the connection of a program that is killed while it is sent something.
      socket.once('connect', () => breakUnlessEnded(native, socket));
      return socket;
    },
    ask,
    addressOf: async (name) => {
      const body = await ask(dnsQuery(name));
      if (body.length < 20 || body.readUInt16BE(6) !== 1) throw new Error(`no address for ${name}`);
      return Array.from(body.subarray(body.length - 4)).join('.');
    },
    close: () => link.destroy(),
  };
};
