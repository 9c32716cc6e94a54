import { closeSync, existsSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import koffi from 'koffi';
import { afterEach, expect, it } from 'vitest';
import { bindOnLoopback, descriptorOfHandle } from '../testing/relay.ts';
import {
  boundInCrowd,
  CROWD_BUFFER_BYTES,
  CROWD_CONNECTIONS,
  datagramFamily,
  halfClosedFor,
  isOnLoopback,
  listeningFamily,
  prepareListening,
  SOCKET_BUFFER_BYTES,
} from './captured-socket.ts';
import { createNativeSockets } from './native-sockets.ts';

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_RAW = 3;
const IPPROTO_UDP = 17;
const IPPROTO_MPTCP = 262;

const native = createNativeSockets();
const open: { close: () => unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const listen = async (host: string): Promise<Server> => {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  open.push(server);
  return server;
};

const pair = async (server: Server): Promise<{ inside: Socket; accepted: Socket }> => {
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const inside = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  const accepted = await accepting;
  open.push({ close: () => inside.destroy() }, { close: () => accepted.destroy() });
  return { inside, accepted };
};

it('tells the families of listening sockets, and no family of others', async () => {
  const server = await listen('127.0.0.1');
  const { accepted } = await pair(server);
  expect(listeningFamily(native, descriptorOfHandle(server))).toBe(4);
  expect(listeningFamily(native, descriptorOfHandle(await listen('::1')))).toBe(6);
  expect(listeningFamily(native, descriptorOfHandle(accepted))).toBeUndefined();
  expect(listeningFamily(native, 0)).toBeUndefined();
});

it.runIf(process.getuid?.() === 0)('takes no raw socket for one of datagrams', () => {
  const libc = koffi.load(null);
  const fd = Number(libc.func('int socket(int, int, int)')(AF_INET, SOCK_RAW, IPPROTO_UDP));
  open.push({ close: () => closeSync(fd) });
  expect(fd).toBeGreaterThan(0);
  expect(datagramFamily(native, fd)).toBeUndefined();
});

it('tells the families of sockets for datagrams, and where any are bound', async () => {
  for (const [host, family] of [
    ['127.0.0.1', 4],
    ['::1', 6],
  ] as const) {
    const bound = await bindOnLoopback(host);
    open.push(bound);
    const fd = descriptorOfHandle(bound);
    expect([datagramFamily(native, fd), listeningFamily(native, fd)]).toEqual([family, undefined]);
    expect(isOnLoopback(native, fd, family)).toBe(true);
    expect(isOnLoopback(native, fd, family === 4 ? 6 : 4)).toBe(false);
    expect(datagramFamily(native, descriptorOfHandle(await listen(host)))).toBeUndefined();
  }
  const anywhere = await bindOnLoopback('0.0.0.0');
  open.push(anywhere);
  expect(isOnLoopback(native, descriptorOfHandle(anywhere), 4)).toBe(false);
  expect(isOnLoopback(native, 0, 4)).toBe(false);
});

it.runIf(existsSync('/proc/sys/net/mptcp/enabled'))('takes no other protocol', () => {
  const libc = koffi.load(null);
  const fd = Number(libc.func('int socket(int, int, int)')(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
  libc.func('int listen(int, int)')(fd, 1);
  open.push({ close: () => closeSync(fd) });
  expect(listeningFamily(native, fd)).toBeUndefined();
});

it('bounds what the kernel holds of each accepted connection', async () => {
  const server = await listen('127.0.0.1');
  expect(prepareListening(native, descriptorOfHandle(server))).toBe(true);
  const fd = descriptorOfHandle((await pair(server)).accepted);
  for (const [name, limit] of [
    [SO_SNDBUF, 'wmem_max'],
    [SO_RCVBUF, 'rmem_max'],
  ] as const) {
    // The kernel doubles what is asked for (socket(7)), up to the system's own limit.
    const most = Number(readFileSync(`/proc/sys/net/core/${limit}`, 'utf8'));
    expect(native.option(fd, SOL_SOCKET, name, 4)?.readInt32LE()).toBe(
      Math.min(SOCKET_BUFFER_BYTES, most) * 2,
    );
  }
});

it('bounds what the kernel holds of each connection further in a crowd', async () => {
  const server = await listen('127.0.0.1');
  prepareListening(native, descriptorOfHandle(server));
  const { accepted } = await pair(server);
  const sizes = (): (number | undefined)[] =>
    [SO_SNDBUF, SO_RCVBUF].map((name) =>
      native.option(descriptorOfHandle(accepted), SOL_SOCKET, name, 4)?.readInt32LE(),
    );
  const before = sizes();
  boundInCrowd(native, accepted, CROWD_CONNECTIONS - 1);
  expect(sizes()).toEqual(before);
  boundInCrowd(native, accepted, CROWD_CONNECTIONS);
  expect(sizes()).toEqual([CROWD_BUFFER_BYTES * 2, CROWD_BUFFER_BYTES * 2]);
});

it('knows how long a connection has been half closed and silent', async () => {
  const { inside, accepted } = await pair(await listen('127.0.0.1'));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(halfClosedFor(native, accepted)).toBe(0);
  const ended = performance.now();
  inside.end('last words');
  await expect.poll(() => halfClosedFor(native, accepted)).toBeGreaterThanOrEqual(60);
  // The kernel counts in ticks of its own, of up to ten milliseconds.
  const silent = halfClosedFor(native, accepted);
  expect(silent).toBeLessThanOrEqual(performance.now() - ended + 20);
});
