#!/usr/bin/env node
// The `glovebox` command: plain JavaScript for Node 20 and later, so that it can say what is missing.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Through the real path: `npm link` starts this file through a link.
const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const binary = process.platform === 'win32' ? 'node.exe' : 'node';
const node24 = join(root, 'node_modules', 'node', 'bin', binary);
const main = join(root, 'app', 'cli', 'main.ts');

const end = (message) => {
  process.stderr.write(`glovebox: ${message}\n`);
  process.exit(125);
};

if (!existsSync(node24)) {
  end(
    `its packages are not installed yet. Run “npm start” once in ${root}, which sets everything up.`,
  );
}
const child = spawn(
  node24,
  ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    // Compiled code is kept beside the packages it came from: the second start takes half the time.
    env: {
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'glovebox-code'),
      ...process.env,
    },
  },
);
// Handed on; the child takes the terminal's own copy of a Ctrl+C for the same wish. Waiting lets it end its sessions first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
  process.on(signal, () => child.kill(signal));
}
child.on('error', (failure) => end(`Node could not be started: ${failure.message}`));
child.on('close', (code, signal) => {
  if (signal === null) process.exit(code ?? 125);
  // Ends the way the child did, so that a shell sees the same.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
