import { fork, type ChildProcess } from 'node:child_process';
import { z } from 'zod';
import type { VaultOptions } from './port.ts';

/** How long the keychain's process stays without work. */
const IDLE_MS = 5000;

/** The part of keytar's API that is used, and how to leave a call that does not come back. */
export type Keytar = {
  readonly getPassword: (service: string, account: string) => Promise<string | null>;
  readonly setPassword: (service: string, account: string, value: string) => Promise<unknown>;
  readonly deletePassword: (service: string, account: string) => Promise<unknown>;
  /** Abandons what is under way, where that can be done. */
  readonly abandon: () => void;
};

/** Thrown where the library or its process cannot be had at all. */
export class KeytarMissingError extends Error {
  constructor(why: string) {
    super(why.split('\n')[0]?.slice(0, 300) ?? 'unknown');
    this.name = 'KeytarMissingError';
  }
}

const Answer = z.union([
  z.strictObject({ id: z.int(), value: z.union([z.string(), z.boolean(), z.null()]) }),
  z.strictObject({ id: z.int(), error: z.string() }),
]);

type Waiting = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (why: Error) => void;
};

/** keytar in a process of its own; started when needed, ended when idle, killed when it hangs. */
const createKeytarProcess = (env: VaultOptions['env']): Keytar => {
  let child: ChildProcess | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let lastId = 0;
  const waiting = new Map<number, Waiting>();

  const end = (why: Error): void => {
    clearTimeout(idle);
    const ended = child;
    child = undefined;
    ended?.kill('SIGKILL');
    const left = Array.from(waiting.values());
    waiting.clear();
    for (const one of left) one.reject(why);
  };

  const start = (): ChildProcess => {
    const started = fork(new URL('./keychain-process.ts', import.meta.url), [], {
      env: { ...env },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    started.on('message', (message) => {
      const parsed = Answer.safeParse(message);
      if (!parsed.success) return;
      const one = waiting.get(parsed.data.id);
      waiting.delete(parsed.data.id);
      if ('error' in parsed.data) one?.reject(new Error(parsed.data.error));
      else one?.resolve(parsed.data.value);
    });
    const gone = (): void => {
      if (child === started) end(new KeytarMissingError('it ended by itself'));
    };
    started.on('error', gone);
    started.on('exit', gone);
    return started;
  };

  const call = async (name: string, ...args: readonly string[]): Promise<unknown> => {
    clearTimeout(idle);
    child ??= start();
    const to = child;
    // While an answer is awaited the program lives on; an idle helper does not hold it.
    to.ref();
    to.channel?.ref();
    lastId += 1;
    const id = lastId;
    try {
      return await new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        to.send({ id, call: name, args }, (failed) => {
          if (failed !== null && waiting.delete(id)) reject(new KeytarMissingError(failed.message));
        });
      });
    } finally {
      if (waiting.size === 0 && child !== undefined) {
        child.unref();
        child.channel?.unref();
        idle = setTimeout(() => end(new Error('idle')), IDLE_MS).unref();
      }
    }
  };

  return {
    getPassword: async (service, account) => {
      const value = await call('getPassword', service, account);
      return typeof value === 'string' ? value : null;
    },
    setPassword: (service, account, value) => call('setPassword', service, account, value),
    deletePassword: (service, account) => call('deletePassword', service, account),
    abandon: () => end(new Error('abandoned')),
  };
};

/** keytar in this process: for Electron, whose binary runs no scripts of ours. */
const loadHere = async (): Promise<Keytar> => {
  try {
    const loaded = (await import('@github/keytar')) as unknown as Keytar & { default?: Keytar };
    const { getPassword, setPassword, deletePassword } = loaded.default ?? loaded;
    return { getPassword, setPassword, deletePassword, abandon: () => undefined };
  } catch (thrown) {
    throw new KeytarMissingError(thrown instanceof Error ? thrown.message : 'unknown');
  }
};

/** The keychain's library: in a process of its own under Node, in this one under Electron. */
export const loadKeytar = (env: VaultOptions['env']): Promise<Keytar> =>
  process.versions['electron'] === undefined
    ? Promise.resolve(createKeytarProcess(env))
    : loadHere();
