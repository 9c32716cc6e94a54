import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { endpointText, type Endpoint } from './endpoint.ts';
import type { Link } from './link.ts';

/** Most bytes of a query; what claims to be longer is none. */
export const MAX_QUERY_BYTES = 4096;
/** Fewest bytes of a DNS message: its header (RFC 1035 4.1.1). */
export const MIN_MESSAGE_BYTES = 12;
/** Queries under way at once; more are dropped, as resolvers ask again. */
export const MAX_QUERIES = 1024;
/** Queries under way at once on one TCP connection. */
export const MAX_QUERIES_PER_CONNECTION = 32;
/** Longer than the broker's own limit, so that its answer wins. */
export const QUERY_TIMEOUT_MS = 15_000;
/** DNS connections at once; further ones are closed. */
export const MAX_CONNECTIONS = 256;
/** How long a DNS connection may say nothing. */
export const CONNECTION_IDLE_MS = 30_000;

const SERVFAIL = 2;

/** Answers one message in wire format (RFC 8484); undefined means: say nothing. */
export type Ask = (query: Buffer, source: Endpoint) => Promise<Buffer | undefined>;

export const createAsk = (link: Link): Ask => {
  let queries = 0;
  return async (query, source) => {
    if (query.length < MIN_MESSAGE_BYTES) return undefined;
    if (!link.up()) return serverFailure(query);
    if (queries >= MAX_QUERIES) return undefined;
    queries += 1;
    try {
      const answer = await link.post('/dns-query', {
        type: 'application/dns-message',
        body: query,
        source: endpointText(source),
        timeoutMs: QUERY_TIMEOUT_MS,
      });
      if (answer === undefined || answer.length < MIN_MESSAGE_BYTES) return serverFailure(query);
      return answer;
    } finally {
      queries -= 1;
    }
  };
};

/** The header alone, as an answer that says it could not be done (RFC 1035 4.1.1). */
export const serverFailure = (query: Buffer): Buffer => {
  const answer = Buffer.alloc(MIN_MESSAGE_BYTES);
  query.copy(answer, 0, 0, 4);
  answer[2] = 0x80 | ((answer[2] ?? 0) & 0x79);
  answer[3] = SERVFAIL;
  return answer;
};

/** Listens for redirected datagrams to port 53. */
export const listenDns = (
  ask: Ask,
  family: 4 | 6,
  port: number,
  onFailure: (failure: Error) => void,
): DatagramSocket => {
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
  const reply = async (query: Buffer, source: Endpoint): Promise<void> => {
    const answer = await ask(query, source);
    // The asker may be gone: its own loss.
    if (answer !== undefined) socket.send(answer, source.port, source.address, () => undefined);
  };
  socket.on('message', (query, { address, port: from }) => {
    if (query.length > MAX_QUERY_BYTES) return;
    void reply(query, { address, port: from });
  });
  socket.on('error', onFailure);
  socket.bind(port, family === 4 ? '127.0.0.1' : '::1');
  return socket;
};

/** Listens for redirected connections to port 53. */
export const listenDnsConnections = (
  ask: Ask,
  family: 4 | 6,
  port: number,
  onFailure: (failure: Error) => void,
): Server => {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    const { remoteAddress: address, remotePort } = socket;
    if (address === undefined || remotePort === undefined) socket.destroy();
    else serveDnsConnection(socket, { address, port: remotePort }, ask);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', onFailure);
  server.listen({ host: family === 4 ? '127.0.0.1' : '::1', port, ipv6Only: family === 6 });
  return server;
};

/** Serves DNS over TCP: each message after two bytes of length (RFC 1035 4.2.2), answers in any order (RFC 7766). */
export const serveDnsConnection = (socket: Socket, source: Endpoint, ask: Ask): void => {
  let pending: Buffer = Buffer.alloc(0);
  let underWay = 0;
  let ended = false;
  const reply = async (query: Buffer): Promise<void> => {
    const answer = await ask(query, source);
    underWay -= 1;
    if (answer === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answer.length);
    socket.write(Buffer.concat([length, answer]));
    take();
  };
  const take = (): void => {
    while (underWay < MAX_QUERIES_PER_CONNECTION && pending.length >= 2) {
      const bytes = pending.readUInt16BE(0);
      if (bytes > MAX_QUERY_BYTES) {
        socket.resetAndDestroy();
        return;
      }
      if (pending.length < 2 + bytes) break;
      const query = Buffer.from(pending.subarray(2, 2 + bytes));
      pending = pending.subarray(2 + bytes);
      underWay += 1;
      void reply(query);
    }
    if (underWay >= MAX_QUERIES_PER_CONNECTION) socket.pause();
    else if (!ended) socket.resume();
    if (ended && underWay === 0) socket.end();
  };
  socket.setTimeout(CONNECTION_IDLE_MS, () => {
    socket.destroy();
  });
  socket.on('data', (part: Buffer) => {
    pending = pending.length === 0 ? part : Buffer.concat([pending, part]);
    take();
  });
  socket.on('end', () => {
    ended = true;
    take();
  });
};
