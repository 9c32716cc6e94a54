import type * as Electron from 'electron/main';
import type { ElectronApi } from './api.ts';

/** The smallest menu that a desktop expects; what helps developers is there only in an unpackaged app. */
export const menuTemplate = (
  isMac: boolean,
  isPackaged: boolean,
): Electron.MenuItemConstructorOptions[] => [
  ...(isMac ? [{ role: 'appMenu' } as const] : []),
  { label: 'File', submenu: [{ role: isMac ? 'close' : 'quit' }] },
  { role: 'editMenu' },
  {
    label: 'View',
    submenu: [
      { role: 'resetZoom' },
      { role: 'zoomIn' },
      { role: 'zoomOut' },
      { type: 'separator' },
      { role: 'togglefullscreen' },
      ...(isPackaged ? [] : [{ role: 'reload' } as const, { role: 'toggleDevTools' } as const]),
    ],
  },
  { role: 'windowMenu' },
];

export const installMenu = (
  { Menu }: Pick<ElectronApi, 'Menu'>,
  isMac: boolean,
  isPackaged: boolean,
): void => {
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(isMac, isPackaged)));
};
