import { SECURITY_HEADERS, type WindowFiles } from '../host/window-files.ts';
import type { AppSession, ElectronApi } from './api.ts';
import { PAGE_ORIGIN, SCHEME } from './page-address.ts';

/** Makes `app:` a scheme with an origin of its own, like https. To be called before Electron is ready. */
export const declareScheme = ({ protocol }: Pick<ElectronApi, 'protocol'>): void => {
  protocol.registerSchemesAsPrivileged([
    {
      scheme: SCHEME,
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
};

const refuse = (status: number): Response =>
  new Response('There is nothing here.\n', {
    status,
    headers: { ...SECURITY_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' },
  });

/** Answers one request of the window from the fixed list of its files; no path leads to the disk. */
export const answerPage = (
  files: WindowFiles,
  request: Pick<Request, 'url' | 'method'>,
): Response => {
  if (request.method !== 'GET') return refuse(405);
  const prefix = `${PAGE_ORIGIN}/`;
  if (!request.url.startsWith(prefix)) return refuse(404);
  const path = request.url.slice(PAGE_ORIGIN.length).split(/[?#]/, 1)[0] ?? '';
  const file = files.file(path);
  if (file === undefined) return refuse(404);
  return new Response(Uint8Array.from(file.body), { headers: file.headers });
};

export const servePage = (session: Pick<AppSession, 'protocol'>, files: WindowFiles): void => {
  session.protocol.handle(SCHEME, (request) => answerPage(files, request));
};
