import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Code } from '../contract/index.ts';
import { fail, ok, type Failure, type Result } from '../kit/index.ts';

/** Most bytes that all files of the window may have together. */
export const MAX_WINDOW_BYTES = 64 * 1024 * 1024;
/** Most files that the window may have. */
export const MAX_WINDOW_FILES = 2000;

/** What the window is made of has exactly these types; a file of another is not served. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

export type WindowFile = {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

/**
 * The built window, read once. A request is answered by looking its path up in a fixed list, so that
 * no spelling of a path leads anywhere else on the disk. Only `/` is the page: nothing falls back to it.
 */
export type WindowFiles = {
  /** `path` as it stands in the request line, without the query. */
  readonly file: (path: string) => WindowFile | undefined;
};

/**
 * Nothing from anywhere else, nothing inline, no string that becomes code. The terminal's styles go
 * through constructed style sheets, which need no exception here.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const EVERY_POWER = [
  'accelerometer',
  'autoplay',
  'camera',
  'display-capture',
  'encrypted-media',
  'fullscreen',
  'gamepad',
  'geolocation',
  'gyroscope',
  'hid',
  'idle-detection',
  'local-fonts',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'publickey-credentials-get',
  'screen-wake-lock',
  'serial',
  'storage-access',
  'usb',
  'window-management',
  'xr-spatial-tracking',
];

/** Headers of every answer a shell gives its window, the page or not. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': EVERY_POWER.map((power) => `${power}=()`).join(', '),
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

const PAGE = 'index.html';

type Entry = { readonly body: Buffer; readonly type: string };

/** The page is never kept; only names with a hash of their content never change. */
const cachingOf = (path: string): string => {
  if (path === '/') return 'no-store';
  return path.startsWith('/assets/') ? 'private, max-age=31536000, immutable' : 'no-cache';
};

const missing = (folder: string, why: string): Result<never, Failure<Code>> =>
  fail(
    'window.missing',
    `The window’s files in ${folder} cannot be used: ${why}.`,
    'Run “npm start”, which builds them.',
  );

/** Reads the window that vite built. Follows no links. */
export const loadWindowFiles = async (
  folder: string,
): Promise<Result<WindowFiles, Failure<Code>>> => {
  const entries = new Map<string, Entry>();
  let bytes = 0;
  let page: Entry | undefined;
  try {
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const item of found) {
      const type = CONTENT_TYPES[extname(item.name)];
      if (!item.isFile() || type === undefined) continue;
      const path = join(item.parentPath, item.name);
      const body = await readFile(path);
      bytes += body.byteLength;
      if (bytes > MAX_WINDOW_BYTES) return missing(folder, 'they are too large');
      const name = path.slice(folder.length).replaceAll('\\', '/').replace(/^\/*/, '');
      if (name === PAGE) page = { body, type };
      else entries.set(`/${name}`, { body, type });
      if (entries.size > MAX_WINDOW_FILES) return missing(folder, 'they are too many');
    }
  } catch (reason) {
    return missing(folder, reason instanceof Error ? reason.message : String(reason));
  }
  if (page === undefined) return missing(folder, `there is no ${PAGE}`);
  entries.set('/', page);
  return ok({
    file: (path) => {
      const entry = entries.get(path);
      if (entry === undefined) return undefined;
      return {
        body: entry.body,
        headers: {
          ...SECURITY_HEADERS,
          'Content-Type': entry.type,
          'Cache-Control': cachingOf(path),
        },
      };
    },
  });
};
