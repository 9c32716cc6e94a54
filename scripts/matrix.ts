import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientsPage } from '../e2e/matrix/document.ts';
import { root } from './places.ts';
import { bin } from './tools.ts';

/** Holds every claim about clients against real sandboxes, and writes the page about them where all hold. */

const run = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;

const page = join(root, 'docs/clients.md');
const write = (): boolean => {
  writeFileSync(page, clientsPage());
  return run(bin('oxfmt'), page);
};

if (!run(bin('vitest'), 'run', '--project', 'engine', 'e2e/matrix') || !write())
  process.exitCode = 1;
