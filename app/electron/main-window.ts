import type { AppWindow, ElectronApi } from './api.ts';
import { PAGE_URL } from './page-address.ts';

/** The smallest window that the page is drawn for. */
export const MIN_SIZE = { width: 1100, height: 700 } as const;

/** The only place that makes windows, so that none is weaker than another. */
export const createMainWindow = (
  { BrowserWindow }: Pick<ElectronApi, 'BrowserWindow'>,
  options: { readonly preload: string; readonly devTools: boolean },
): AppWindow => {
  const window = new BrowserWindow({
    width: 1440,
    height: 900,
    minWidth: MIN_SIZE.width,
    minHeight: MIN_SIZE.height,
    show: false,
    title: 'Glovebox',
    backgroundColor: '#16181c',
    webPreferences: {
      preload: options.preload,
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
      devTools: options.devTools,
    },
  });
  window.once('ready-to-show', () => window.show());
  void window.loadURL(PAGE_URL);
  return window;
};
