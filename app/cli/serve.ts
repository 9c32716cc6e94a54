import { existsSync, readFileSync } from 'node:fs';
import { join, resolve as toAbsolute } from 'node:path';
import { lockHome, type NetworkSurroundings } from '../host/index.ts';
import { systemClock } from '../kit/index.ts';
import { startServe } from '../serve/index.ts';
import { sayFailure, type Surroundings } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { openBrowser } from './open-browser.ts';
import { appFolder, windowFolder } from './places.ts';
import { onStopSignal } from './stop-signals.ts';
import { withHost } from './with-host.ts';

export type ServeFlags = {
  readonly port?: string;
  readonly open?: boolean;
  readonly resolve: readonly string[];
  readonly dns?: string;
  readonly upstreamCa?: string;
};

/** The network that every session of this window starts in. */
const surroundingsOf = ({ resolve: rules, dns, upstreamCa }: ServeFlags): NetworkSurroundings => ({
  resolve: Array.from(rules),
  ...(dns === undefined ? {} : { dns }),
  ...(upstreamCa === undefined ? {} : { upstreamCa: toAbsolute(upstreamCa) }),
});

/** Why this is a browser and not Electron, where the set-up has noted it. */
const shellWords = (): string => {
  const note = join(appFolder, 'node_modules', '.glovebox-electron.json');
  try {
    const { reason } = JSON.parse(readFileSync(note, 'utf8')) as { reason?: unknown };
    if (typeof reason === 'string')
      return `browser: Electron’s binary is not here (${reason.slice(0, 200)})`;
  } catch {
    // No note: someone asked for the browser by name.
  }
  return existsSync(note) ? 'browser: Electron’s binary is not here' : 'browser';
};

/** `glovebox serve`: the window in a browser, until it is interrupted. Enter (or SIGUSR2) prints a fresh link. */
export const serve = async (around: Surroundings, flags: ServeFlags): Promise<number> => {
  const port = flags.port === undefined ? 0 : Number(flags.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    around.stderr.write(`glovebox: --port ${flags.port ?? ''}: that is not a port.\n`);
    return EXIT.failed;
  }
  return withHost(
    around,
    { shell: shellWords(), surroundings: surroundingsOf(flags) },
    async ({ host, console, endBy, scope }) => {
      // Before anything is held: a signal that comes during the start must still let go of the lock.
      const stopped = new Promise<void>((resolve) => onStopSignal(() => resolve(), endBy, scope));
      const lock = lockHome(host.status().homeFolder, scope);
      if (!lock.ok) {
        sayFailure(console, lock.error);
        return exitCodeOf(lock.error);
      }
      const serving = await startServe(
        { host, port, assetsFolder: windowFolder },
        { clock: systemClock },
        scope,
      );
      if (!serving.ok) {
        sayFailure(console, serving.error);
        return exitCodeOf(serving.error);
      }
      const { url, renew } = serving.value;
      // Where it is, for a second start to say; not how to get in.
      lock.value.setUrl(new URL('/', url).href);
      const show = (link: string): void => {
        console.out(link);
      };
      console.say('Open this link; it works once. Press Enter here for a new one, Ctrl+C to end.');
      show(url);
      const onRenew = (): void => show(renew());
      process.on('SIGUSR2', onRenew);
      if (around.stdin.isTTY) around.stdin.on('data', onRenew);
      if (flags.open === true && !(await openBrowser(url, host.status().homeFolder, scope))) {
        console.say('No browser could be opened from here: open the link yourself.');
      }
      await stopped;
      console.say('Ending; running sessions are stopped first.');
      process.removeListener('SIGUSR2', onRenew);
      around.stdin.off('data', onRenew);
      around.stdin.pause();
      return EXIT.done;
    },
  );
};
