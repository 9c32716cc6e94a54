import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { _electron, expect, test, type ElectronApplication, type Page } from '@playwright/test';
import { createScope, type Scope } from '../../app/kit/index.ts';
import { rendererFolder, root } from '../../scripts/places.ts';
import { run } from '../../scripts/setup/command.ts';
import { buildElectronShell, chooseElectron } from '../../scripts/setup/electron.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { createTestProject } from '../fixtures/project.ts';
import { startPage } from '../pages/start-page.ts';
import { watchPage, type Watched } from '../pages/watched-page.ts';

/** The desktop shell in the real Electron: its window, how it is shut in, and that the same page works in it. */

const LAUNCH_MS = 120_000;
const choice = chooseElectron();

test.skip(!choice.available, choice.available ? '' : choice.reason);

let scope: Scope;
let app: ElectronApplication;
let window: Page;
let watched: Watched;

test.beforeAll(async () => {
  if (!choice.available) return;
  test.setTimeout(LAUNCH_MS);
  scope = createScope('electron spec');
  expect(await buildElectronShell(), 'the shell is built').toBe(true);
  if (!existsSync(join(rendererFolder, 'index.html'))) {
    await run('npm', ['run', '--silent', 'build:renderer'], { cwd: root });
  }
  const home = scope.use(createTestFolder('gbx-'));
  const profile = scope.use(createTestFolder('gbx-electron-'));
  app = scope.use(
    await _electron.launch({
      executablePath: choice.binary,
      args: [
        root,
        `--user-data-dir=${profile.path}`,
        // Chromium's own sandbox refuses to run as root, which CI machines often are.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
      env: {
        ...Object.fromEntries(
          Object.entries(process.env).filter(
            (entry): entry is [string, string] => entry[1] !== undefined,
          ),
        ),
        GLOVEBOX_HOME: join(home.path, 'home'),
        GLOVEBOX_VAULT: 'sealed',
      },
    }),
  );
  window = await app.firstWindow();
  watched = watchPage(window);
  await window.getByTestId('project-picker').waitFor();
});

test.afterAll(async () => {
  if (choice.available) await scope.close();
});

test('the window opens on the app’s own scheme and shows the start page', async () => {
  expect(new URL(window.url()).protocol).toBe('app:');
  expect(await window.title()).toBe('New session · Glovebox');
  expect(app.windows()).toHaveLength(1);
  const project = scope.use(createTestProject());
  const start = startPage(window);
  await start.openProject(project.path);
  await expect(start.mounts.first()).toContainText(project.path);
  await expect(start.hidden.filter({ hasText: '.env.production' })).toContainText('.env files');
  expect(watched.problems).toEqual([]);
});

test('the page is sandboxed, isolated and without Node', async () => {
  const preferences = await app.evaluate(({ BrowserWindow }) => {
    // Not in Electron's declarations; it tells what is in force, not what was asked for.
    type Telling = { getLastWebPreferences: () => Record<string, unknown> | null };
    const [first] = BrowserWindow.getAllWindows();
    return (first?.webContents as unknown as Telling | undefined)?.getLastWebPreferences();
  });
  expect(preferences).toMatchObject({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    webviewTag: false,
  });
  const found = await window.evaluate<readonly string[]>(
    "['require', 'process', 'module', 'Buffer', 'global', 'electron', 'ipcRenderer'].filter((name) => name in window)",
  );
  expect(found).toEqual([]);
});

test('window.glovebox is all that was added to the page, and cannot be changed', async () => {
  // A frame without an address is a page to which nothing was added; zod keeps two names of its own.
  const added = await window.evaluate<readonly string[]>(`(() => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    const plain = frame.contentWindow;
    const names = Object.getOwnPropertyNames(window).filter(
      (name) => !(name in plain) && !/^\\d+$|^__(pw|playwright|zod)/.test(name),
    );
    frame.remove();
    return names;
  })()`);
  expect(added).toEqual(['glovebox']);
  const bridge = await window.evaluate<readonly unknown[]>(`(() => {
    'use strict';
    const tries = [() => { window.glovebox = 1; }, () => { window.glovebox.requestPort = 1; }, () => { window.glovebox.more = 1; }];
    const refused = tries.map((change) => { try { change(); return false; } catch { return true; } });
    return [Object.keys(window.glovebox), typeof window.glovebox.requestPort, ...refused];
  })()`);
  expect(bridge).toEqual([['requestPort'], 'function', true, true, true]);
});

test('no other window, page or permission is to be had', async () => {
  const address = window.url();
  expect(await window.evaluate<boolean>("window.open('https://example.com/') === null")).toBe(true);
  await window.evaluate("void (location.href = 'https://example.com/')");
  expect(await window.evaluate<string>('Notification.requestPermission()')).toBe('denied');
  expect(window.url()).toBe(address);
  expect(app.windows()).toHaveLength(1);
});
