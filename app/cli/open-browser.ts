import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomId, type Scope } from '../kit/index.ts';

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', '""'],
};

/**
 * Opens a one-time link in the user's browser. Arguments of programs can be read by every user of the
 * machine, so the browser gets a private file that leads on, and not the link itself. False where no opener is there.
 */
export const openBrowser = (url: string, folder: string, scope: Scope): Promise<boolean> =>
  new Promise((resolve) => {
    const path = join(folder, `open-${randomId()}.html`);
    const page = `<!doctype html><meta charset="utf-8"><title>Glovebox</title><meta http-equiv="refresh" content="0;url=${url}">\n`;
    writeFileSync(path, page, { mode: 0o600, flag: 'wx' });
    scope.defer(() => rmSync(path, { force: true }));
    const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
    const child = spawn(program, [...args, path], { stdio: 'ignore', detached: true });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
    child.unref();
  });
