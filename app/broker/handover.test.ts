import { openSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer, createConnection, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { forkProcess, type SpawnedProcess } from './index.ts';
import { MAX_CONNECTIONS } from './process/capture.ts';
import { MAX_HANDOVERS } from './process/handover.ts';
import { CLOSE_LINGER_MS } from './process/serve-http1.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { datagramHead } from './testing/datagram-head.ts';
import { handOver } from './testing/hand-over.ts';
import {
  bindOnLoopback,
  connectLink,
  connectRelay,
  descriptorOfHandle,
  listenOnLoopback,
} from './testing/relay.ts';
import { createRig, listenPlain, type Rig, type Upstream } from './testing/setup.ts';

/** More than a program's socket takes unread, and less than that and the broker's together. */
const ANSWER = 'x'.repeat(300_000);

/** How a connection ended from inside: with what error, and after how many bytes. */
const ending = (socket: Socket): Promise<{ bytes: number; how: string }> =>
  new Promise((resolve) => {
    let bytes = 0;
    let how = 'end';
    socket.on('data', (part: Buffer) => (bytes += part.length));
    socket.on('error', (failed: NodeJS.ErrnoException) => (how = failed.code ?? 'failed'));
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve({ bytes, how }));
    socket.resume();
  });

describe('what a gateway hands over', () => {
  let rig: Rig;
  let upstream: Upstream;
  const children: SpawnedProcess[] = [];
  /** Resets the connection of the last answer that is to break. */
  let breakOff: () => void = () => undefined;
  const cleanups: (() => void)[] = [];
  const descriptors = (): readonly string[] => {
    const folder = `/proc/${String(children.at(-1)?.pid)}/fd`;
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(join(folder, fd))];
      } catch {
        // Closed in between.
        return [];
      }
    });
  };
  const settled = (most: number): Promise<void> =>
    rig.until(() => descriptors().length <= most, 'the descriptors to go');

  beforeAll(async () => {
    upstream = await listenPlain((request, response) => {
      if (request.url === '/half' || request.url === '/break') {
        response.writeHead(200, { 'content-length': ANSWER.length * 2 });
        response.write(ANSWER);
        if (request.url === '/break') breakOff = () => request.socket.resetAndDestroy();
      } else {
        response.end(ANSWER);
      }
    });
    rig = await createRig({
      authority: await createTestAuthority(),
      allow: ['api.test:80'],
      resolve: [`api.test:80:127.0.0.1:${String(upstream.port)}`],
      start: {
        env: {},
        spawn: (entry, env) => {
          const child = forkProcess(entry, env);
          children.push(child);
          return child;
        },
      },
    });
  });
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  /** A socket to hand over: its descriptor, and what it is called. */
  type Handed = { readonly fd: number; readonly kind: string };
  const handed = (kind: string, fd: number, close: () => unknown): Handed => {
    cleanups.push(close);
    return { fd, kind };
  };
  const server = (kind: string, host?: string) => async (): Promise<Handed> => {
    const listening = await listenOnLoopback(host);
    return handed(kind, descriptorOfHandle(listening), () => listening.close());
  };
  const queue = (kind: string, host?: string) => async (): Promise<Handed> => {
    const bound = await bindOnLoopback(host);
    return handed(kind, descriptorOfHandle(bound), () => bound.close());
  };
  const connected = async (): Promise<Handed> => {
    const listening = await listenOnLoopback();
    const socket = connect((listening.address() as AddressInfo).port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    cleanups.push(() => listening.close());
    return handed('c', descriptorOfHandle(socket), () => socket.destroy());
  };
  const unix = async (): Promise<Handed> => {
    const listening = createServer();
    const path = join(rig.folder, `u${String(cleanups.length)}.sock`);
    await new Promise<void>((resolve) => listening.listen(path, resolve));
    return handed('c', descriptorOfHandle(listening), () => listening.close());
  };
  const file = (): Promise<Handed> =>
    Promise.resolve({ fd: openSync('/dev/null', 'r'), kind: 'd' });
  const ipv4 = [server('c'), queue('d'), server('t')];
  const ipv6 = [server('c', '::1'), queue('d', '::1'), server('t', '::1')];

  it.each([
    ['a file', [file]],
    ['no socket for datagrams', [server('c'), server('t')]],
    ['a connection', [connected, queue('d'), server('t')]],
    ['a Unix socket', [unix, queue('d'), server('t')]],
    ['a file beside listening sockets', [server('c'), file, server('t')]],
    ['a listening socket for datagrams', [server('c'), server('d'), server('t')]],
    ['a socket for datagrams where connections come', [queue('c'), queue('d'), server('t')]],
    ['something it has no word for', [...ipv4, server('x')]],
    ['two sockets of one family', [...ipv4, server('c')]],
    ['a family that is not whole', [...ipv4, server('c', '::1')]],
    ['IPv6 alone', ipv6],
    ['bound to all addresses', [server('c', '0.0.0.0'), queue('d'), server('t')]],
    ['bound to all addresses for datagrams', [server('c'), queue('d', '0.0.0.0'), server('t')]],
    ['more than there may be', [...ipv4, ...ipv6, server('c')]],
  ])('takes nothing where it is %s, and keeps none of it', async (_what, makers) => {
    const before = descriptors().length;
    const owned = await Promise.all(makers.map((make) => make()));
    const kinds = Buffer.from(owned.map(({ kind }) => kind).join(''));
    const carrier = await handOver(
      rig.folder,
      owned.map(({ fd }) => fd),
      kinds,
    );
    const link = await connectLink(rig.folder);
    await new Promise((resolve) => {
      link.once('close', resolve).resume();
    });
    await settled(before);
    expect(descriptors().length).toBeLessThanOrEqual(before);
    carrier.destroy();
  });

  it('takes both families', async () => {
    const owned = await Promise.all([...ipv4, ...ipv6].map((make) => make()));
    const before = rig.events.length;
    await handOver(
      rig.folder,
      owned.map(({ fd }) => fd),
      Buffer.from('cdtcdt'),
    );
    const link = await connectLink(rig.folder);
    for (const cleanup of cleanups.splice(0)) cleanup();
    link.write(datagramHead([127, 0, 0, 1], [8, 8, 8, 8], 443, 1));
    await rig.until(() => rig.events.length > before, 'the record');
    expect(link.destroyed).toBe(false);
    link.destroy();
  });

  it('takes nothing from messages without descriptors, and holds few at once', async () => {
    const before = descriptors().length;
    const carriers = await Promise.all([
      handOver(rig.folder, [], Buffer.from('hello')),
      handOver(rig.folder, [], Buffer.alloc(60_000)),
      handOver(rig.folder, [(await server('c')()).fd], Buffer.from('two bytes')),
    ]);
    for (let at = 0; at < MAX_HANDOVERS * 3; at += 1) {
      carriers.push(createConnection(join(rig.folder, 'handover.sock')).on('error', () => 0));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(descriptors().length).toBeLessThanOrEqual(before + MAX_HANDOVERS);
    for (const carrier of carriers) carrier.destroy();
    const relay = await connectRelay(rig.folder);
    relay.close();
    await settled(before);
  });

  it('keeps no descriptor of a thousand connections, nor of a gateway that is gone', async () => {
    const before = descriptors().length;
    const relay = await connectRelay(rig.folder);
    const to = `${await relay.addressOf('api.test')}:80`;
    const request = 'GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n';
    for (let round = 0; round < 10; round += 1) {
      const ends = await Promise.all(
        Array.from({ length: 100 }, (_, at) => {
          const socket = relay.open(to);
          const over = ending(socket);
          if (at % 4 === 0) socket.once('connect', () => socket.resetAndDestroy());
          else if (at % 4 === 1) socket.once('connect', () => socket.destroy());
          else socket.write(request);
          return over;
        }),
      );
      expect(ends.filter(({ bytes }) => bytes > ANSWER.length)).toHaveLength(50);
    }
    const kept = relay.open(to);
    await new Promise((resolve) => kept.once('connect', resolve));
    const over = ending(kept);
    relay.close();
    expect((await over).how).toBe('ECONNRESET');
    const late = connect(relay.port, '127.0.0.1');
    expect((await ending(late)).how).toBe('ECONNREFUSED');
    await settled(before);
  }, 60_000);

  it('refuses and records what is past the cap', async () => {
    const relay = await connectRelay(rig.folder);
    const to = `${await relay.addressOf('api.test')}:80`;
    const sockets = Array.from({ length: MAX_CONNECTIONS + 5 }, () => {
      const socket = relay.open(to);
      // What says nothing at all would soon be given up.
      socket.write('GET / HTTP/1.1\r\n');
      return socket;
    });
    await rig.until(
      () => rig.events.some((one) => one.kind === 'egress' && one.code === 'egress.too-many'),
      'the record',
    );
    const gone = (): number => sockets.filter(({ destroyed }) => destroyed).length;
    await rig.until(() => gone() >= 5, 'resets');
    expect(gone()).toBe(5);
    for (const socket of sockets) socket.destroy();
    relay.close();
  }, 60_000);

  it('breaks what is cut short and ends what is complete', async () => {
    const to = `${await rig.relay.addressOf('api.test')}:80`;
    const ask = (path: string): Socket => {
      const socket = rig.relay.open(to);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`);
      return socket;
    };
    const broken = ask('/break');
    // A reset takes along what was not read yet, be it the head: not before some of it has come through.
    broken.once('data', () => breakOff());
    expect((await ending(broken)).how).toBe('ECONNRESET');
    const whole = await ending(ask('/'));
    expect(whole.how).toBe('end');
    expect(whole.bytes).toBeGreaterThan(ANSWER.length);
    // Half closed from inside before the answer: it still comes, all of it.
    const half = ask('/');
    half.end();
    expect(await ending(half)).toEqual(whole);
    // Closed by the broker while the program does not read: the kernel still holds the rest.
    const slow = ask('/');
    slow.pause();
    await new Promise((resolve) => setTimeout(resolve, CLOSE_LINGER_MS + 1000));
    expect(await ending(slow)).toEqual(whole);
  });

  it('breaks what is under way when the process dies', async () => {
    const to = `${await rig.relay.addressOf('api.test')}:80`;
    const socket = rig.relay.open(to);
    const over = ending(socket);
    socket.write('GET /half HTTP/1.1\r\nHost: api.test\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    const idle = rig.relay.open(to);
    await new Promise((resolve) => idle.once('connect', resolve));
    const idleOver = ending(idle);
    process.kill(children.at(-1)?.pid ?? 0, 'SIGKILL');
    expect((await over).how).toBe('ECONNRESET');
    expect((await idleOver).how).toBe('ECONNRESET');
  });
});
