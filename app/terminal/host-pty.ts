import type * as NodePty from 'node-pty';
import type { Code, TerminalSize } from '../contract/index.ts';
import { fail, ok, type Failure, type Result } from '../kit/index.ts';
import type { TerminalSource } from './port.ts';

/** What is used of node-pty, so that tests can hand in another. */
export type PtyModule = Pick<typeof NodePty, 'spawn'>;

export type HostPtyOptions = {
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingFolder: string;
  readonly size: TerminalSize;
  readonly load?: () => Promise<PtyModule>;
};

const toBytes = (data: string | Uint8Array): Uint8Array =>
  typeof data === 'string' ? Buffer.from(data, 'utf8') : data;

/**
 * A terminal on the host itself (sign-in helpers, a host shell), through node-pty. Its native part is
 * not there on every platform (it has no prebuilt Linux binary): then it fails with `not-yet` and says how to get it.
 */
export const hostPty = async (
  command: string,
  options: HostPtyOptions,
): Promise<Result<TerminalSource, Failure<Code>>> => {
  const load = options.load ?? ((): Promise<PtyModule> => import('node-pty'));
  let spawned: NodePty.IPty;
  try {
    const pty = await load();
    spawned = pty.spawn(command, [...options.arguments], {
      name: 'xterm-256color',
      cols: options.size.columns,
      rows: options.size.rows,
      cwd: options.workingFolder,
      env: { ...options.env },
      // Raw bytes: decoding is the screen's work. The typing says string; with null it is a Buffer.
      encoding: null,
    });
  } catch (reason) {
    const first = String(reason instanceof Error ? reason.message : reason).split('\n')[0] ?? '';
    return fail(
      'not-yet',
      `A host terminal for ${command} could not be opened: ${first}`,
      'Terminals on the host need the native part of node-pty: npm rebuild node-pty --ignore-scripts=false (needs python3 and a C++ compiler). Terminals inside a sandbox work without it.',
    );
  }
  const pty = spawned;
  return ok({
    onData: (listener) => {
      pty.onData((data) => listener(toBytes(data)));
    },
    write: (bytes) => {
      pty.write(Buffer.from(bytes));
    },
    pause: () => pty.pause(),
    resume: () => pty.resume(),
    resize: async (size) => {
      pty.resize(size.columns, size.rows);
    },
    exit: new Promise((resolve) => {
      pty.onExit(({ exitCode, signal }) => {
        resolve(signal === undefined || signal === 0 ? exitCode : 128 + signal);
      });
    }),
    close: () => pty.kill(),
  });
};
