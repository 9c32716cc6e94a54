import {
  MAX_NAME_CHARS,
  MAX_PROGRAM_ARGUMENT_CHARS,
  MAX_PROGRAM_ARGUMENTS,
  TerminalId,
  type Code,
  type TerminalSize,
  type TimelineDraft,
} from '../contract/index.ts';
import type { Exec, ExecSpec } from '../engine/port.ts';
import {
  isoTime,
  ok,
  randomId,
  type Clock,
  type Failure,
  type Result,
  type Scope,
} from '../kit/index.ts';
import { containerSource, createTerminal, type Terminal } from '../terminal/index.ts';
import type { Parts } from './start-parts.ts';
import type { HeadlessIo } from './port.ts';

export type Command = readonly [string, ...string[]];

/** How long the last output of a headless command may take after its exit was told. */
export const OUTPUT_GRACE_MS = 2000;

export const DEFAULT_TERMINAL_SIZE: TerminalSize = { columns: 120, rows: 32 };

/** A command line cut to what a record may carry. */
const recorded = (command: Command): string[] =>
  command
    .slice(0, MAX_PROGRAM_ARGUMENTS)
    .map((argument) => argument.slice(0, MAX_PROGRAM_ARGUMENT_CHARS));

export type ProgramDeps = {
  readonly clock: Clock;
  readonly append: (drafts: readonly TimelineDraft[]) => void;
};

/**
 * A shell that becomes the command. Engines differ in what they make of a command that is not there;
 * a shell says it on standard error and ends with 127, or 126 where it may not be run (POSIX sh, 2.8.2).
 */
const throughShell = (command: Command): Command => [
  '/bin/sh',
  '-c',
  'exec "$@"',
  'sh',
  ...command,
];

/** Starts a command in the sandbox and puts its start and its exit on the record. */
const start = async (
  deps: ProgramDeps,
  parts: Parts,
  command: Command,
  io: { readonly tty: true; readonly size: TerminalSize } | { readonly tty: false },
): Promise<Result<Exec, Failure<Code>>> => {
  const startedAt = deps.clock.monotonic();
  const spec: ExecSpec = {
    command: throughShell(command),
    env: parts.env,
    workingFolder: parts.project,
    user: parts.user,
    ...io,
  };
  deps.append([
    { kind: 'process', at: isoTime(deps.clock.now()), op: 'start', command: recorded(command) },
  ]);
  const exec = await parts.engine.exec(parts.sandbox.id, spec);
  if (!exec.ok) {
    deps.append([
      { kind: 'process', at: isoTime(deps.clock.now()), op: 'exit', command: recorded(command) },
    ]);
    return exec;
  }
  const exit = exec.value.exit.then((exitCode) => {
    deps.append([
      {
        kind: 'process',
        at: isoTime(deps.clock.now()),
        op: 'exit',
        command: recorded(command),
        exitCode,
        durationMs: deps.clock.monotonic() - startedAt,
      },
    ]);
    return exitCode;
  });
  return ok({ ...exec.value, exit });
};

/** Opens a terminal on a command inside. Its id is eight random characters. */
export const startTerminal = async (
  deps: ProgramDeps,
  parts: Parts,
  options: { readonly command: Command; readonly title: string; readonly size: TerminalSize },
  scope: Scope,
): Promise<Result<Terminal, Failure<Code>>> => {
  const exec = await start(deps, parts, options.command, { tty: true, size: options.size });
  if (!exec.ok) return exec;
  const { io, resize, exit } = exec.value;
  if (!io.tty) throw new Error('a terminal was asked for and the engine gave plain streams');
  return ok(
    createTerminal(
      {
        id: TerminalId.parse(randomId(8)),
        title: options.title.slice(0, 2 * MAX_NAME_CHARS),
        size: options.size,
        source: containerSource(io.stream, resize, exit),
      },
      { clock: deps.clock },
      scope,
    ),
  );
};

const ended = (stream: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['end', 'close', 'error'] as const) stream.once(event, () => resolve());
  });

/** A reader that went away (`| head`) must not stop the command: its output is then dropped. */
const join = (from: NodeJS.ReadableStream, to: NodeJS.WritableStream): (() => void) => {
  const drop = (): void => {
    from.unpipe(to);
    from.resume();
  };
  from.on('error', () => undefined);
  to.on('error', drop);
  from.pipe(to, { end: false });
  return () => to.removeListener('error', drop);
};

/**
 * Runs a command without a terminal, its streams joined to the caller's. Resolves with the exit status
 * once the last output has been handed over. The caller's streams stay open.
 */
export const startHeadless = async (
  deps: ProgramDeps,
  parts: Parts,
  command: Command,
  io: HeadlessIo,
): Promise<Result<Promise<number>, Failure<Code>>> => {
  const exec = await start(deps, parts, command, { tty: false });
  if (!exec.ok) return exec;
  const inside = exec.value.io;
  if (inside.tty) throw new Error('plain streams were asked for and the engine gave a terminal');
  const drained = Promise.all([ended(inside.stdout), ended(inside.stderr)]);
  const leave = [join(inside.stdout, io.stdout), join(inside.stderr, io.stderr)];
  const { stdin } = inside;
  // The command may end without reading all of it.
  stdin.on('error', () => undefined);
  if (io.stdin === undefined) stdin.end();
  else io.stdin.pipe(stdin);
  const finish = async (): Promise<number> => {
    const exitCode = await exec.value.exit;
    io.stdin?.unpipe(stdin);
    let cancel: (() => void) | undefined;
    const grace = new Promise<void>((resolve) => {
      cancel = deps.clock.after(OUTPUT_GRACE_MS, resolve);
    });
    await Promise.race([drained, grace]);
    cancel?.();
    for (const undo of leave) undo();
    return exitCode;
  };
  return ok(finish());
};
