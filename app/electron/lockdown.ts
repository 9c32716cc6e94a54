import type * as Electron from 'electron/main';
import type { AppSession, ElectronApi, Page } from './api.ts';
import { PAGE_ORIGIN, PAGE_URL } from './page-address.ts';

/** The one permission there is: writing text to the clipboard, asked for by our own page. */
const ALLOWED_PERMISSION = 'clipboard-sanitized-write';

const isOurs = (origin: string | undefined): boolean =>
  origin === PAGE_ORIGIN || origin === PAGE_URL;

/** Refuses a session everything that a page can ask a browser for: permissions, devices, screens, the network. */
export const lockSession = (session: AppSession, isPackaged: boolean): void => {
  session.setPermissionRequestHandler((_contents, permission, decide, details) => {
    decide(
      permission === ALLOWED_PERMISSION && details.isMainFrame && isOurs(details.requestingUrl),
    );
  });
  session.setPermissionCheckHandler(
    (_contents, permission, origin) => permission === ALLOWED_PERMISSION && isOurs(origin),
  );
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, decide) => {
    // No streams: the request fails.
    decide(null);
  });
  session.setBluetoothPairingHandler((_details, decide) => {
    decide({ confirmed: false });
  });
  // Every class stays protected.
  session.setUSBProtectedClassesHandler(({ protectedClasses }) => protectedClasses);
  session.allowNTLMCredentialsForDomains('');
  session.setSpellCheckerEnabled(false);
  session.on('will-download', (event) => {
    event.preventDefault();
  });
  session.webRequest.onBeforeRequest((details, decide) => {
    const isTool = !isPackaged && details.url.startsWith('devtools://');
    decide({ cancel: !isTool && !details.url.startsWith(`${PAGE_ORIGIN}/`) });
  });
};

const prevent = (event: Pick<Electron.Event, 'preventDefault'>): void => {
  event.preventDefault();
};

/** A page stays what it was loaded as: it goes nowhere, opens nothing, embeds nothing. */
export const lockPage = (page: Pick<Page, 'on' | 'setWindowOpenHandler'>): void => {
  page.on('will-navigate', prevent);
  page.on('will-redirect', prevent);
  page.on('will-frame-navigate', prevent);
  page.on('will-attach-webview', prevent);
  page.on('select-client-certificate', prevent);
  page.on('login', prevent);
  page.setWindowOpenHandler(() => ({ action: 'deny' }));
};

/** Locks every page and session of this process, those that we did not make ourselves included. */
export const lockEverything = ({ app, session }: Pick<ElectronApi, 'app' | 'session'>): void => {
  app.on('web-contents-created', (_event, contents) => lockPage(contents));
  app.on('session-created', (created) => lockSession(created, app.isPackaged));
  lockSession(session.defaultSession, app.isPackaged);
};
