import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { err, ok, type Result } from '../kit/index.ts';

/** Most characters kept of a host command's output; the end is what explains a failure. */
export const MAX_OUTPUT_CHARS = 64 * 1024;

export type HostCommandOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly folder?: string;
};

/** Why a host command failed: its last lines, or that it is not installed. */
export type HostCommandFailure = { readonly missing: boolean; readonly output: string };

const keepTail = (): { add: (text: string) => void; text: () => string } => {
  let kept = '';
  return {
    add: (text) => {
      kept = (kept + text).slice(-MAX_OUTPUT_CHARS);
    },
    text: () => kept,
  };
};

const eachLine = (stream: Readable, onLine: (line: string) => void): void => {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(-MAX_OUTPUT_CHARS);
    lines.forEach((line) => onLine(line));
  });
};

/**
 * Runs one of the few host programs that the engine room needs (`ps`, `apt-config`, `npm`, `debootstrap`):
 * no shell, no standard input, killed when the signal aborts. Gives standard output.
 */
export const runHostCommand = (
  command: string,
  args: readonly string[],
  options: HostCommandOptions,
): Promise<Result<string, HostCommandFailure>> =>
  new Promise((resolve) => {
    const out = keepTail();
    const both = keepTail();
    const child = spawn(command, args, {
      env: options.env,
      cwd: options.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: options.signal,
      // What is called off stops at once, and with it what it holds in namespaces.
      killSignal: 'SIGKILL',
    });
    const take = (line: string): void => {
      both.add(`${line}\n`);
      options.onLine?.(line);
    };
    eachLine(child.stdout, (line) => {
      out.add(`${line}\n`);
      take(line);
    });
    eachLine(child.stderr, take);
    child.once('error', (failure: NodeJS.ErrnoException) => {
      resolve(err({ missing: failure.code === 'ENOENT', output: both.text() || failure.message }));
    });
    child.once('close', (code) => {
      resolve(code === 0 ? ok(out.text()) : err({ missing: false, output: both.text() }));
    });
  });

/** Starts a host program whose standard output is a stream to be consumed; the promise tells how it ended. */
export const streamHostCommand = (
  command: string,
  args: readonly string[],
  options: HostCommandOptions,
): { readonly stdout: Readable; readonly done: Promise<Result<void, HostCommandFailure>> } => {
  const child = spawn(command, args, {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: options.signal,
    killSignal: 'SIGKILL',
  });
  const errors = keepTail();
  eachLine(child.stderr, (line) => errors.add(`${line}\n`));
  const done = new Promise<Result<void, HostCommandFailure>>((resolve) => {
    child.once('error', (failure: NodeJS.ErrnoException) => {
      resolve(err({ missing: failure.code === 'ENOENT', output: failure.message }));
    });
    child.once('close', (code) => {
      resolve(code === 0 ? ok(undefined) : err({ missing: false, output: errors.text() }));
    });
  });
  return { stdout: child.stdout, done };
};
