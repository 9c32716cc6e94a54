import { join } from 'node:path';
import {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  protocol,
  session,
  utilityProcess,
} from 'electron/main';
import { createStartBroker } from '../broker/index.ts';
import { createSessionHost, lockHome, openHome } from '../host/index.ts';
import type { ElectronApi } from './api.ts';
import { startApp } from './start.ts';
import { utilitySpawn } from './utility-spawn.ts';

const electron: ElectronApi = {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  protocol,
  session,
  utilityProcess,
};

// In the package as in a checkout, the bundle stands two folders below the app's own.
const bundleFolder = import.meta.dirname;
const appFolder = join(bundleFolder, '..', '..');
/** What other programs read as plain files stands beside the archive. */
const unpacked = (path: string): string =>
  app.isPackaged ? path.replace(/\bapp\.asar(?=[\\/]|$)/, 'app.asar.unpacked') : path;

// Not awaited: Electron becomes ready only after this module has been evaluated to its end.
startApp(electron, {
  args: process.argv.slice(1),
  platform: process.platform,
  bundleFolder,
  windowFolder: join(appFolder, 'dist', 'renderer'),
  createHost: async (scope) => {
    const home = openHome(process.env);
    if (!home.ok) return home;
    const lock = lockHome(home.value.path, scope);
    if (!lock.ok) return lock;
    return createSessionHost(
      {
        env: process.env,
        shell: `Electron ${process.versions['electron'] ?? ''}`.trim(),
        imagesFolder: unpacked(join(appFolder, 'sandbox-images')),
        version: app.getVersion(),
        startBroker: createStartBroker({
          spawn: utilitySpawn(electron, join(bundleFolder, 'broker.js')),
          env: process.env,
        }),
      },
      scope,
    );
  },
  warn: (message) => {
    process.stderr.write(`glovebox: ${message}\n`);
  },
}).catch((reason: unknown) => {
  dialog.showErrorBox('Glovebox broke', reason instanceof Error ? reason.message : String(reason));
  app.exit(125);
});
