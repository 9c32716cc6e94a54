import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import type { Duplex } from 'node:stream';
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { WebSocketServer } from 'ws';
import type { TestAuthority } from '../testing/certificates.ts';
import { listenPlain, type Upstream } from '../testing/setup.ts';
import { CREDENTIALS, HOSTS, WATCHED, type AnswerPlan, type HostKey, type Leak } from './plan.ts';
import type { Pairs } from './render.ts';
import { SPELLINGS } from './spell.ts';

/** One request as a server got it. */
export type Received = {
  readonly host: string;
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly trailers: Pairs;
  readonly protocol: 'h1' | 'h2' | 'ws' | 'tcp';
};

/** What a server sent in answer to a request, before any coding. */
export type Sent = {
  readonly status: number;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly trailers: Pairs;
};

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

const CODERS: Readonly<Record<AnswerPlan['coding'], (bytes: Buffer) => Buffer>> = {
  '': (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  'raw deflate': (bytes) => deflateRawSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  'br, gzip': (bytes) => gzipSync(brotliCompressSync(bytes)),
};
const MIRRORED_BYTES = 4096;

export const secretOf = (index: number | 'watched'): string =>
  index === 'watched' ? WATCHED : (CREDENTIALS[index]?.secret ?? '');
const spelt = ({ secret, spelling }: Pick<Leak, 'secret' | 'spelling'>): string =>
  SPELLINGS[spelling](secretOf(secret));

const pairs = (raw: readonly string[]): Pairs =>
  raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []));
const cutInto = (bytes: Buffer, parts: number): Buffer[] => {
  const size = Math.max(1, Math.ceil(bytes.length / parts));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
};

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

  type Asked = IncomingMessage | Http2ServerRequest;
  type Answering = ServerResponse | Http2ServerResponse;
  const isHttp2 = (request: Asked): request is Http2ServerRequest => request.httpVersionMajor === 2;

  const answerTo = (request: Asked, response: Answering, got: Received): void => {
    const plan = answers.get(got.id);
    if (plan === undefined) {
      response.statusCode = 500;
      response.end();
      return;
    }
    const at = (where: Leak['where']): string[] =>
      plan.leaks.filter((leak) => leak.where === where).map(spelt);
    const mirror = plan.mirror
      ? Buffer.concat([
          Buffer.from(JSON.stringify([got.method, got.target, got.headers, got.trailers])),
          got.body.subarray(0, MIRRORED_BYTES),
        ])
      : Buffer.alloc(0);
    const whole = Buffer.concat([
      Buffer.from('begin '),
      mirror,
      Buffer.from('. filler '.repeat(Math.ceil(plan.filler / 9)).slice(0, plan.filler)),
      ...at('body').flatMap((text) => [
        Buffer.from('\n[', 'latin1'),
        Buffer.from(text, 'latin1'),
        Buffer.from(']\n'),
      ]),
      Buffer.from(' end'),
    ]);
    const bodiless = got.method === 'HEAD' || plan.status === 204 || plan.status === 304;
    const trailers: Pairs = [
      ['x-end', 'done'],
      ...at('trailer').map((text, index) => [`x-leak-${String(index)}`, text] as const),
    ];
    const headers: Pairs = [
      ['x-answer', `${got.id}; plain`],
      ['x-answer', 'twice'],
      ['content-type', 'text/plain; charset=latin1'],
      ['set-cookie', `id=${got.id}; Path=/`],
      ...at('header').map((text, index) => [`x-leak-${String(index)}`, `k=${text}`] as const),
    ];
    const trailing = !bodiless && (isHttp2(request) || plan.framing === 'chunked');
    sent.set(got.id, {
      status: plan.status,
      headers,
      body: bodiless ? Buffer.alloc(0) : whole,
      trailers: trailing ? trailers : [],
    });
    const coded = CODERS[plan.coding](whole);
    for (const name of new Set(headers.map(([field]) => field))) {
      const values = headers.filter(([other]) => other === name).map(([, value]) => value);
      response.setHeader(name, values.length === 1 ? (values[0] ?? '') : values);
    }
    if (plan.coding !== '' && !bodiless)
      response.setHeader(
        'content-encoding',
        plan.coding === 'raw deflate' ? 'deflate' : plan.coding,
      );
    if (plan.framing === 'length' && !bodiless) response.setHeader('content-length', coded.length);
    if (plan.framing === 'close' && !isHttp2(request)) {
      response.setHeader('connection', 'close');
      Object.assign(response, { useChunkedEncodingByDefault: false });
    }
    if (trailing && !isHttp2(request)) response.setHeader('trailer', 'x-end');
    response.statusCode = plan.status;
    if (bodiless) {
      response.end();
      return;
    }
    const parts = cutInto(coded, plan.writes);
    const next = (): void => {
      const part = parts.shift();
      if (part === undefined) {
        if (trailing) response.addTrailers(Object.fromEntries(trailers));
        response.end();
        return;
      }
      (response as ServerResponse).write(part, () => setImmediate(next));
    };
    next();
  };

  const listener =
    (host: string) =>
    (request: Asked, response: Answering): void => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      const keep = (): Received => {
        const got: Received = {
          host,
          id: String(request.headers['x-id'] ?? ''),
          method: request.method ?? '',
          target: request.url ?? '',
          headers: pairs(request.rawHeaders),
          body: Buffer.concat(parts),
          trailers: pairs(request.rawTrailers),
          protocol: isHttp2(request) ? 'h2' : 'h1',
        };
        take(got);
        return got;
      };
      let ended = false;
      request.once('end', () => {
        ended = true;
        const got = keep();
        // A stream that was reset ends too.
        if (!request.aborted) answerTo(request, response, got);
      });
      // What was broken off has arrived all the same.
      request.once('close', () => {
        if (!ended) keep();
      });
    };

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
        headers: pairs(request.rawHeaders),
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
