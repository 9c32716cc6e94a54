import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { EgressDraft } from '../../contract/index.ts';
import { createTestAuthority } from './certificates.ts';
import { createRig, listenPlain, listenTls, SECRET, type Rig, type Upstream } from './setup.ts';

export const PROXY = '192.0.2.80';

/** A server that speaks no HTTP. */
const listenRaw = async (onConnection: (socket: Socket) => void): Promise<Upstream> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
};

/** All that comes until the stream ends or closes. */
export const readAll = (stream: Duplex): Promise<string> =>
  new Promise((resolve) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => undefined);
    stream.once('close', () => resolve(Buffer.concat(parts).toString('latin1')));
    stream.once('end', () => resolve(Buffer.concat(parts).toString('latin1')));
  });

/** The next bytes, at least so many. */
export const readSome = (stream: Duplex, bytes: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    let have: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      for (;;) {
        const chunk = stream.read() as Buffer | null;
        if (chunk === null) return;
        have = Buffer.concat([have, chunk]);
        if (have.length < bytes) continue;
        stream.removeListener('readable', onReadable);
        stream.removeListener('close', onClose);
        if (have.length > bytes) stream.unshift(have.subarray(bytes));
        resolve(have.subarray(0, bytes));
        return;
      }
    };
    const onClose = (): void => reject(new Error(`closed after ${have.toString('latin1')}`));
    stream.on('readable', onReadable);
    stream.once('close', onClose);
  });

/** A broker, and servers that speak TCP, TLS and HTTP, for connections that are not (yet) HTTP. */
export type Wires = {
  readonly rig: Rig;
  /** What came to the server at raw.test, piece by piece. */
  readonly received: readonly string[];
  /** How many requests came to the server at web.test. */
  readonly webRequests: () => number;
  /** A connection to the broker's proxy. */
  readonly toProxy: (port?: number) => Duplex;
  /** What a piece of work put on the record. */
  readonly recorded: (count: number, work: () => Promise<void>) => Promise<EgressDraft[]>;
  readonly close: () => Promise<void>;
};

export const openWires = async (): Promise<Wires> => {
  const received: string[] = [];
  let webRequests = 0;
  const authority = await createTestAuthority();
  const echo = await listenRaw((socket) => {
    socket.on('data', (part: Buffer) => received.push(part.toString('latin1')));
    socket.pipe(socket);
  });
  const greeter = await listenRaw((socket) => {
    socket.write('220 ready\r\n');
    socket.once('data', (part: Buffer) => socket.end(`250 heard ${part.toString()}`));
  });
  const careless = await listenRaw((socket) => {
    socket.once('data', () => {
      socket.write(`your key: ${SECRET.slice(0, 20)}`);
      setTimeout(() => socket.write(`${SECRET.slice(20)} keep it`), 5);
    });
  });
  const pinned = await listenTls(
    await createTestAuthority(),
    ['pinned.test'],
    (_request, response) => response.end('own certificate'),
  );
  const web = await listenTls(authority, ['web.test', 'granted.test'], (request, response) => {
    webRequests += 1;
    response.end(`${String(request.url)} ${String(request.headers.authorization)}`);
  });
  const plain = await listenPlain((request, response) => {
    const forProxies = Object.keys(request.headers).filter((name) => name.startsWith('proxy'));
    response.end(`${forProxies.join()}${String(request.headers.host)}${String(request.url)}`);
  });
  const local = (name: string, port: number, { port: at }: Upstream): string =>
    `${name}:${String(port)}:127.0.0.1:${String(at)}`;
  const rig = await createRig({
    authority,
    allow: [
      'raw.test:5000',
      'greeter.test:25',
      'careless.test:5000',
      'web.test',
      'granted.test',
      'web.test:9443',
      'plain.test',
      'other.test',
      '169.254.169.254',
      '127.0.0.1:5999',
      '*.suffix.test:5000',
      'nothing.test:5000',
    ],
    passThrough: ['pinned.test'],
    resolve: [
      local('raw.test', 5000, echo),
      local('a.suffix.test', 5000, echo),
      local('raw.test', 5001, echo),
      local('greeter.test', 25, greeter),
      local('careless.test', 5000, careless),
      local('pinned.test', 443, pinned),
      local('web.test', 443, web),
      local('web.test', 9443, web),
      local('granted.test', 443, web),
      local('plain.test', 80, plain),
      local('other.test', 80, plain),
      'nothing.test:5000:127.0.0.1:1',
    ],
    grants: [{ kind: 'bearer', hosts: ['granted.test'] }],
  });
  return {
    rig,
    received,
    webRequests: () => webRequests,
    toProxy: (port = 3128) => rig.relay.open(`${PROXY}:${String(port)}`),
    recorded: async (count, work) => {
      const before = (await rig.egress(0)).length;
      await work();
      return (await rig.egress(before + count)).slice(before);
    },
    close: async () => {
      await rig.close();
      for (const server of [echo, greeter, careless, pinned, web, plain]) await server.close();
    },
  };
};
