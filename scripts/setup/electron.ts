import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { electronNote, root } from '../places.ts';
import { run } from './command.ts';

const Note = z.strictObject({ available: z.boolean(), reason: z.string().optional() });

const PATH_FILE = join(root, 'node_modules', 'electron', 'path.txt');

/** Electron's binary, or one line on why the window opens in the browser instead. */
export type ElectronChoice =
  | { readonly available: true; readonly binary: string }
  | { readonly available: false; readonly reason: string };

const hasDisplay = (): boolean =>
  process.platform !== 'linux' ||
  process.env['DISPLAY'] !== undefined ||
  process.env['WAYLAND_DISPLAY'] !== undefined;

export const chooseElectron = (): ElectronChoice => {
  if (!existsSync(PATH_FILE)) {
    const parsed = existsSync(electronNote)
      ? Note.safeParse(JSON.parse(readFileSync(electronNote, 'utf8')))
      : undefined;
    const why = parsed?.success === true ? parsed.data.reason : undefined;
    return {
      available: false,
      reason: `Electron’s binary is not here${why === undefined ? '' : ` (${why})`}`,
    };
  }
  const binary = join(
    root,
    'node_modules',
    'electron',
    'dist',
    readFileSync(PATH_FILE, 'utf8').trim(),
  );
  if (!existsSync(binary)) return { available: false, reason: 'Electron’s binary is incomplete' };
  if (!hasDisplay()) return { available: false, reason: 'there is no display for Electron' };
  return { available: true, binary };
};

/** Bundles main and preload for Electron. */
export const buildElectronShell = async (): Promise<boolean> =>
  (await run('npm', ['run', '--silent', 'build:electron'], { cwd: root })).code === 0;
