import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createTestAuthority } from '../testing/certificates.ts';
import { ask, connectHttp2, listenHttp2 } from '../testing/http2.ts';
import {
  clientHello,
  descriptorsOf,
  endingOf,
  listenRaw,
  openStand,
  type RawServer,
  type Stand,
} from './stand.ts';

/** Connections at once; more by hand. */
const STORM = Number(process.env['GLOVEBOX_STORM'] ?? 1000);
/** What one request may take while it lasts, in milliseconds: generous, for it only must not hang. */
const PROBE_MS = 15_000;

describe('a storm of connections', () => {
  let stand: Stand;
  let raw: RawServer;
  let forbidden: RawServer;
  const arrived: string[] = [];
  const closers: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const server = createTlsServer(await authority.issue(['api.test']), (request, response) => {
      arrived.push(request.url ?? '');
      response.end(`got ${request.url ?? ''}`);
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, { url }) => {
      arrived.push(url ?? '');
      socket.on('error', () => undefined);
      socket.on('message', (data: Buffer) => socket.send(data.toString()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const two = await listenHttp2(authority, ['two.test'], (stream, headers) => {
      arrived.push(String(headers[':path']));
      stream.respond({ ':status': 200 });
      stream.end(`got ${String(headers[':path'])}`);
    });
    raw = await listenRaw((socket) => socket.pipe(socket));
    forbidden = await listenRaw();
    closers.push(
      () => {
        server.closeAllConnections();
        server.close();
      },
      two.close,
      raw.close,
      forbidden.close,
    );
    const to = (name: string, port: number): string => `${name}:127.0.0.1:${String(port)}`;
    stand = await openStand({
      authority,
      allow: ['api.test', 'two.test', 'raw.test:7000'],
      resolve: [
        to('api.test:443', (server.address() as AddressInfo).port),
        to('two.test:443', two.port),
        to('raw.test:7000', raw.port),
        to('no.test:443', forbidden.port),
        to('no.test:80', forbidden.port),
      ],
    });
    await stand.rig.fetch('https://api.test/warm');
  }, 60_000);
  afterAll(async () => {
    await stand.close();
    for (const close of closers) await close();
  });

  it('lets through what was judged, nothing else, and leaves nothing behind', async () => {
    const { rig } = stand;
    const [api, rawAddress, no] = await Promise.all(
      ['api.test', 'raw.test', 'no.test'].map((name) => rig.relay.addressOf(name)),
    );
    const brokerBefore = descriptorsOf(stand.pid()).length;
    const hostBefore = descriptorsOf('self').length;
    arrived.length = 0;
    const expected: string[] = [];
    const expectOne = (path: string): string => {
      expected.push(path);
      return path;
    };
    let rawBytes = 0;
    let release: () => void = () => undefined;
    /** Every connection stays open until all of them are. */
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    let ready = 0;
    const arrive = (): Promise<void> => {
      ready += 1;
      if (ready >= STORM) release();
      return all;
    };

    const good = async (id: number): Promise<void> => {
      const socket = await rig.tls('api.test');
      await arrive();
      const path = expectOne(`/good-${String(id)}`);
      const got = new Promise((resolve) => socket.once('data', resolve));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: api.test\r\n\r\n`);
      expect(String(await got)).toContain('200 OK');
      socket.destroy();
    };
    const twoStreams = async (id: number): Promise<void> => {
      const session = await connectHttp2(rig, 'two.test');
      await arrive();
      const path = expectOne(`/two-${String(id)}`);
      const answer = await ask(session, { ':path': path, ':authority': 'two.test' });
      expect(answer.text).toBe(`got ${path}`);
      session.destroy();
    };
    const live = async (id: number): Promise<void> => {
      const carrier = await rig.tls('api.test');
      const path = expectOne(`/live-${String(id)}`);
      const socket = new WebSocket(`wss://api.test${path}`, { createConnection: () => carrier });
      await new Promise((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', reject);
      });
      await arrive();
      const got = new Promise((resolve) => socket.once('message', resolve));
      socket.send('ping');
      expect(String(await got)).toBe('ping');
      socket.terminate();
    };
    const rawEcho = async (): Promise<void> => {
      const socket = rig.relay.open(`${rawAddress ?? ''}:7000`);
      const got = new Promise((resolve) => socket.once('data', resolve));
      const bytes = Buffer.from([0, 1, 2, 3]);
      rawBytes += bytes.length;
      socket.write(bytes);
      await got;
      await arrive();
      socket.destroy();
    };
    const garbage = async (id: number): Promise<void> => {
      const socket = rig.relay.open(`${api ?? ''}:443`);
      const end = endingOf(socket);
      socket.write(Buffer.from([id & 31, 255, 0, id & 255, 13, 10]));
      const ended = await end;
      expect(ended.how).toBe('ECONNRESET');
      await arrive();
    };
    const silent = async (id: number): Promise<void> => {
      const socket = rig.relay.open(`${api ?? ''}:443`);
      await new Promise((resolve) => socket.once('connect', resolve));
      if (id % 2 === 0) socket.write((await clientHello('api.test')).subarray(0, 50));
      await arrive();
      socket.destroy();
    };
    const denied = async (id: number): Promise<void> => {
      const socket = id % 20 < 10 ? rig.relay.open(`${no ?? ''}:80`) : await rig.tls('no.test');
      const got = new Promise((resolve) => socket.once('data', resolve));
      socket.write('GET /no HTTP/1.1\r\nHost: no.test\r\n\r\n');
      expect(String(await got)).toContain('403');
      await arrive();
      socket.destroy();
    };
    const kinds = [good, twoStreams, live, rawEcho, garbage, silent, denied, good, silent, denied];

    let over = false;
    const isOver = (): boolean => over;
    const probes = (async () => {
      let slowest = 0;
      for (let id = 0; !isOver(); id += 1) {
        const path = expectOne(`/probe-${String(id)}`);
        const began = performance.now();
        expect((await rig.fetch(`https://api.test${path}`)).text).toBe(`got ${path}`);
        slowest = Math.max(slowest, performance.now() - began);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return slowest;
    })();
    await Promise.all(
      Array.from({ length: STORM }, (_, id) => (kinds[id % kinds.length] ?? good)(id)),
    );
    over = true;
    expect(await probes).toBeLessThan(PROBE_MS);

    expect(arrived.toSorted()).toEqual(expected.toSorted());
    expect(raw.bytes()).toBe(rawBytes);
    expect(forbidden.connections()).toBe(0);
    // Idle connections to servers are kept for some seconds.
    await rig.until(() => descriptorsOf(stand.pid()).length <= brokerBefore + 4, 'the broker’s');
    await rig.until(() => descriptorsOf('self').length <= hostBefore + 4, 'the host’s descriptors');
    expect(rig.states).not.toContain('down');
  }, 90_000);
});
