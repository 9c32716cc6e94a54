import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { sslRequest } from '../process/wires/postgres-startup.ts';
import { createTestAuthority } from '../testing/certificates.ts';
import { dnsQuery } from '../testing/relay.ts';
import { connectHttp2, listenHttp2 } from '../testing/http2.ts';
import { listenPlain, SECRET, type Upstream } from '../testing/setup.ts';
import { openBlackhole } from './blackhole.ts';
import {
  clientHello,
  descriptorsOf,
  endingOf,
  listenRaw,
  moment,
  openStand,
  type RawServer,
  type Stand,
} from './stand.ts';

const PROXY = '192.0.2.80';
const BODY_BYTES = 4_000_000;

/** What a phase leaves behind for the kill. */
type UnderWay = {
  /** How each of the sandbox's connections ends. */
  readonly endings: readonly Promise<{ readonly how: string }>[];
  /** What the server may have seen of it by then, in order. */
  readonly seen?: readonly string[];
};

describe('a broker process that is killed', () => {
  let stand: Stand;
  let mute: RawServer;
  let echo: RawServer;
  let blackhole: Upstream;
  let plain: Upstream;
  let hostDescriptors = 0;
  /** What the servers were told, and how far. */
  const seen: string[] = [];
  const closers: (() => Promise<void> | void)[] = [];

  const tell = (words: string): void => {
    seen.push(words);
  };

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const server = createTlsServer(await authority.issue(['api.test']), (request, response) => {
      const { url = '' } = request;
      if (url === '/hello') {
        response.end('hello');
        return;
      }
      tell(`${request.method ?? ''} ${url}`);
      request.on('error', () => undefined);
      request.once('data', () => tell('some of a body'));
      request.once('end', () => tell('all of a body'));
      request.resume();
      if (url === '/stream') {
        response.writeHead(200, { 'content-length': BODY_BYTES });
        response.write('x'.repeat(BODY_BYTES / 2));
      } else if (url === '/chunked') response.write('x'.repeat(1000));
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, { url }) => {
      tell(`WebSocket ${url ?? ''}`);
      socket.on('message', (data: Buffer) => socket.send(data.toString()));
      socket.on('close', (code) => tell(`WebSocket closed ${String(code)}`));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    mute = await listenRaw();
    echo = await listenRaw((socket) => {
      socket.pipe(socket);
      socket.once('end', () => tell('an orderly end'));
    });
    blackhole = await openBlackhole();
    const two = await listenHttp2(authority, ['two.test'], (stream, headers) => {
      tell(`${headers[':method'] ?? ''} ${headers[':path'] ?? ''}`);
      stream.respond({ ':status': 200 });
      stream.write('x'.repeat(1000));
    });
    closers.push(two.close);
    plain = await listenPlain((request, response) => {
      tell(`${request.method ?? ''} ${request.url ?? ''}`);
      // Without a length, the end of the connection is the end of the body.
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      response.write('x'.repeat(1000));
    });
    closers.push(mute.close, echo.close, blackhole.close, plain.close);
    const api = (server.address() as AddressInfo).port;
    const to = (name: string, port: number): string => `${name}:127.0.0.1:${String(port)}`;
    stand = await openStand({
      authority,
      allow: [
        'api.test',
        'mute.test',
        'black.test',
        'two.test',
        'plain.test:80',
        'raw.test:7000',
        'db.test:5432',
      ],
      resolve: [
        to('api.test:443', api),
        to('mute.test:443', mute.port),
        to('black.test:443', blackhole.port),
        to('two.test:443', two.port),
        to('plain.test:80', plain.port),
        to('raw.test:7000', echo.port),
        to('db.test:5432', mute.port),
      ],
      grants: [
        { kind: 'json:/token', hosts: ['api.test'] },
        { kind: 'postgres', hosts: ['db.test'], secret: 'the-real-database-password' },
      ],
    });
    await stand.rig.fetch('https://api.test/hello');
    hostDescriptors = descriptorsOf('self').length;
  }, 60_000);
  afterAll(async () => {
    await stand.close();
    for (const close of closers) await close();
  });

  const ended = (...streams: readonly Duplex[]): readonly Promise<{ readonly how: string }>[] =>
    streams.map(endingOf);
  const saw = (words: string): Promise<void> =>
    stand.rig.until(() => seen.includes(words), `the server to see "${words}"`);
  const head = (method: string, path: string, ...fields: readonly string[]): string =>
    `${[`${method} ${path} HTTP/1.1`, 'Host: api.test', ...fields].join('\r\n')}\r\n\r\n`;
  const request = async (path: string, until: string): Promise<UnderWay> => {
    const socket = await stand.rig.tls('api.test');
    const endings = ended(socket);
    socket.write(head('GET', path));
    await saw(until);
    return { endings, seen: [`GET ${path}`, 'all of a body'] };
  };

  const phases: readonly (readonly [string, () => Promise<UnderWay>])[] = [
    [
      'waits for the first byte',
      async () => ({ endings: ended(await stand.rig.tcp('api.test', 443)) }),
    ],
    [
      'has read half a ClientHello',
      async () => {
        const socket = await stand.rig.tcp('api.test', 443);
        socket.write((await clientHello('api.test')).subarray(0, 60));
        return { endings: ended(socket) };
      },
    ],
    [
      'is in the TLS handshake with the program',
      async () => {
        const socket = await stand.rig.tcp('api.test', 443);
        socket.write(await clientHello('api.test'));
        const answered = new Promise((resolve) => {
          socket.once('data', resolve);
        });
        const endings = ended(socket);
        await answered;
        return { endings };
      },
    ],
    [
      'asks a server for its protocol, and is not even connected',
      async () => {
        const socket = await stand.rig.tcp('black.test', 443);
        socket.write(await clientHello('black.test', ['h2', 'http/1.1']));
        return { endings: ended(socket) };
      },
    ],
    [
      'is in the TLS handshake with the server',
      async () => {
        const before = mute.connections();
        const socket = await stand.rig.tcp('mute.test', 443);
        socket.write(await clientHello('mute.test', ['h2', 'http/1.1']));
        await stand.rig.until(() => mute.connections() > before, 'a dial');
        return { endings: ended(socket) };
      },
    ],
    [
      'has read half a head',
      async () => {
        const socket = await stand.rig.tls('api.test');
        const endings = ended(socket);
        socket.write('POST /half HTTP/1.1\r\nHost: api.test\r\nX-Half: ');
        return { endings };
      },
    ],
    [
      'has judged a request and is not yet connected',
      async () => {
        const socket = await stand.rig.tls('black.test');
        const endings = ended(socket);
        socket.write('GET /never HTTP/1.1\r\nHost: black.test\r\n\r\n');
        return { endings };
      },
    ],
    [
      'holds half a body',
      async () => {
        const socket = await stand.rig.tls('api.test');
        const endings = ended(socket);
        const placeholder = stand.rig.grants[0]?.placeholder ?? '';
        const fields = ['Content-Type: application/json', 'Content-Length: 5000'];
        socket.write(`${head('POST', '/held', ...fields)}{"token":"${placeholder}","more":"`);
        return { endings };
      },
    ],
    [
      'passes an upload on',
      async () => {
        const socket = await stand.rig.tls('api.test');
        const endings = ended(socket);
        socket.write(`${head('PUT', '/up', 'Content-Length: 100000')}${'y'.repeat(50_000)}`);
        await saw('some of a body');
        return { endings, seen: ['PUT /up', 'some of a body'] };
      },
    ],
    ['waits for an answer', () => request('/wait', 'GET /wait')],
    ['passes an answer of known length on', () => request('/stream', 'GET /stream')],
    ['passes a chunked answer on', () => request('/chunked', 'GET /chunked')],
    [
      'passes an answer on that ends with its connection',
      async () => {
        const socket = await stand.rig.tcp('plain.test', 80);
        const endings = ended(socket);
        socket.write('GET /until-close HTTP/1.1\r\nHost: plain.test\r\n\r\n');
        await saw('GET /until-close');
        return { endings, seen: ['GET /until-close'] };
      },
    ],
    [
      'passes HTTP/2 answers on',
      async () => {
        const session = await connectHttp2(stand.rig, 'two.test');
        const carrier = session.socket;
        const end = new Promise<{ how: string }>((resolve) => {
          session.on('error', () => undefined);
          session.once('close', () => resolve({ how: broken }));
        });
        let broken = 'end';
        carrier.on('error', (failed: NodeJS.ErrnoException) => (broken = failed.code ?? 'failed'));
        const streams = [1, 2].map((number) =>
          session.request({ ':path': `/two-${String(number)}`, ':authority': 'two.test' }),
        );
        const endings = streams.map(
          (stream) =>
            new Promise<{ how: string }>((resolve) => {
              let how = 'closed';
              stream.on('end', () => (how = 'end'));
              stream.on('error', () => (how = 'ECONNRESET'));
              stream.on('close', () => resolve({ how }));
              stream.resume();
            }),
        );
        await saw('GET /two-2');
        return { endings: [end, ...endings], seen: ['GET /two-1', 'GET /two-2'] };
      },
    ],
    [
      'joins a WebSocket',
      async () => {
        const carrier = await stand.rig.tls('api.test');
        const socket = new WebSocket('wss://api.test/live', { createConnection: () => carrier });
        const code = new Promise<{ how: string }>((resolve) => {
          socket.on('error', () => undefined);
          socket.on('close', (number) => resolve({ how: number === 1006 ? 'ECONNRESET' : 'end' }));
        });
        await new Promise((resolve) => socket.once('open', resolve));
        socket.send('ping');
        await new Promise((resolve) => socket.once('message', resolve));
        return { endings: [code], seen: ['WebSocket /live', 'WebSocket closed 1006'] };
      },
    ],
    [
      'joins raw connections',
      async () => {
        const socket = await stand.rig.tcp('raw.test', 7000);
        const heard = new Promise((resolve) => {
          socket.once('data', resolve);
        });
        const endings = ended(socket);
        socket.write(Buffer.from([0, 1, 2, 3]));
        await heard;
        return { endings };
      },
    ],
    [
      'logs in to PostgreSQL',
      async () => {
        const socket = await stand.rig.tcp('db.test', 5432);
        const answered = new Promise((resolve) => {
          socket.once('data', resolve);
        });
        const endings = ended(socket);
        socket.write(sslRequest());
        await answered;
        return { endings };
      },
    ],
    [
      'greets a SOCKS client',
      async () => {
        const socket = stand.rig.relay.open(`${PROXY}:1080`);
        const answered = new Promise((resolve) => {
          socket.once('data', resolve);
        });
        const endings = ended(socket);
        socket.write(Buffer.from([5, 1, 0]));
        await answered;
        return { endings };
      },
    ],
    [
      'has a DNS query before it',
      async () => {
        const query = dnsQuery('api.test');
        const socket = connect(stand.rig.relay.dns.connections, '127.0.0.1');
        await new Promise((resolve) => socket.once('connect', resolve));
        process.kill(stand.pid(), 'SIGSTOP');
        const endings = ended(socket);
        socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
        return { endings };
      },
    ],
    [
      'has connections that it has not even accepted',
      async () => {
        const address = await stand.rig.relay.addressOf('api.test');
        process.kill(stand.pid(), 'SIGSTOP');
        const sockets = Array.from({ length: 20 }, () => stand.rig.relay.open(`${address}:443`));
        for (const socket of sockets) socket.write(head('GET', '/queued'));
        return { endings: ended(...sockets) };
      },
    ],
    [
      'has records under way',
      async () => {
        const answer = await stand.rig.fetch('https://api.test/hello');
        expect(answer.text).toBe('hello');
        return { endings: [] };
      },
    ],
  ];

  it.each(phases)('leaves nothing behind where it %s', async (_phase, begin) => {
    const { rig } = stand;
    const { certificatePem } = rig.broker.authority;
    seen.length = 0;
    const gaps = (): number => rig.events.filter(({ kind }) => kind === 'gap').length;
    const gapsBefore = gaps();
    const dials = mute.connections() + echo.connections();
    const { endings, seen: expected = [] } = await begin();
    // Time for the process to read what it was sent last.
    await moment(50);
    await stand.kill();
    // Broken off, never ended in good order: nothing cut short may look complete.
    for (const { how } of await Promise.all(endings)) expect(how).toBe('ECONNRESET');
    expect(gaps()).toBe(gapsBefore + 1);
    // What it had sent by then may still be on its way to the servers; nothing follows.
    await rig.until(() => mute.unended() + echo.unended() === 0, 'the ends at the servers');
    await rig.until(() => seen.length >= expected.length, `the server to see "${expected.join()}"`);
    const dialsThen = mute.connections() + echo.connections();
    expect(dialsThen - dials).toBeLessThanOrEqual(1);
    const bytesThen = mute.bytes() + echo.bytes();
    await moment();
    expect(mute.connections() + echo.connections()).toBe(dialsThen);
    expect(mute.bytes() + echo.bytes()).toBe(bytesThen);
    expect(seen).toEqual(expected);

    await stand.revive();
    expect(rig.broker.authority.certificatePem).toBe(certificatePem);
    expect((await rig.fetch('https://api.test/hello')).text).toBe('hello');
    expect(seen).toEqual(expected);
    expect(JSON.stringify(rig.events)).not.toContain(SECRET);
  });

  it('costs the host no descriptor, however often', async () => {
    expect(stand.rig.states.filter((state) => state === 'down').length).toBeGreaterThanOrEqual(20);
    await stand.rig.until(
      () => descriptorsOf('self').length <= hostDescriptors + 2,
      'the descriptors to go',
    );
    expect(descriptorsOf('self').length).toBeLessThanOrEqual(hostDescriptors + 2);
  });
});
