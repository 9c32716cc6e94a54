import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SessionSummary, Wire } from '../contract/index.ts';
import type { SessionHost } from '../host/port.ts';
import { fail, ok, type Scope } from '../kit/index.ts';
import { MIN_SIZE } from './main-window.ts';
import { PORT_CHANNEL } from './page-address.ts';
import { startApp } from './start.ts';
import {
  createElectronStandIn,
  createFrame,
  createPageStandIn,
  createPortStandIn,
  type ElectronStandIn,
  type PortStandIn,
} from './testing/stand-in.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'glovebox-window-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html>');
});
afterAll(() => rmSync(folder, { recursive: true }));

let warnings: string[];
let wires: Wire[];
let messages: string[];
let sessions: Pick<SessionSummary, 'owned' | 'state'>[];
let hostScope: Scope | undefined;
beforeEach(() => {
  warnings = [];
  wires = [];
  messages = [];
  sessions = [];
  hostScope = undefined;
});

const host = {
  sessions: { list: () => sessions },
  serve: (wire: Wire) => {
    wires.push(wire);
    wire.onMessage((message) => messages.push(message));
  },
} as unknown as SessionHost;

const begin = (
  electron: ElectronStandIn,
  more: { args?: readonly string[]; windowFolder?: string; fails?: boolean } = {},
): Promise<void> =>
  startApp(electron, {
    args: more.args ?? [],
    platform: 'linux',
    bundleFolder: '/bundle',
    windowFolder: more.windowFolder ?? folder,
    createHost: async (scope) => {
      hostScope = scope;
      return more.fails === true ? fail('host.home', 'No home.', 'Make one.') : ok(host);
    },
    warn: (message) => warnings.push(message),
  });

const start = async (
  settings: Parameters<typeof createElectronStandIn>[0] = {},
  more: Parameters<typeof begin>[1] = {},
): Promise<ElectronStandIn> => {
  const electron = createElectronStandIn(settings);
  const started = begin(electron, more);
  electron.becomeReady();
  await started;
  return electron;
};

const onlyWindow = (electron: ElectronStandIn) => {
  const [window] = electron.windows;
  if (window === undefined) throw new Error('no window was made');
  return window;
};

/** A port sent by the window's own page, except for what a test puts in its place. */
const sendPort = (
  electron: ElectronStandIn,
  change: { sender?: unknown; senderFrame?: unknown; ports?: PortStandIn[] } = {},
): PortStandIn => {
  const { page } = onlyWindow(electron);
  const port = createPortStandIn();
  electron.ipcEvents.emit(PORT_CHANNEL, {
    sender: page,
    senderFrame: page.mainFrame,
    ports: [port],
    ...change,
  });
  return port;
};

const roles = (electron: ElectronStandIn): string => JSON.stringify(electron.menus);

const ask = async (isPackaged = true) => (await start({ isPackaged })).session.defaultSession;

const cancels = async (url: string, isPackaged = true): Promise<boolean | undefined> => {
  let cancelled: boolean | undefined;
  (await ask(isPackaged)).handlers.request?.({ url }, (answer) => {
    cancelled = answer.cancel;
  });
  return cancelled;
};

const quit = async (electron: ElectronStandIn): Promise<boolean> => {
  let prevented = false;
  electron.appEvents.emit('before-quit', { preventDefault: () => (prevented = true) });
  await turn();
  await turn();
  return prevented;
};

describe('before Electron is ready', () => {
  it('turns the sandbox on for every process and declares the scheme (2, 7)', async () => {
    const electron = await start();
    expect(electron.calls.slice(0, 4)).toEqual(['enableSandbox', 'schemes', 'lock', 'ready']);
    expect(electron.schemes).toEqual([
      {
        scheme: 'app',
        privileges: {
          standard: true,
          secure: true,
          supportFetchAPI: true,
          bypassCSP: false,
          allowServiceWorkers: false,
          corsEnabled: false,
        },
      },
    ]);
  });

  it('leaves to the first instance (19)', async () => {
    const electron = await start({ isFirst: false });
    expect(electron.calls).toContain('quit');
    expect(electron.windows).toHaveLength(0);
    expect(hostScope).toBeUndefined();
  });

  it('shows the window on a second start and reads nothing of its arguments (19)', async () => {
    const electron = await start();
    electron.appEvents.emit('second-instance', {}, ['--evil'], '/', { secret: 1 });
    expect(electron.calls.slice(-3)).toEqual(['restore', 'show', 'focus']);
    expect(electron.windows).toHaveLength(1);
  });

  it.each([
    '--remote-debugging-port=9222',
    '--inspect-brk',
    '--no-sandbox',
    '--disable-web-security',
    '--load-extension=/tmp/x',
    '--JS-FLAGS=--allow-natives-syntax',
    '-inspect',
  ])('does not start a packaged app with %s (18)', async (argument) => {
    const electron = createElectronStandIn({ isPackaged: true });
    await begin(electron, { args: ['/some/file', argument] });
    expect(electron.calls).toEqual(['exit 125']);
    expect(electron.boxes[0]).toContain('other programs');
  });

  it('lets developers have them, and names unknown switches (18)', async () => {
    const electron = await start({}, { args: ['--inspect', '--made-up=1', '--lang=de'] });
    expect(electron.windows).toHaveLength(1);
    expect(warnings).toEqual(['The switch --made-up is not known and has no effect.']);
  });
});

describe('the window', () => {
  it('is sandboxed, isolated and without Node, in a package without developer tools (1, 18)', async () => {
    const packaged = onlyWindow(await start({ isPackaged: true }));
    expect(packaged.options).toMatchObject({
      minWidth: MIN_SIZE.width,
      minHeight: MIN_SIZE.height,
    });
    expect(packaged.options.webPreferences).toEqual({
      preload: '/bundle/preload.cjs',
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      safeDialogs: true,
      spellcheck: false,
      webgl: true,
      devTools: false,
    });
    expect(packaged.urls).toEqual(['app://glovebox/']);
    expect(onlyWindow(await start()).options.webPreferences?.devTools).toBe(true);
  });

  it('goes nowhere, opens nothing, embeds nothing (10)', async () => {
    const { page } = onlyWindow(await start());
    for (const name of [
      'will-navigate',
      'will-redirect',
      'will-frame-navigate',
      'will-attach-webview',
      'select-client-certificate',
      'login',
    ]) {
      let prevented = 0;
      page.events.emit(name, { preventDefault: () => (prevented += 1) });
      expect([name, prevented]).toEqual([name, 1]);
    }
    expect(page.openHandler?.({} as never)).toEqual({ action: 'deny' });
  });

  it('is not the only page that is locked: any other is too (10)', async () => {
    const electron = await start();
    const stray = createPageStandIn(99, createFrame('https://evil.example'));
    electron.appEvents.emit('web-contents-created', {}, stray);
    expect(stray.openHandler?.({} as never)).toEqual({ action: 'deny' });
  });

  it('shows developer tools and reload in the menu of an unpackaged app only (18)', async () => {
    expect(roles(await start())).toContain('toggleDevTools');
    expect(roles(await start({ isPackaged: true }))).not.toMatch(/toggleDevTools|reload/);
  });
});

describe('permissions and the network', () => {
  it('allows our page to write the clipboard and nothing else to anyone (11)', async () => {
    const { handlers } = await ask();
    const request = (permission: string, requestingUrl: string, isMainFrame = true): boolean => {
      let granted: boolean | undefined;
      handlers.permissionRequest?.(
        {} as never,
        permission as never,
        (answer) => {
          granted = answer;
        },
        { requestingUrl, isMainFrame },
      );
      return granted ?? true;
    };
    const check = (permission: string, origin: string): boolean =>
      handlers.permissionCheck?.(null, permission as never, origin, {} as never) ?? true;
    expect(request('clipboard-sanitized-write', 'app://glovebox/')).toBe(true);
    expect(check('clipboard-sanitized-write', 'app://glovebox/')).toBe(true);
    expect(request('clipboard-sanitized-write', 'app://glovebox/', false)).toBe(false);
    expect(request('clipboard-sanitized-write', 'app://glovebox.evil/')).toBe(false);
    expect(check('clipboard-sanitized-write', 'https://evil.example')).toBe(false);
    for (const permission of [
      'clipboard-read',
      'media',
      'notifications',
      'openExternal',
      'usb',
      'geolocation',
      'fullscreen',
      'unknown',
    ]) {
      expect([permission, request(permission, 'app://glovebox/')]).toEqual([permission, false]);
      expect([permission, check(permission, 'app://glovebox/')]).toEqual([permission, false]);
    }
  });

  it('refuses devices, screens, downloads and network logins (11)', async () => {
    const { handlers, events } = await ask();
    expect(handlers.device?.({} as never)).toBe(false);
    expect(handlers.usb?.({ protectedClasses: ['hid', 'smart-card'] })).toEqual([
      'hid',
      'smart-card',
    ]);
    expect(handlers.ntlm).toBe('');
    expect(handlers.spelling).toBe(false);
    let streams: unknown = 'unanswered';
    handlers.displayMedia?.({} as never, (answer) => {
      streams = answer;
    });
    expect(streams).toBeNull();
    let paired: unknown;
    handlers.bluetooth?.({} as never, (answer) => {
      paired = answer;
    });
    expect(paired).toEqual({ confirmed: false });
    let prevented = false;
    events.emit('will-download', { preventDefault: () => (prevented = true) });
    expect(prevented).toBe(true);
  });

  it('cancels every request that is not for our own page (9)', async () => {
    expect(await cancels('app://glovebox/assets/a.js')).toBe(false);
    for (const url of [
      'https://example.com/',
      'http://127.0.0.1/',
      'file:///etc/passwd',
      'app://glovebox.evil/',
      'app://other/',
      'ws://127.0.0.1:1/',
      'devtools://devtools/bundled/x',
    ]) {
      expect([url, await cancels(url)]).toEqual([url, true]);
    }
    expect(await cancels('devtools://devtools/bundled/x', false)).toBe(false);
  });

  it('locks sessions that are made later', async () => {
    const electron = await start();
    const { createSessionStandIn } = await import('./testing/stand-in.ts');
    const later = createSessionStandIn();
    electron.appEvents.emit('session-created', later);
    expect(later.handlers.device?.({} as never)).toBe(false);
  });
});

describe('the way to the services', () => {
  it('is given to the window’s own page, and carries text both ways (4)', async () => {
    const electron = await start();
    const port = sendPort(electron);
    expect(wires).toHaveLength(1);
    port.events.emit('message', { data: 'hello', ports: [] });
    expect(messages).toEqual(['hello']);
    wires[0]?.send('answer');
    expect(port.sent).toEqual(['answer']);
    expect(warnings).toEqual([]);
  });

  it('is refused to everyone else, with a line in the log (4)', async () => {
    const electron = await start();
    const { page } = onlyWindow(electron);
    const cases: readonly (readonly [string, Parameters<typeof sendPort>[1]])[] = [
      ['an unknown window', { sender: createPageStandIn(99, page.mainFrame) }],
      ['a frame that is gone', { senderFrame: null }],
      ['an inner frame', { senderFrame: createFrame('app://glovebox', page.mainFrame) }],
      ['an inner frame', { senderFrame: createFrame('app://glovebox') }],
    ];
    for (const [words, change] of cases) {
      const port = sendPort(electron, change);
      expect([words, port.closed, warnings.pop()]).toEqual([
        words,
        true,
        `A port was refused to ${words}.`,
      ]);
    }
    for (const origin of ['null', 'https://evil.example', 'app://glovebox.evil', 'app://other']) {
      Object.assign(page.mainFrame, { origin });
      expect(sendPort(electron).closed).toBe(true);
      expect(warnings.pop()).toBe(`A port was refused to the origin ${origin}.`);
    }
    Object.assign(page.mainFrame, { origin: 'app://glovebox' });
    const two = [createPortStandIn(), createPortStandIn()];
    sendPort(electron, { ports: two });
    sendPort(electron, { ports: [] });
    expect(two.map(({ closed }) => closed)).toEqual([true, true]);
    expect(wires).toHaveLength(0);
  });

  it('ends on anything that is not text, or brings a port along (5)', async () => {
    const electron = await start();
    for (const event of [
      { data: { type: 'call' }, ports: [] },
      { data: 'text', ports: [createPortStandIn()] },
    ]) {
      const port = sendPort(electron);
      port.events.emit('message', event);
      expect(port.closed).toBe(true);
    }
    expect(messages).toEqual([]);
  });

  it('is one per page: a reload replaces it, the end of the window closes it', async () => {
    const electron = await start();
    const closed: string[] = [];
    const first = sendPort(electron);
    first.events.on('close', () => closed.push('first'));
    wires[0]?.onClose(() => closed.push('told'));
    const second = sendPort(electron);
    expect(second.closed).toBe(false);
    onlyWindow(electron).page.events.emit('destroyed');
    expect(sendPort(electron).closed).toBe(true);
  });
});

describe('the end', () => {
  it('waits for the services to close, then leaves', async () => {
    const electron = await start();
    let released: () => void = () => undefined; // oxlint-disable-line consistent-function-scoping
    hostScope?.defer(
      () =>
        new Promise<void>((resolve) => {
          released = resolve;
        }),
    );
    expect(await quit(electron)).toBe(true);
    expect(electron.calls).not.toContain('exit 0');
    released();
    await turn();
    expect(electron.calls).toContain('exit 0');
  });

  it('asks first while a session runs, and stays when told so', async () => {
    const electron = await start();
    sessions = [
      { owned: true, state: 'running' },
      { owned: false, state: 'running' },
      { owned: true, state: 'review' },
    ];
    electron.answer = 1;
    await quit(electron);
    expect(electron.boxes).toEqual(['A session is running.']);
    expect(electron.calls).not.toContain('exit 0');
    electron.answer = 0;
    await quit(electron);
    expect(electron.calls).toContain('exit 0');
  });

  it('says what is wrong and leaves where it cannot start', async () => {
    const noWindow = await start({}, { windowFolder: join(folder, 'missing') });
    expect(noWindow.boxes[0]).toContain('cannot be used');
    expect(noWindow.calls).toContain('exit 125');
    const noHost = await start({}, { fails: true });
    expect(noHost.boxes[0]).toContain('No home.');
    expect(noHost.windows).toHaveLength(0);
  });
});
