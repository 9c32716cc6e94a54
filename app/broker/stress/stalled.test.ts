import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONNECT_TIMEOUT_MS } from '../process/dial-first.ts';
import { UPSTREAM_HANDSHAKE_MS } from '../process/start-tls.ts';
import { HANDSHAKE_MS } from '../process/accept-tls.ts';
import { HEADERS_CHECK_MS, HEADERS_MS } from '../process/serve-http1.ts';
import { createTestAuthority } from '../testing/certificates.ts';
import { ask, connectHttp2, listenHttp2 } from '../testing/http2.ts';
import { requestOn, type Upstream } from '../testing/setup.ts';
import { openBlackhole } from './blackhole.ts';
import {
  clientHello,
  descriptorsOf,
  endingOf,
  listenRaw,
  moment,
  openStand,
  residentOf,
  type Stand,
} from './stand.ts';

const MIB = 1024 * 1024;
/** What a busy machine may take beside the limit itself, in milliseconds. */
const LATE_MS = 10_000;

describe('peers that stall', () => {
  let stand: Stand;
  let blackhole: Upstream;
  /** Bytes that the floods have handed to their connections. */
  let flooded = 0;
  /** Floods that have begun. */
  let floods = 0;
  const closers: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const server = createTlsServer(await authority.issue(['api.test']), (request, response) => {
      if (request.url === '/flood') {
        floods += 1;
        const chunk = Buffer.alloc(65_536, 'x');
        const pour = (): void => {
          do flooded += chunk.length;
          while (response.write(chunk));
        };
        response.on('drain', pour);
        pour();
      } else if (request.url === '/head-only') {
        response.writeHead(200, { 'content-length': 10 });
        response.flushHeaders();
      } else response.end('hello');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const two = await listenHttp2(authority, ['two.test'], (stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/') {
        stream.end('hello');
        return;
      }
      floods += 1;
      const chunk = Buffer.alloc(65_536, 'x');
      const pour = (): void => {
        while (!stream.destroyed && stream.write(chunk)) flooded += chunk.length;
      };
      stream.on('drain', pour);
      pour();
    });
    const mute = await listenRaw();
    blackhole = await openBlackhole();
    closers.push(
      () => {
        server.closeAllConnections();
        server.close();
      },
      two.close,
      mute.close,
      blackhole.close,
    );
    const to = (name: string, port: number): string => `${name}:127.0.0.1:${String(port)}`;
    stand = await openStand({
      authority,
      allow: ['api.test', 'two.test', 'mute.test', 'black.test'],
      resolve: [
        to('api.test:443', (server.address() as AddressInfo).port),
        to('two.test:443', two.port),
        to('mute.test:443', mute.port),
        to('black.test:443', blackhole.port),
      ],
    });
    await stand.rig.fetch('https://api.test/');
  }, 60_000);
  afterAll(async () => {
    await stand.close();
    for (const close of closers) await close();
  });

  const within = async <T>(ms: number, what: Promise<T>): Promise<T> => {
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`not within ${String(ms)} ms`)), ms + LATE_MS).unref();
    });
    return Promise.race([what, late]);
  };

  it('are given up one by one, each in its time, and hold nobody up', async () => {
    const { rig } = stand;
    await rig.until(() => true, 'nothing');
    const before = descriptorsOf(stand.pid()).length;

    const slowHead = async (): Promise<void> => {
      const socket = await rig.tls('api.test');
      const end = endingOf(socket);
      const text = `GET / HTTP/1.1\r\nHost: api.test\r\nX-Slow: ${'x'.repeat(1000)}`;
      let at = 0;
      const drip = setInterval(() => socket.write(text.charAt((at += 1) - 1)), 1000);
      expect((await within(HEADERS_MS + HEADERS_CHECK_MS, end)).how).not.toBe('');
      clearInterval(drip);
    };
    const stalledInside = async (): Promise<void> => {
      const socket = await rig.tcp('api.test', 443);
      socket.write(await clientHello('api.test'));
      expect((await within(HANDSHAKE_MS, endingOf(socket))).how).toBe('ECONNRESET');
    };
    const stalledDial = async (): Promise<void> => {
      const socket = await rig.tls('black.test');
      const answer = await within(CONNECT_TIMEOUT_MS, requestOn(socket, '/', 'black.test'));
      expect([answer.status, answer.headers['glovebox-code']]).toEqual([504, 'egress.timeout']);
    };
    const stalledProbe = async (): Promise<void> => {
      const socket = await within(
        CONNECT_TIMEOUT_MS,
        rig.tls('black.test', { alpn: ['h2', 'http/1.1'] }),
      );
      socket.destroy();
    };
    const stalledOutside = async (): Promise<void> => {
      const socket = await rig.tls('mute.test');
      const answer = await within(UPSTREAM_HANDSHAKE_MS, requestOn(socket, '/', 'mute.test'));
      expect(answer.headers['glovebox-code']).toBe('egress.upstream-unreachable');
    };
    const silent = async (): Promise<void> => {
      const socket = await rig.tcp('api.test', 443);
      expect((await within(10_000, endingOf(socket))).how).toBe('ECONNRESET');
    };

    let over = false;
    const isOver = (): boolean => over;
    const crawling = [slowHead, stalledInside, stalledDial, stalledProbe, stalledOutside, silent];
    const all = Promise.all(crawling.flatMap((crawl) => [crawl(), crawl(), crawl()]));
    const others = (async () => {
      while (!isOver()) {
        expect((await within(0, rig.fetch('https://api.test/'))).text).toBe('hello');
        await moment(500);
      }
    })();
    await all;
    over = true;
    await others;
    const codes = new Set(
      rig.events.flatMap((event) => (event.kind === 'egress' ? [event.code ?? ''] : [])),
    );
    for (const code of ['egress.timeout', 'egress.tls-failed', 'egress.raw-tcp'])
      expect(codes).toContain(code);
    await rig.until(() => descriptorsOf(stand.pid()).length <= before + 4, 'the descriptors to go');
  }, 90_000);

  it('gets an answer’s head and then nothing, and is let go when the program goes', async () => {
    const { rig } = stand;
    const before = descriptorsOf(stand.pid()).length;
    const sockets = await Promise.all(Array.from({ length: 20 }, () => rig.tls('api.test')));
    for (const socket of sockets) socket.write('GET /head-only HTTP/1.1\r\nHost: api.test\r\n\r\n');
    await Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))),
    );
    expect((await rig.fetch('https://api.test/')).text).toBe('hello');
    for (const socket of sockets) socket.destroy();
    await rig.until(() => descriptorsOf(stand.pid()).length <= before + 4, 'the descriptors to go');
  });

  it('cost little memory where a server floods and nobody reads', async () => {
    const { rig } = stand;
    const before = residentOf(stand.pid());
    flooded = 0;
    const sockets = await Promise.all(Array.from({ length: 24 }, () => rig.tls('api.test')));
    for (const socket of sockets) {
      socket.pause();
      socket.write('GET /flood HTTP/1.1\r\nHost: api.test\r\n\r\n');
    }
    const session = await connectHttp2(rig, 'two.test');
    const streams = Array.from({ length: 24 }, () => {
      const stream = session.request({ ':path': '/flood', ':authority': 'two.test' });
      stream.on('error', () => undefined);
      return stream.pause();
    });
    await rig.until(() => floods === sockets.length + streams.length, 'every flood to begin');
    // Until nothing moves any more.
    for (let last = -1; last !== flooded;) {
      last = flooded;
      await moment(500);
    }
    expect(flooded).toBeGreaterThan(0);
    // What the kernels hold on both sides of the broker, and its own buffers: a few MiB for each.
    expect(flooded).toBeLessThan((sockets.length + streams.length) * 16 * MIB);
    expect(residentOf(stand.pid()) - before).toBeLessThan(256 * MIB);

    // Neither on the connection of the stalled streams nor on others does anybody wait for them.
    const hello = { ':path': '/', ':authority': 'two.test' };
    expect((await within(0, ask(session, hello))).text).toBe('hello');
    const next = await connectHttp2(rig, 'two.test');
    expect((await within(0, ask(next, hello))).text).toBe('hello');
    expect((await within(0, rig.fetch('https://api.test/'))).text).toBe('hello');
    for (const socket of sockets) socket.destroy();
    session.destroy();
    next.destroy();
  }, 60_000);
});
