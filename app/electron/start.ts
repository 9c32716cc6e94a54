import { join } from 'node:path';
import type { SessionHost } from '../host/port.ts';
import { loadWindowFiles } from '../host/window-files.ts';
import { createScope, type Failure, type Result, type Scope } from '../kit/index.ts';
import type { AppWindow, ElectronApi } from './api.ts';
import { lockEverything } from './lockdown.ts';
import { createMainWindow } from './main-window.ts';
import { installMenu } from './menu.ts';
import { declareScheme, servePage } from './page-protocol.ts';
import { createPortGateway } from './port-gateway.ts';
import { judgeSwitches } from './switches.ts';

export type StartOptions = {
  /** Arguments behind the program's own name. */
  readonly args: readonly string[];
  readonly platform: NodeJS.Platform;
  /** Folder of the bundled main, preload and broker. */
  readonly bundleFolder: string;
  /** Folder of the built window. */
  readonly windowFolder: string;
  /** Builds the services; the window opens once they stand. */
  readonly createHost: (scope: Scope) => Promise<Result<SessionHost, Failure>>;
  readonly warn: (message: string) => void;
};

const EXIT_FAILED = 125;

const RUNNING = new Set(['starting', 'running', 'stopping']);

/** Sessions of this process that are not over. */
const runningSessions = (host: SessionHost | undefined): number =>
  (host?.sessions.list() ?? []).filter(({ owned, state }) => owned && RUNNING.has(state)).length;

/**
 * The app from its first line to its last. What has to be set before Electron is ready is set before
 * the first `await`; every window is made in one place; quitting ends the sessions before the process.
 */
export const startApp = async (electron: ElectronApi, options: StartOptions): Promise<void> => {
  const { app, dialog } = electron;
  const { refused, unknown } = judgeSwitches(options.args);
  if (app.isPackaged && refused.length > 0) {
    dialog.showErrorBox(
      'Glovebox does not start like this',
      `It was started with --${refused.join(', --')}, which would open it to other programs.`,
    );
    app.exit(EXIT_FAILED);
    return;
  }
  for (const name of unknown) options.warn(`The switch --${name} is not known and has no effect.`);
  app.enableSandbox();
  declareScheme(electron);
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }

  const scope = createScope('app');
  let host: SessionHost | undefined;
  let window: AppWindow | undefined;
  const bringForward = (): void => {
    if (window === undefined || window.isDestroyed()) return;
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  };
  // Its arguments come from another process and are not read.
  app.on('second-instance', bringForward);
  app.on('window-all-closed', () => app.quit());

  let leaving: 'no' | 'asked' | 'yes' = 'no';
  const leave = async (): Promise<void> => {
    const count = runningSessions(host);
    if (count > 0) {
      const answer = await dialog.showMessageBox({
        type: 'question',
        title: 'Quit Glovebox',
        message: count === 1 ? 'A session is running.' : `${count} sessions are running.`,
        detail: 'Quitting stops it; what it changed is kept for review.',
        buttons: ['Stop and quit', 'Cancel'],
        defaultId: 1,
        cancelId: 1,
      });
      if (answer.response !== 0 && window?.isDestroyed() === false) {
        leaving = 'no';
        return;
      }
    }
    leaving = 'yes';
    try {
      await scope.close();
    } catch (reason) {
      options.warn(`Not everything could be closed: ${String(reason)}`);
    }
    app.exit(0);
  };
  app.on('before-quit', (event) => {
    event.preventDefault();
    if (leaving !== 'no') return;
    leaving = 'asked';
    void leave();
  });

  await app.whenReady();
  lockEverything(electron);
  const giveUp = (failure: Failure): void => {
    dialog.showErrorBox('Glovebox could not start', `${failure.message}\n\n${failure.hint ?? ''}`);
    app.exit(EXIT_FAILED);
  };
  const files = await loadWindowFiles(options.windowFolder);
  if (!files.ok) return giveUp(files.error);
  servePage(electron.session.defaultSession, files.value);
  const built = await options.createHost(scope);
  if (!built.ok) return giveUp(built.error);
  host = built.value;
  installMenu(electron, options.platform === 'darwin', app.isPackaged);
  const gateway = createPortGateway(electron, { host, warn: options.warn }, scope);
  window = createMainWindow(electron, {
    preload: join(options.bundleFolder, 'preload.cjs'),
    devTools: !app.isPackaged,
  });
  gateway.admit(window);
};
