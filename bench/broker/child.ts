import { spawn, type ChildProcess } from 'node:child_process';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const READY_MS = 30_000;
const MAX_WORDS_CHARS = 4000;

/** A process of a contender, ended with its scope. */
export type Child = {
  readonly pid: number;
  /** Resolves with the first line on standard output. */
  readonly firstLine: Promise<string>;
  /** What it said on standard error, the last part of it. */
  readonly words: () => string;
  readonly close: () => Promise<void>;
};

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });

export const startChild = (
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Child => {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  // A run that is broken off leaves no contender behind.
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  child.once('exit', () => process.removeListener('exit', killAtExit));
  let words = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    words = (words + text).slice(-MAX_WORDS_CHARS);
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    let seen = '';
    const onData = (chunk: Buffer): void => {
      seen += chunk.toString();
      const at = seen.indexOf('\n');
      if (at < 0) return;
      child.stdout.removeListener('data', onData);
      child.stdout.resume();
      resolve(seen.slice(0, at));
    };
    child.stdout.on('data', onData);
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`${command} ended with ${String(code)}: ${words}`));
    });
  });
  // Not every contender is asked for it.
  firstLine.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    firstLine,
    words: () => words,
    close: async () => {
      child.kill('SIGTERM');
      const gone = ended(child);
      const stopped = await Promise.race([gone.then(() => true), delay(3000, false)]);
      if (!stopped) child.kill('SIGKILL');
      await gone;
    },
  };
};

/** Runs a command to its end and gives its standard output; throws with its last words where it fails. */
export const runToEnd = (
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let words = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-MAX_WORDS_CHARS);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(words.trim() === '' ? `status ${String(code)}` : words.trim()));
    });
  });

/** A port that was free a moment ago, for programs that must be told theirs. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Waits until something accepts on a port of loopback; throws with the child's words where nothing does. */
export const untilListening = async (port: number, child: Child): Promise<void> => {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (accepted) return;
    if (Date.now() > deadline) throw new Error(`nothing listens: ${child.words()}`);
    await delay(50);
  }
};
