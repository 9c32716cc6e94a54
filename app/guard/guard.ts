import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Code, Program, TimelineDraft } from '../contract/index.ts';
import { assertNever, fail, isoTime, ok, type Result, type Scope } from '../kit/index.ts';
import { createFold } from './fold.ts';
import { createFrameReader, writeFrame } from './frames.ts';
import { messageOf, type GuardMessage } from './messages.ts';
import type { Guard, GuardedFlow, GuardFailure, GuardOptions, OpenGuard } from './port.ts';
import { createPrograms } from './programs.ts';

/** How long an answer about a connection is waited for; the request goes on without it. */
export const OWNER_TIMEOUT_MS = 250;
/** Questions under way at once; further ones are answered with “unknown”. */
export const MAX_QUESTIONS = 512;
/** The guard's own words that this host understands. */
export const GUARD_VERSION = '1';

const SOCKET_NAME = 'guard.sock';

/** Opens the host's end of the guard. The guard container connects once; when it leaves early, that is told. */
export const openGuard: OpenGuard = async (options, scope) => {
  const path = join(options.socketFolder, SOCKET_NAME);
  const end = createHostEnd(options);
  const server = createServer((socket) => {
    end.take(socket);
  });
  try {
    await mkdir(options.socketFolder, { recursive: true, mode: 0o700 });
    await rm(path, { force: true });
    await listen(server, path);
    // The folder (0700) is what keeps others out. Inside its container the guard is root without the
    // power to override permissions: where we are not root, the socket itself must let it in.
    await chmod(path, process.getuid?.() === 0 ? 0o600 : 0o666);
  } catch (thrown) {
    server.close();
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return fail('guard.failed', `The guard’s socket ${path} could not be opened: ${why}`);
  }
  own(scope, server, end, path);
  return ok(end.guard);
};

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });

const own = (scope: Scope, server: Server, end: HostEnd, path: string): void => {
  scope.defer(async () => {
    end.close();
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    await rm(path, { force: true });
  });
};

type HostEnd = {
  readonly guard: Guard;
  readonly take: (socket: Socket) => void;
  readonly close: () => void;
};

type State =
  | { readonly type: 'waiting' }
  | { readonly type: 'ready' }
  | { readonly type: 'over'; readonly why: string };

const createHostEnd = ({ watch, clock, onEvents }: GuardOptions): HostEnd => {
  const programs = createPrograms();
  const fold = createFold(clock, onEvents);
  const questions = new Map<number, (program: Program | undefined) => void>();
  const readers = new Set<() => void>();
  let nextQuestion = 1;
  let state: State = { type: 'waiting' };
  let socket: Socket | undefined;
  let closing = false;

  const tell = (draft: TimelineDraft): void => {
    fold.flush();
    onEvents([draft]);
  };
  const gap = (lost: number, message: string): void => {
    tell({ kind: 'gap', at: isoTime(clock.now()), source: 'guard', lost, message });
  };
  const become = (next: State): void => {
    state = next;
    for (const wake of Array.from(readers)) wake();
  };
  const over = (why: string): void => {
    if (state.type === 'over') return;
    const wasReady = state.type === 'ready';
    become({ type: 'over', why });
    socket?.destroy();
    for (const answer of questions.values()) answer(undefined);
    fold.flush();
    if (closing || !wasReady) return;
    onEvents([
      {
        kind: 'session',
        at: isoTime(clock.now()),
        op: 'guard-lost',
        code: 'guard.failed' satisfies Code,
        message: `File touches are no longer seen: ${why}.`,
      },
    ]);
  };

  const inside = (path: string): boolean =>
    watch === '/' || path === watch || path.startsWith(`${watch}/`);

  const onTouch = (touch: Extract<GuardMessage, { type: 'touch' }>): void => {
    if (!inside(touch.path) && !(touch.to !== undefined && inside(touch.to))) return;
    const known = programs.get(touch.slot);
    fold.add({
      op: touch.op,
      path: touch.path,
      to: touch.to,
      count: touch.count,
      time: touch.time,
      programId: known?.id ?? -touch.pid,
      program: known?.program ?? (touch.pid > 0 ? { pid: touch.pid, command: [] } : undefined),
    });
  };

  const onMessage = (message: GuardMessage): void => {
    switch (message.type) {
      case 'ready':
        if (message.version !== GUARD_VERSION) {
          over(`the guard speaks version ${message.version}, not ${GUARD_VERSION}`);
          return;
        }
        if (!message.seesEntries) {
          gap(0, 'Creations, renames and deletions cannot be seen on this file system.');
        }
        become({ type: 'ready' });
        return;
      case 'program':
        programs.set(message.slot, message.pid, message.parent, message.command);
        return;
      case 'touch':
        onTouch(message);
        return;
      case 'gap':
        gap(message.lost, `File touches were lost: ${message.message}.`);
        return;
      case 'answer':
        questions.get(message.id)?.(programs.get(message.slot)?.program);
        return;
      case 'failed':
        over(message.message);
        return;
      default:
        assertNever(message, 'a message of the guard');
    }
  };

  const take = (next: Socket): void => {
    if (socket !== undefined || state.type !== 'waiting' || closing) {
      next.destroy();
      return;
    }
    socket = next;
    const reader = createFrameReader(
      (frame) => {
        const message = messageOf(frame);
        if (message === undefined) return false;
        onMessage(message);
        return true;
      },
      (why) => {
        over(`the guard sent ${why}`);
      },
    );
    next.on('data', (bytes) => {
      reader.push(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes));
    });
    next.on('error', () => undefined);
    next.on('close', () => {
      over('the guard’s connection ended');
    });
  };

  const ask = (flow: GuardedFlow): Promise<Program | undefined> =>
    new Promise((resolve) => {
      const id = nextQuestion;
      nextQuestion += 1;
      const cancel = clock.after(OWNER_TIMEOUT_MS, () => {
        questions.get(id)?.(undefined);
      });
      questions.set(id, (program) => {
        cancel();
        questions.delete(id);
        resolve(program);
      });
      socket?.write(
        writeFrame('Q', [
          id,
          flow.protocol,
          flow.family,
          flow.localAddress,
          flow.localPort,
          flow.remoteAddress,
          flow.remotePort,
        ]),
      );
    });

  const guard: Guard = {
    ready: (signal) =>
      new Promise<Result<void, GuardFailure>>((resolve) => {
        const settle = (): void => {
          if (state.type === 'waiting' && !signal.aborted) return;
          readers.delete(settle);
          signal.removeEventListener('abort', settle);
          if (state.type === 'ready') resolve(ok(undefined));
          else {
            const why = state.type === 'over' ? state.why : 'it did not answer in time';
            resolve(
              fail(
                'guard.failed',
                `The guard does not watch ${watch}: ${why}.`,
                'Look at the guard container’s log; it needs a Linux engine that grants SYS_ADMIN.',
              ),
            );
          }
        };
        readers.add(settle);
        signal.addEventListener('abort', settle, { once: true });
        settle();
      }),
    owner: (flow) =>
      state.type !== 'ready' || questions.size >= MAX_QUESTIONS
        ? Promise.resolve(undefined)
        : ask(flow),
  };
  return {
    guard,
    take,
    close: () => {
      closing = true;
      over('the session ended');
    },
  };
};
