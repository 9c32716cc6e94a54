import { fork } from 'node:child_process';

/** A started broker process as the host sees it: messages both ways, and its end. */
export type SpawnedProcess = {
  readonly pid: number | undefined;
  readonly send: (message: unknown) => void;
  readonly onMessage: (listener: (message: unknown) => void) => void;
  /** Called once, with words for how it ended. */
  readonly onExit: (listener: (how: string) => void) => void;
  /** What it said on standard error, the last part of it. */
  readonly lastWords: () => string;
  readonly kill: () => void;
};

/** Starts the process; Electron gives one that uses a utility process. */
export type Spawn = (entry: string, env: Readonly<Record<string, string>>) => SpawnedProcess;

/** How much of a dying process's standard error is kept, in characters. */
export const MAX_LAST_WORDS_CHARS = 2000;

/** What the process may keep of JavaScript's own objects, in MiB: past it the process ends, and with it everything that leaves. */
const OLD_GENERATION = '--max-old-space-size=768';
/**
 * How large half of the young generation is at least, in MiB: starting makes it that large, settling
 * empties it, and from the smallest it would take a load's first seconds to grow again.
 */
const YOUNG_GENERATION = '--min-semi-space-size=8';

/** A plain Node child with an IPC channel that carries structured clones. */
export const forkProcess: Spawn = (entry, env) => {
  const child = fork(entry, [], {
    env,
    execArgv: ['--disable-warning=ExperimentalWarning', OLD_GENERATION, YOUNG_GENERATION],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    windowsHide: true,
  });
  let words = '';
  let how: string | undefined;
  const listeners: ((how: string) => void)[] = [];
  const end = (text: string): void => {
    if (how !== undefined) return;
    how = text;
    for (const listener of listeners) listener(text);
  };
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => {
    words = (words + text).slice(-MAX_LAST_WORDS_CHARS);
  });
  child.once('error', (failed) => end(failed.message));
  child.once('exit', (code, signal) =>
    end(signal === null ? `exit status ${String(code)}` : `signal ${signal}`),
  );
  return {
    pid: child.pid,
    // A channel that has just closed is told by the exit, not by each message.
    send: (message) => void (child.connected && child.send(message as object, () => undefined)),
    onMessage: (listener) => child.on('message', listener),
    onExit: (listener) => {
      if (how === undefined) listeners.push(listener);
      else listener(how);
    },
    lastWords: () => words,
    kill: () => void child.kill('SIGKILL'),
  };
};
