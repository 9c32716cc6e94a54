import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { systemClock, type Clock } from '../../kit/index.ts';
import { forkProcess, type Spawn, type SpawnedProcess } from '../index.ts';
import { createRig, type Rig, type RigOptions, type Upstream } from '../testing/setup.ts';

/** A broker that the test may kill, starve or hold up, and that its supervisor brings back at once. */
export type Stand = {
  readonly rig: Rig;
  /** The process that is there now. */
  readonly pid: () => number;
  /** Sends the process a signal; resolves once the supervisor has seen its end. */
  readonly kill: () => Promise<void>;
  /** Waits for the next life of the process and links a new relay to it. */
  readonly revive: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Every life counts as a long one, so that the wait before the next is the shortest. */
const hasty: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 1000 };

export const openStand = async (
  options: RigOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<Stand> => {
  const compileCache = await mkdtemp(join(tmpdir(), 'glovebox-compiled-'));
  const children: SpawnedProcess[] = [];
  const spawn: Spawn = (entry, childEnv) => {
    const child = forkProcess(entry, { ...childEnv, ...env });
    children.push(child);
    return child;
  };
  const rig = await createRig({
    ...options,
    start: { env: {}, clock: hasty, compileCache, spawn, ...options.start },
  });
  const ups = (): number => rig.states.filter((state) => state === 'up').length;
  const downs = (): number => rig.states.filter((state) => state === 'down').length;
  const pid = (): number => children.at(-1)?.pid ?? 0;
  return {
    rig,
    pid,
    kill: async () => {
      const before = downs();
      process.kill(pid(), 'SIGKILL');
      await rig.until(() => downs() > before, 'the end of the process');
    },
    revive: async () => {
      await rig.until(() => ups() >= downs(), 'the next life of the process');
      await rig.relink();
    },
    close: async () => {
      await rig.close();
      await rm(compileCache, { recursive: true, force: true });
    },
  };
};

/** What a process has open, as /proc tells it. */
export const descriptorsOf = (pid: number | 'self'): readonly string[] => {
  const folder = `/proc/${String(pid)}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))];
    } catch {
      // Closed in between.
      return [];
    }
  });
};

/** Resident memory of a process, in bytes. */
export const residentOf = (pid: number): number => {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
};

export type RawServer = Upstream & {
  /** Connections so far. */
  readonly connections: () => number;
  /** All bytes so far. */
  readonly bytes: () => number;
  /** Connections whose end, of whatever kind, has not been read yet. */
  readonly unended: () => number;
};

/** A server that speaks no protocol of its own and counts what arrives. */
export const listenRaw = async (
  onConnection: (socket: Socket) => void = () => undefined,
): Promise<RawServer> => {
  const sockets = new Set<Socket>();
  const unended = new Set<Socket>();
  const counts = { connections: 0, bytes: 0 };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    counts.connections += 1;
    sockets.add(socket);
    unended.add(socket);
    for (const end of ['end', 'close']) socket.once(end, () => unended.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (part: Buffer) => (counts.bytes += part.length));
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => counts.connections,
    bytes: () => counts.bytes,
    unended: () => unended.size,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
};

/** The first message of a TLS handshake, as Node's client writes it. */
export const clientHello = (servername: string, alpn: readonly string[] = []): Promise<Buffer> =>
  new Promise((resolve) => {
    const carrier = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    connectTls({ socket: carrier, servername, ALPNProtocols: [...alpn] }).on(
      'error',
      () => undefined,
    );
  });

/** How a stream ended: with what error code, in order (`end`), or just closed; and after how many bytes. */
export const endingOf = (
  stream: Duplex,
): Promise<{ readonly how: string; readonly bytes: number }> =>
  new Promise((resolve) => {
    let bytes = 0;
    let how = 'closed';
    stream.on('data', (part: Buffer) => (bytes += part.length));
    stream.on('end', () => {
      if (how === 'closed') how = 'end';
    });
    stream.on('error', (failed: NodeJS.ErrnoException) => (how = failed.code ?? failed.message));
    stream.once('close', () => resolve({ how, bytes }));
    stream.resume();
  });

/** A moment in which something that must not happen would have happened. */
export const moment = (ms = 150): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
