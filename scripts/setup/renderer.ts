import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../app/kit/index.ts';
import { rendererFolder, root } from '../places.ts';
import { bin } from '../tools.ts';
import { run } from './command.ts';
import { step } from './step.ts';

const SOURCES = ['renderer', 'app/contract', 'app/kit', 'package-lock.json'];

const newest = async (path: string): Promise<number> => {
  const info = await stat(path);
  if (!info.isDirectory()) return info.mtimeMs;
  const names = await readdir(path);
  const times = await Promise.all(names.map((name) => newest(join(path, name))));
  return Math.max(0, ...times);
};

/** Builds the window where it is missing or older than its sources. */
export const ensureRenderer = async (): Promise<Result<string>> => {
  const page = join(rendererFolder, 'index.html');
  const built = existsSync(page) ? (await stat(page)).mtimeMs : 0;
  const changed = Math.max(...(await Promise.all(SOURCES.map((path) => newest(join(root, path))))));
  if (built >= changed) return ok(rendererFolder);
  const outcome = await step('Window', 'building it', () =>
    run(bin('vite'), ['build', '--config', 'renderer/vite.config.ts', '--logLevel', 'warn'], {
      cwd: root,
    }),
  );
  return outcome.code === 0
    ? ok(rendererFolder)
    : fail(
        'setup.renderer',
        `The window could not be built:\n${outcome.output}`,
        'Run “npm run check”.',
      );
};
