import type * as Electron from 'electron/main';

/** What of a page the main process uses. */
export type Page = Pick<
  Electron.WebContents,
  'id' | 'mainFrame' | 'session' | 'on' | 'once' | 'setWindowOpenHandler' | 'isDestroyed'
>;

export type AppWindow = Pick<
  Electron.BrowserWindow,
  'loadURL' | 'show' | 'focus' | 'restore' | 'isMinimized' | 'isDestroyed' | 'once' | 'on'
> & { readonly webContents: Page };

export type AppSession = Pick<
  Electron.Session,
  | 'setPermissionRequestHandler'
  | 'setPermissionCheckHandler'
  | 'setDevicePermissionHandler'
  | 'setDisplayMediaRequestHandler'
  | 'setBluetoothPairingHandler'
  | 'setUSBProtectedClassesHandler'
  | 'allowNTLMCredentialsForDomains'
  | 'setSpellCheckerEnabled'
  | 'on'
> & {
  readonly protocol: Pick<Electron.Protocol, 'handle'>;
  readonly webRequest: Pick<Electron.WebRequest, 'onBeforeRequest'>;
};

/**
 * The part of Electron's API that Glovebox uses, and so all that a stand-in has to offer. `shell` is not
 * in it: nothing here opens links or files outside.
 */
export type ElectronApi = {
  readonly app: Pick<
    Electron.App,
    | 'enableSandbox'
    | 'requestSingleInstanceLock'
    | 'whenReady'
    | 'on'
    | 'quit'
    | 'exit'
    | 'isPackaged'
    | 'getVersion'
  >;
  readonly BrowserWindow: new (options: Electron.BrowserWindowConstructorOptions) => AppWindow;
  readonly ipcMain: Pick<Electron.IpcMain, 'on'>;
  readonly Menu: {
    readonly buildFromTemplate: (template: Electron.MenuItemConstructorOptions[]) => Electron.Menu;
    readonly setApplicationMenu: (menu: Electron.Menu | null) => void;
  };
  readonly protocol: Pick<Electron.Protocol, 'registerSchemesAsPrivileged'>;
  readonly session: { readonly defaultSession: AppSession };
  readonly dialog: Pick<Electron.Dialog, 'showErrorBox'> & {
    readonly showMessageBox: (
      options: Electron.MessageBoxOptions,
    ) => Promise<Electron.MessageBoxReturnValue>;
  };
  readonly utilityProcess: Pick<typeof Electron.utilityProcess, 'fork'>;
};
