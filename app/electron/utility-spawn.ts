import { MAX_LAST_WORDS_CHARS, type Spawn } from '../broker/spawn.ts';
import type { ElectronApi } from './api.ts';

/**
 * Runs a session's broker as a utility process: with the `runAsNode` fuse off there is no other Node to
 * start. `entry` is the bundled broker; the path that the broker room names is a source file.
 */
export const utilitySpawn =
  ({ utilityProcess }: Pick<ElectronApi, 'utilityProcess'>, entry: string): Spawn =>
  (_sourceEntry, env) => {
    const child = utilityProcess.fork(entry, [], {
      // Exactly this environment: nothing of the app's own reaches the process that parses hostile bytes.
      env: { ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      serviceName: 'Glovebox broker',
      allowLoadingUnsignedLibraries: false,
    });
    let words = '';
    let how: string | undefined;
    const listeners: ((how: string) => void)[] = [];
    child.stderr?.on('data', (bytes: Buffer) => {
      words = (words + bytes.toString('utf8')).slice(-MAX_LAST_WORDS_CHARS);
    });
    child.on('exit', (code) => {
      if (how !== undefined) return;
      how = `exit status ${code}`;
      for (const listener of listeners) listener(how);
    });
    return {
      pid: child.pid,
      send: (message) => {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a process has one other end
        if (how === undefined) child.postMessage(message);
      },
      onMessage: (listener) => {
        child.on('message', listener);
      },
      onExit: (listener) => {
        if (how === undefined) listeners.push(listener);
        else listener(how);
      },
      lastWords: () => words,
      kill: () => void child.kill(),
    };
  };
