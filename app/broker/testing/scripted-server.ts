import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { CallHead } from '../process/http-call.ts';

/** The smallest request, and an answer to it. */
export const GET: CallHead = {
  method: 'GET',
  target: '/',
  headers: [['Host', 'a.test']],
  framing: { type: 'none' },
  authority: 'a.test',
  sensitive: () => [],
  protocol: undefined,
};
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A server that says what a test tells it to, byte for byte. */
export type ScriptedServer = {
  readonly port: number;
  /** Connections in the order in which they came, and all that each has sent. */
  readonly sockets: readonly Socket[];
  readonly heard: readonly string[];
  /** A connection to it, from the client's side. */
  readonly dial: () => Promise<Socket>;
  readonly close: () => Promise<void>;
};

/** Listens on loopback; `answer` is told what came, and on which connection. */
export const listenScripted = async (
  answer: (socket: Socket, text: string, connection: number) => void,
): Promise<ScriptedServer> => {
  const sockets: Socket[] = [];
  const heard: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = sockets.push(socket) - 1;
    heard.push('');
    socket.on('error', () => undefined);
    socket.on('data', (part: Buffer) => {
      const text = part.toString('latin1');
      heard[connection] += text;
      answer(socket, text, connection);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clients = new Set<Socket>();
  return {
    port,
    sockets,
    heard,
    dial: () =>
      new Promise((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
        socket.on('error', () => undefined);
        clients.add(socket);
      }),
    close: async () => {
      for (const socket of [...clients, ...sockets]) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
};

/** Waits for something that is about to be true, ten seconds at most. */
export const until = async (test: () => boolean, what: string): Promise<void> => {
  const end = performance.now() + 10_000;
  while (!test()) {
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};
