// The first thing that runs on a bare machine: plain JavaScript for Node 20 and later, no dependencies.
// Installs the packages that the lockfile names, with install scripts off, then allows the few that are needed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.glovebox-packages');
const electronNote = join(modules, '.glovebox-electron.json');

/** Node 24 from the npm package `node`: what everything of ours runs on. */
export const node24 = join(
  modules,
  'node',
  'bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
);

const OLDEST_NODE = 20;
const ELECTRON_DOWNLOAD_MS = 120_000;
const TICK_MS = 10_000;

const say = (text) => process.stderr.write(`${text}\n`);

/** Runs a command to its end; output is kept and shown only when it fails. */
const run = (command, args, { timeoutMs } = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            keep(`\nstopped after ${timeoutMs / 1000} s`);
            child.kill('SIGKILL');
          }, timeoutMs);
    child.on('error', (failure) => {
      clearTimeout(timer);
      resolve({ code: 127, output: failure.message });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, output });
    });
  });

/** Says that a long step runs, every ten seconds that it still does, and how long it took. */
const step = async (name, doing, task) => {
  const began = Date.now();
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  say(`  ${name}: ${doing} …`);
  const timer = setInterval(() => say(`  ${name}: ${doing}, ${seconds()} so far`), TICK_MS);
  try {
    const result = await task();
    say(`  ${name}: done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
};

const stop = (what, output, advice) => {
  say(`\n${what}\n${output.trimEnd()}\n\n${advice}`);
  process.exit(1);
};

const lockfileHash = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');

const installPackages = async () => {
  const installed = await step(
    'Packages',
    'installing what the lockfile names (install scripts off)',
    () => run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']),
  );
  if (installed.code !== 0) {
    stop(
      'npm ci failed:',
      installed.output,
      'Check that the npm registry can be reached, then run the command again.',
    );
  }
  // The one install script that everything needs: it puts Node 24 into node_modules/node/bin.
  const runtime = await step('Packages', 'fetching the Node 24 runtime', () =>
    run('npm', ['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error']),
  );
  if (runtime.code !== 0 || !existsSync(node24)) {
    stop(
      'The Node 24 runtime could not be installed:',
      runtime.output,
      'Delete node_modules and run the command again.',
    );
  }
};

/** Electron's binary is a download of its own; without it the same window opens in the browser. */
const fetchElectron = async () => {
  if (existsSync(electronNote)) return;
  const installer = join(modules, 'electron', 'install.js');
  if (!existsSync(installer)) return;
  const outcome = await step('Electron', 'fetching its binary', () =>
    run(node24, [installer], { timeoutMs: ELECTRON_DOWNLOAD_MS }),
  );
  const reason = outcome.output
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => /error|stopped|refused|timed? ?out/i.test(line));
  const note =
    outcome.code === 0
      ? { available: true }
      : { available: false, reason: reason?.slice(0, 200) ?? 'its binary could not be fetched' };
  writeFileSync(electronNote, `${JSON.stringify(note)}\n`);
};

/** Brings node_modules to what the lockfile says. Does nothing, quickly, when it is so already. */
export const ensurePackages = async ({ electron = false } = {}) => {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    stop(
      `Glovebox was started with Node ${process.versions.node}.`,
      '',
      `Install Node ${OLDEST_NODE} or later and run the command again.`,
    );
  }
  const wanted = lockfileHash();
  const present = existsSync(stamp) && existsSync(node24) ? readFileSync(stamp, 'utf8').trim() : '';
  if (present !== wanted) {
    await installPackages();
    mkdirSync(modules, { recursive: true });
    writeFileSync(stamp, `${wanted}\n`);
  }
  if (electron) await fetchElectron();
};

/** Goes on in Node 24 with one of our TypeScript files; ends with its exit status. */
export const continueWith = async (script, args) => {
  const child = spawn(
    node24,
    ['--disable-warning=ExperimentalWarning', join(root, script), ...args],
    {
      stdio: 'inherit',
    },
  );
  // The child gets the terminal's signals itself; waiting for it lets it end its sessions first.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  const code = await new Promise((resolve) => {
    child.on('close', (status) => resolve(status ?? 1));
  });
  process.exit(code);
};
