import { createSocket } from 'node:dgram';
import { connect, type AddressInfo, type Socket } from 'node:net';
import koffi from 'koffi';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createManualClock, type ManualClock } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import {
  askDatagram,
  bindOnLoopback,
  descriptorOfHandle,
  listenOnLoopback,
} from '../testing/relay.ts';
import { MAX_DNS_QUERY_BYTES } from './dns-message.ts';
import {
  MAX_DNS_CONNECTIONS,
  MAX_QUERIES_AT_ONCE,
  MAX_QUERIES_PER_SECOND,
  openDnsSockets,
  type DnsSockets,
} from './dns-sockets.ts';
import type { Family } from './captured-socket.ts';
import { endpointOf } from './endpoint.ts';
import { createNativeSockets } from './native-sockets.ts';

const QUERY = Buffer.from('12340100000100000000000001610262630000010001', 'hex');

const native = createNativeSockets();
const dup = koffi.load(null).func('int dup(int)');
/** A descriptor of its own, as the kernel makes one of what is handed over. */
const copyOf = (fd: number): number => Number(dup(fd));

describe.each(['127.0.0.1', '::1'])('DNS on %s', (host) => {
  let clock: ManualClock;
  let sockets: DnsSockets;
  let port: number;
  let tcpPort: number;
  let asked: number;
  let answers: boolean;
  const flows: Flow[] = [];
  const failures: number[] = [];
  const open: (() => void)[] = [];

  beforeEach(async () => {
    clock = createManualClock();
    [asked, answers] = [0, true];
    flows.length = 0;
    failures.length = 0;
    const [bound, listening] = [await bindOnLoopback(host), await listenOnLoopback(host)];
    port = bound.address().port;
    tcpPort = (listening.address() as AddressInfo).port;
    const family: Family = host === '::1' ? 6 : 4;
    const [queue, server] = [bound, listening].map((one) => ({
      fd: copyOf(descriptorOfHandle(one)),
      family,
    }));
    if (queue === undefined || server === undefined) throw new Error('two were made');
    bound.close();
    listening.close();
    sockets = openDnsSockets(
      {
        clock,
        native,
        destinationOf: (socket) => endpointOf(socket.localAddress, socket.localPort),
        dns: {
          answer: (query, whose) => {
            asked += 1;
            void whose?.();
            return answers ? query : undefined;
          },
          flush: () => undefined,
        },
        identify: (flow) => {
          flows.push(flow);
          return Promise.resolve(undefined);
        },
      },
      [queue],
      [server],
      () => failures.push(1),
    );
  });
  afterEach(() => {
    sockets.close();
    for (const close of open.splice(0)) close();
  });

  const dial = async (): Promise<Socket> => {
    const socket = connect(tcpPort, host);
    open.push(() => socket.destroy());
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };
  const framed = (query: Buffer): Buffer =>
    Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query]);
  /** All that a connection says until it is over. */
  const all = (socket: Socket): Promise<Buffer | string> =>
    new Promise((resolve) => {
      const parts: Buffer[] = [];
      let how: string | undefined;
      socket.on('data', (part: Buffer) => parts.push(part));
      socket.on('error', (failed: NodeJS.ErrnoException) => (how = failed.code));
      socket.once('close', () => resolve(how ?? Buffer.concat(parts)));
    });
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

  it('answers a datagram from where it was sent to, and asks for the program by who sent it', async () => {
    expect(await askDatagram(port, QUERY, host)).toEqual(QUERY);
    expect(flows).toMatchObject([{ protocol: 'udp', localAddress: host, remotePort: 53 }]);
  });

  it('says nothing to what is no question by its size', async () => {
    const socket = createSocket(host === '::1' ? 'udp6' : 'udp4');
    open.push(() => socket.close());
    for (const bytes of [0, 11, MAX_DNS_QUERY_BYTES + 1]) {
      await new Promise((resolve) => socket.send(Buffer.alloc(bytes), port, host, resolve));
    }
    await askDatagram(port, Buffer.alloc(MAX_DNS_QUERY_BYTES), host);
    expect(asked).toBe(1);
  });

  it('lets nobody else bind to the port and get its datagrams', async () => {
    const other = createSocket({ type: host === '::1' ? 'udp6' : 'udp4', reuseAddr: true });
    open.push(() => other.close());
    const failed = new Promise((resolve) => other.once('error', resolve));
    other.bind(port, host);
    expect(await failed).toMatchObject({ code: 'EADDRINUSE' });
  });

  it('drops what is past the cap of a second, and goes on in the next', async () => {
    const socket = createSocket(host === '::1' ? 'udp6' : 'udp4');
    open.push(() => socket.close());
    await new Promise<void>((resolve) => socket.connect(port, host, resolve));
    for (let sent = 1; sent <= MAX_QUERIES_PER_SECOND + 500; sent += 1) {
      socket.send(QUERY);
      // The kernel queues some hundreds and drops the rest.
      if (sent % 100 !== 0) continue;
      await expect.poll(() => asked).toBe(Math.min(sent, MAX_QUERIES_PER_SECOND));
      await turn();
    }
    expect(asked).toBe(MAX_QUERIES_PER_SECOND);
    clock.advance(1000);
    expect(await askDatagram(port, QUERY, host)).toEqual(QUERY);
  });

  it('answers a connection’s questions in turn, in whatever pieces they come, to its half-closed end', async () => {
    const socket = await dial();
    const answer = all(socket);
    const bytes = Buffer.concat([framed(QUERY), framed(QUERY)]);
    for (let at = 0; at < bytes.length; at += 9) {
      socket.write(bytes.subarray(at, at + 9));
      await turn();
    }
    socket.end();
    expect(await answer).toEqual(bytes);
    expect(flows).toMatchObject([{ protocol: 'tcp', remotePort: tcpPort }, {}]);
  });

  it('answers many at once, others between them', async () => {
    const [many, other] = [await dial(), await dial()];
    const count = MAX_QUERIES_AT_ONCE * 20;
    const answer = all(many);
    many.end(Buffer.concat(Array.from({ length: count }, () => framed(QUERY))));
    other.end(framed(QUERY));
    expect(await all(other)).toEqual(framed(QUERY));
    expect((await answer).length).toBe(count * (QUERY.length + 2));
  });

  it.each([
    ['too long', Buffer.from([0xff, 0xff, 1, 2, 3])],
    ['too long and whole for a short one', Buffer.concat([Buffer.from([0x20, 0]), QUERY])],
    ['too short', framed(Buffer.alloc(11))],
  ])('resets a connection with a message that is %s', async (_what, bytes) => {
    const socket = await dial();
    const over = all(socket);
    socket.write(bytes);
    expect(await over).toBe('ECONNRESET');
    expect(asked).toBe(0);
  });

  it('resets a connection whose question has no answer, or that asks too much', async () => {
    const flood = await dial();
    const flooded = all(flood);
    flood.write(
      Buffer.concat(Array.from({ length: MAX_QUERIES_PER_SECOND + 1 }, () => framed(QUERY))),
    );
    expect(await flooded).toBe('ECONNRESET');
    expect(asked).toBe(MAX_QUERIES_PER_SECOND);
    clock.advance(1000);
    answers = false;
    const socket = await dial();
    const over = all(socket);
    socket.write(framed(QUERY));
    expect(await over).toBe('ECONNRESET');
  });

  it('waits for a program that does not read, and keeps little for it', async () => {
    const socket = await dial();
    socket.pause();
    const batch = Buffer.concat(Array.from({ length: 200 }, () => framed(Buffer.alloc(4000, 1))));
    for (let round = 0; round < 5; round += 1) {
      socket.write(batch);
      clock.advance(1000);
      await turn();
    }
    // oxlint-disable-next-line no-unmodified-loop-condition -- the server modifies it
    for (let before = 0; asked === 0 || asked !== before;) {
      before = asked;
      await turn();
    }
    expect(asked).toBeLessThan(500);
  });

  // By itself a connection would end too, once it has been idle for long enough.
  it('closes connections past the cap, and all of them when it is closed', async () => {
    const kept = await Promise.all(Array.from({ length: MAX_DNS_CONNECTIONS }, dial));
    const ends = kept.map(all);
    expect((await all(await dial())).length).toBeLessThanOrEqual('ECONNRESET'.length);
    sockets.close();
    await Promise.all(ends);
    await expect(askDatagram(port, QUERY, host)).rejects.toThrow('ECONNREFUSED');
    sockets = { close: () => undefined };
    expect(failures).toEqual([]);
  }, 20_000);
});
