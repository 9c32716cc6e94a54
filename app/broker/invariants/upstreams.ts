import { createSecureServer } from 'node:http2';
import type { IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { TestAuthority } from '../testing/certificates.ts';
import { listenPlain, type Upstream } from '../testing/setup.ts';
import {
  createHttpListener,
  pairsOfRaw,
  type Received,
  type Script,
  type Sent,
} from './http-server.ts';
import { CREDENTIALS, HOSTS, WATCHED, type AnswerPlan, type HostKey, type Leak } from './plan.ts';
import { SPELLINGS } from './spell.ts';

export type Upstreams = {
  readonly ports: Readonly<Record<HostKey | 'raw' | 'pinned', number>>;
  readonly received: Received[];
  /** The same by id. */
  readonly byId: ReadonlyMap<string, readonly Received[]>;
  readonly sent: Map<string, Sent>;
  /** What is to be answered to the request of an id. */
  readonly answers: Map<string, AnswerPlan>;
  /** What a WebSocket or raw server says of its own after each message. */
  readonly says: Map<string, readonly string[]>;
  /** Connections at addresses that no policy lets through. */
  readonly forbidden: () => number;
  readonly close: () => Promise<void>;
};

const MIRRORED_BYTES = 4096;

export const secretOf = (index: number | 'watched'): string =>
  index === 'watched' ? WATCHED : (CREDENTIALS[index]?.secret ?? '');
const spelt = ({ secret, spelling }: Pick<Leak, 'secret' | 'spelling'>): string =>
  SPELLINGS[spelling](secretOf(secret));

const listenOn = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

/** Servers that keep all they get, and give back all they know, in whatever form they were told. */
export const startUpstreams = async (
  authority: TestAuthority,
  stranger: TestAuthority,
): Promise<Upstreams> => {
  const received: Received[] = [];
  const byId = new Map<string, Received[]>();
  const take = (got: Received): void => {
    received.push(got);
    const there = byId.get(got.id);
    if (there === undefined) byId.set(got.id, [got]);
    else there.push(got);
  };
  const sent = new Map<string, Sent>();
  const answers = new Map<string, AnswerPlan>();
  const says = new Map<string, readonly string[]>();
  const sockets = new Set<Socket>();
  const closers: (() => void)[] = [];
  let forbidden = 0;

  const scriptFor = (got: Received): Script | undefined => {
    const plan = answers.get(got.id);
    if (plan === undefined) return undefined;
    const at = (where: Leak['where']): string[] =>
      plan.leaks.filter((leak) => leak.where === where).map(spelt);
    const mirror = plan.mirror
      ? Buffer.concat([
          Buffer.from(JSON.stringify([got.method, got.target, got.headers, got.trailers])),
          got.body.subarray(0, MIRRORED_BYTES),
        ])
      : Buffer.alloc(0);
    return {
      ...plan,
      headers: [
        ['x-answer', `${got.id}; plain`],
        ['x-answer', 'twice'],
        ['content-type', 'text/plain; charset=latin1'],
        ['set-cookie', `id=${got.id}; Path=/`],
        ...at('header').map((text, index) => [`x-leak-${String(index)}`, `k=${text}`] as const),
      ],
      body: Buffer.concat([
        Buffer.from('begin '),
        mirror,
        Buffer.from('. filler '.repeat(Math.ceil(plan.filler / 9)).slice(0, plan.filler)),
        ...at('body').flatMap((text) => [
          Buffer.from('\n[', 'latin1'),
          Buffer.from(text, 'latin1'),
          Buffer.from(']\n'),
        ]),
        Buffer.from(' end'),
      ]),
      trailers: [
        ['x-end', 'done'],
        ...at('trailer').map((text, index) => [`x-leak-${String(index)}`, text] as const),
      ],
    };
  };
  const listener = createHttpListener({
    take,
    scriptFor,
    onSent: (id, what) => sent.set(id, what),
  });

  const track = (server: Server): Server => {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    return server;
  };
  const serve = (server: Server): Promise<number> => {
    track(server);
    closers.push(() => server.close());
    return listenOn(server);
  };

  const modern = createSecureServer(
    { ...(await authority.issue([HOSTS.modern])), allowHTTP1: true },
    listener(HOSTS.modern),
  );
  const plain = createTlsServer(await authority.issue([HOSTS.plain]), listener(HOSTS.plain));
  const bare = createTlsServer(await authority.issue([HOSTS.bare]), listener(HOSTS.bare));
  const pinned = createTlsServer(await stranger.issue(['pinned.test']), listener('pinned.test'));
  const decoy = createTcpServer((socket) => {
    forbidden += 1;
    socket.destroy();
  });

  const webSockets = new WebSocketServer({ noServer: true });
  plain.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const id = String(request.headers['x-id'] ?? '');
    const keep = (body: Buffer): void => {
      take({
        host: HOSTS.plain,
        id,
        method: 'GET',
        target: request.url ?? '',
        headers: pairsOfRaw(request.rawHeaders),
        body,
        trailers: [],
        protocol: 'ws',
      });
    };
    keep(Buffer.alloc(0));
    webSockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => undefined);
      let count = 0;
      ws.on('message', (data: Buffer, binary: boolean) => {
        keep(data);
        const leak = says.get(id)?.[count] ?? '';
        count += 1;
        ws.send(Buffer.concat([data, Buffer.from(leak, 'latin1')]), { binary });
      });
    });
  });

  const raw = createTcpServer({ allowHalfOpen: true }, (socket) => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.once('close', () => {
      const body = Buffer.concat(parts);
      const id = /^\0([\w-]+)/.exec(body.toString('latin1'))?.[1] ?? '';
      take({
        host: 'raw.test',
        id,
        method: '',
        target: '',
        headers: [],
        body,
        trailers: [],
        protocol: 'tcp',
      });
    });
    socket.once('end', () => {
      const body = Buffer.concat(parts);
      const id = /^\0([\w-]+)/.exec(body.toString('latin1'))?.[1] ?? '';
      for (const text of says.get(id) ?? []) socket.write(text, 'latin1');
      socket.end(body);
    });
  });

  const clear = await listenPlain(listener(HOSTS.clear));
  const decoyPort = await serve(decoy);
  const ports = {
    modern: await serve(modern),
    plain: await serve(plain),
    bare: await serve(bare),
    pinned: await serve(pinned),
    raw: await serve(raw),
    clear: (clear satisfies Upstream).port,
    denied: decoyPort,
    unlisted: decoyPort,
    rebinding: decoyPort,
  };
  return {
    ports,
    received,
    byId,
    sent,
    answers,
    says,
    forbidden: () => forbidden,
    close: async () => {
      for (const close of closers) close();
      for (const socket of sockets) socket.destroy();
      await clear.close();
    },
  };
};
