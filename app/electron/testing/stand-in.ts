import { EventEmitter } from 'node:events';
import type * as Electron from 'electron/main';
import type { AppSession, ElectronApi, Page } from '../api.ts';

type Handler<K extends keyof AppSession> = AppSession[K] extends (handler: infer H) => void
  ? NonNullable<H>
  : never;

/** A session that remembers its handlers, so that a test can ask them. */
export type SessionStandIn = AppSession & {
  readonly handlers: {
    permissionRequest?: Handler<'setPermissionRequestHandler'>;
    permissionCheck?: Handler<'setPermissionCheckHandler'>;
    device?: Handler<'setDevicePermissionHandler'>;
    usb?: Handler<'setUSBProtectedClassesHandler'>;
    displayMedia?: (request: never, decide: (streams: unknown) => void) => void;
    bluetooth?: (details: never, decide: (response: { confirmed: boolean }) => void) => void;
    ntlm?: string;
    spelling?: boolean;
    request?: (details: { url: string }, decide: (answer: { cancel?: boolean }) => void) => void;
    page?: (request: Request) => Response | Promise<Response>;
    scheme?: string;
  };
  readonly events: EventEmitter;
};

/** An event emitter seen through Electron's own overloads, which no function expression can spell. */
const listen = (events: EventEmitter, method: 'on' | 'once'): never =>
  ((name: string, listener: (...values: unknown[]) => void) => {
    events[method](name, listener);
    return events;
  }) as never;

export const createSessionStandIn = (): SessionStandIn => {
  const handlers: SessionStandIn['handlers'] = {};
  const events = new EventEmitter();
  return {
    handlers,
    events,
    on: listen(events, 'on'),
    setPermissionRequestHandler: (handler) => {
      if (handler !== null) handlers.permissionRequest = handler;
    },
    setPermissionCheckHandler: (handler) => {
      if (handler !== null) handlers.permissionCheck = handler;
    },
    setDevicePermissionHandler: (handler) => {
      if (handler !== null) handlers.device = handler;
    },
    setUSBProtectedClassesHandler: (handler) => {
      if (handler !== null) handlers.usb = handler;
    },
    setDisplayMediaRequestHandler: (handler) => {
      if (handler !== null) handlers.displayMedia = handler;
    },
    setBluetoothPairingHandler: (handler) => {
      if (handler !== null) handlers.bluetooth = handler;
    },
    allowNTLMCredentialsForDomains: (domains) => {
      handlers.ntlm = domains;
    },
    setSpellCheckerEnabled: (enabled) => {
      handlers.spelling = enabled;
    },
    protocol: {
      handle: (scheme, handler) => {
        handlers.scheme = scheme;
        handlers.page = handler;
      },
    },
    webRequest: {
      onBeforeRequest: ((listener: SessionStandIn['handlers']['request']) => {
        if (listener !== undefined) handlers.request = listener;
      }) as AppSession['webRequest']['onBeforeRequest'],
    },
  };
};

export type PageStandIn = Page & {
  readonly events: EventEmitter;
  openHandler: Parameters<Page['setWindowOpenHandler']>[0] | undefined;
};

export const createPageStandIn = (id: number, frame: Electron.WebFrameMain): PageStandIn => {
  const events = new EventEmitter();
  const page: PageStandIn = {
    id,
    mainFrame: frame,
    events,
    openHandler: undefined,
    session: undefined as unknown as Electron.Session,
    isDestroyed: () => false,
    on: listen(events, 'on'),
    once: listen(events, 'once'),
    setWindowOpenHandler: (handler) => {
      page.openHandler = handler;
    },
  };
  return page;
};

/** A port whose two ends are the test and the app. */
export type PortStandIn = Pick<
  Electron.MessagePortMain,
  'on' | 'postMessage' | 'start' | 'close'
> & {
  readonly events: EventEmitter;
  readonly sent: unknown[];
  closed: boolean;
};

export const createPortStandIn = (): PortStandIn => {
  const events = new EventEmitter();
  const port: PortStandIn = {
    events,
    sent: [],
    closed: false,
    on: listen(events, 'on'),
    start: () => undefined,
    postMessage: (message: unknown) => {
      port.sent.push(message);
    },
    close: () => {
      if (port.closed) return;
      port.closed = true;
      events.emit('close');
    },
  };
  return port;
};

export type UtilityStandIn = EventEmitter & {
  readonly stderr: EventEmitter;
  readonly posted: unknown[];
};

/** What the app did with Electron, in the order it did it. */
export type ElectronStandIn = ElectronApi & {
  readonly appEvents: EventEmitter;
  readonly ipcEvents: EventEmitter;
  readonly calls: string[];
  readonly session: { readonly defaultSession: SessionStandIn };
  readonly windows: {
    readonly options: Electron.BrowserWindowConstructorOptions;
    readonly page: PageStandIn;
    readonly urls: string[];
    readonly events: EventEmitter;
  }[];
  readonly schemes: Electron.CustomScheme[];
  readonly menus: Electron.MenuItemConstructorOptions[][];
  readonly forks: {
    path: string;
    args: unknown;
    options: Electron.ForkOptions;
    child: UtilityStandIn;
  }[];
  readonly boxes: string[];
  answer: number;
  becomeReady: () => void;
};

export const createFrame = (
  origin: string,
  parent: Electron.WebFrameMain | null = null,
): Electron.WebFrameMain => ({ origin, parent }) as Electron.WebFrameMain;

/** Electron as far as Glovebox uses it, typed by Electron's own declarations, without Electron. */
export const createElectronStandIn = (
  settings: { readonly isPackaged?: boolean; readonly isFirst?: boolean } = {},
): ElectronStandIn => {
  const appEvents = new EventEmitter();
  const ipcEvents = new EventEmitter();
  const calls: string[] = [];
  const ready = Promise.withResolvers<void>();
  const windows: ElectronStandIn['windows'] = [];
  const forks: ElectronStandIn['forks'] = [];
  const menus: Electron.MenuItemConstructorOptions[][] = [];
  const schemes: Electron.CustomScheme[] = [];
  const boxes: string[] = [];

  class WindowStandIn {
    readonly webContents: PageStandIn;
    readonly #events = new EventEmitter();
    readonly #urls: string[] = [];
    constructor(options: Electron.BrowserWindowConstructorOptions) {
      const id = windows.length + 1;
      this.webContents = createPageStandIn(id, createFrame('app://glovebox'));
      windows.push({ options, page: this.webContents, urls: this.#urls, events: this.#events });
      appEvents.emit('web-contents-created', {}, this.webContents);
    }
    readonly on = ((name: string, listener: () => void) =>
      this.#events.on(name, listener)) as never;
    readonly once = ((name: string, listener: () => void) =>
      this.#events.once(name, listener)) as never;
    async loadURL(url: string): Promise<void> {
      this.#urls.push(url);
    }
    show(): void {
      calls.push('show');
    }
    focus(): void {
      calls.push('focus');
    }
    restore(): void {
      calls.push('restore');
    }
    isMinimized(): boolean {
      return true;
    }
    isDestroyed(): boolean {
      return false;
    }
  }

  const standIn: ElectronStandIn = {
    appEvents,
    ipcEvents,
    calls,
    windows,
    forks,
    menus,
    schemes,
    boxes,
    answer: 0,
    becomeReady: () => {
      calls.push('ready');
      ready.resolve();
    },
    app: {
      isPackaged: settings.isPackaged ?? false,
      getVersion: () => '0.0.0-stand-in',
      enableSandbox: () => {
        calls.push('enableSandbox');
      },
      requestSingleInstanceLock: () => {
        calls.push('lock');
        return settings.isFirst ?? true;
      },
      whenReady: () => ready.promise,
      on: listen(appEvents, 'on'),
      quit: () => {
        calls.push('quit');
      },
      exit: (code) => {
        calls.push(`exit ${code ?? 0}`);
      },
    },
    BrowserWindow: WindowStandIn,
    ipcMain: { on: listen(ipcEvents, 'on') },
    Menu: {
      buildFromTemplate: (template) => {
        menus.push(template);
        return {} as Electron.Menu;
      },
      setApplicationMenu: () => {
        calls.push('menu');
      },
    },
    protocol: {
      registerSchemesAsPrivileged: (more) => {
        calls.push('schemes');
        schemes.push(...more);
      },
    },
    session: { defaultSession: createSessionStandIn() },
    dialog: {
      showErrorBox: (title, content) => {
        boxes.push(`${title}: ${content}`);
      },
      showMessageBox: async ({ message }) => {
        boxes.push(message);
        return { response: standIn.answer, checkboxChecked: false };
      },
    },
    utilityProcess: {
      fork: (path, args, options) => {
        const child: UtilityStandIn = Object.assign(new EventEmitter(), {
          stderr: new EventEmitter(),
          posted: [] as unknown[],
          pid: 4711,
          postMessage: (message: unknown) => {
            child.posted.push(message);
          },
          kill: () => child.emit('exit', 9),
        });
        forks.push({ path, args, options: options ?? {}, child });
        return child as unknown as Electron.UtilityProcess;
      },
    },
  };
  return standIn;
};
