import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { access, constants, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Code, Problem } from '../contract/index.ts';
import type { SessionHost } from '../host/index.ts';
import type { Failure } from '../kit/index.ts';
import { createConsole, printable, sayFailure, type Surroundings } from './console.ts';
import { EXIT } from './exit-codes.ts';
import { appFolder, windowFolder } from './places.ts';
import { withHost } from './with-host.ts';

/** Below this much free disk, image builds and working copies are likely to fail. */
export const LOW_DISK_BYTES = 3 * 1024 ** 3;
/** How long the engine may take to be found. */
const ENGINE_WAIT_MS = 15_000;
const OLDEST_NODE = 24;
/** Variables that name further certificate authorities. */
const CERTIFICATE_VARIABLES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

/** One line of the report: `weak` works with less, `broken` stops sessions. */
export type Finding = {
  readonly what: string;
  readonly state: 'fine' | 'weak' | 'broken';
  readonly words: string;
  readonly code?: Code;
  readonly hint?: string;
};

type Env = Readonly<Record<string, string | undefined>>;

const broken = (what: string, problem: Problem | Failure): Finding => ({
  what,
  state: 'broken',
  words: problem.message,
  code: problem.code as Code,
  ...(problem.hint === undefined ? {} : { hint: problem.hint }),
});

export const checkNode = (version: string): Finding => {
  const major = Number(/^v?([0-9]+)/.exec(version)?.[1]);
  return major >= OLDEST_NODE
    ? { what: 'node', state: 'fine', words: `Node ${version}` }
    : {
        what: 'node',
        state: 'broken',
        words: `Node ${version} is too old.`,
        hint: `Start it with “npm start” or scripts/glovebox.mjs, which bring Node ${OLDEST_NODE}.`,
      };
};

export const checkHome = async (folder: string): Promise<Finding> => {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return { what: 'home', state: 'fine', words: folder };
  } catch {
    const failure = { code: 'host.home' as const, message: `${folder} cannot be written to.` };
    return broken('home', { ...failure, hint: 'Set GLOVEBOX_HOME to a folder of your own.' });
  }
};

export const checkDisk = async (folder: string): Promise<Finding> => {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const words = `${(free / 1024 ** 3).toFixed(1)} GiB free where ${folder} is`;
  return free >= LOW_DISK_BYTES
    ? { what: 'disk', state: 'fine', words }
    : {
        what: 'disk',
        state: 'weak',
        words,
        hint: 'Images and working copies need room: free some, or move GLOVEBOX_HOME.',
      };
};

export const checkCertificates = (env: Env): readonly Finding[] => {
  const set = CERTIFICATE_VARIABLES.filter((name) => (env[name] ?? '') !== '');
  if (set.length === 0) {
    return [
      { what: 'certificates', state: 'fine', words: 'the public authorities and the system’s' },
    ];
  }
  return set.map((name) => {
    const path = env[name] ?? '';
    try {
      const count = readFileSync(path, 'utf8').split('-----BEGIN CERTIFICATE-----').length - 1;
      if (count > 0) {
        return { what: 'certificates', state: 'fine', words: `${name}: ${count} in ${path}` };
      }
    } catch {
      // Said below, like a file without a certificate.
    }
    return {
      what: 'certificates',
      state: 'weak',
      words: `${name} names ${path}, which holds no certificate that can be read.`,
      hint: 'Correct the variable: image builds and the broker trust what is in that file.',
    };
  });
};

const settledEngine = async (host: SessionHost): Promise<SessionHost['status']> => {
  const end = Date.now() + ENGINE_WAIT_MS;
  while (host.status().engine.state === 'checking' && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return host.status;
};

const checkEngine = async (host: SessionHost): Promise<readonly Finding[]> => {
  const { engine } = (await settledEngine(host))();
  if (engine.state !== 'ready') {
    const missing = { code: 'engine.not-found' as const, message: 'No container engine answers.' };
    return [broken('engine', engine.problem ?? missing)];
  }
  const found: Finding = { what: 'engine', state: 'fine', words: engine.title ?? 'it answers' };
  const assistants = await host.handlers['assistant.list']({});
  if (!assistants.ok) return [found, broken('images', assistants.error)];
  const ready = assistants.value.filter(({ image }) => image === 'ready').map(({ name }) => name);
  return [
    found,
    ready.length === 0
      ? {
          what: 'images',
          state: 'weak',
          words: 'none is built yet; the first start builds one',
          hint: 'Build them now: glovebox images build',
        }
      : { what: 'images', state: 'fine', words: `built: ${ready.join(', ')}` },
  ];
};

const checkVault = async (host: SessionHost): Promise<Finding> => {
  const { store, state, credentials, problem } = await host.vault.status();
  if (state === 'open') {
    const count = credentials === undefined ? '' : `, ${credentials} stored`;
    const name = store === 'keychain' ? 'the system’s keychain' : 'the passphrase-sealed file';
    return { what: 'keychain', state: 'fine', words: `${name}${count}` };
  }
  return {
    what: 'keychain',
    state: 'weak',
    words: problem?.message ?? `the ${store} store is ${state}`,
    code: problem?.code ?? (state === 'locked' ? 'vault.locked' : 'vault.unavailable'),
    hint: problem?.hint ?? 'Sessions start without credentials until it is open.',
  };
};

const checkWindow = (): Finding =>
  existsSync(join(windowFolder, 'index.html'))
    ? { what: 'window', state: 'fine', words: 'built' }
    : {
        what: 'window',
        state: 'weak',
        words: 'not built yet; “npm start” builds it',
        code: 'window.missing',
      };

const SIGNS = { fine: 'ok  ', weak: 'weak', broken: 'BAD ' } as const;

/** `glovebox doctor`: each thing a session needs, in one line; ends with 125 where one is broken. */
export const doctor = async (around: Surroundings): Promise<number> => {
  const console = createConsole(around);
  const report = (findings: readonly Finding[]): void => {
    for (const { what, state, words, code, hint } of findings) {
      const tag = code === undefined ? '' : ` [${code}]`;
      console.out(`${SIGNS[state]}  ${what.padEnd(12)}  ${printable(words)}${tag}`);
      if (hint !== undefined && state !== 'fine') console.out(`      ${printable(hint)}`);
    }
  };
  const first = [checkNode(process.version), ...checkCertificates(around.env), checkWindow()];
  report(first);
  const status = await withHost(around, { shell: 'command line' }, async ({ host }) => {
    const { homeFolder } = host.status();
    const rest = [
      await checkHome(homeFolder),
      await checkDisk(homeFolder),
      ...(await checkEngine(host)),
      await checkVault(host),
    ];
    report(rest);
    return rest.some(({ state }) => state === 'broken') ? EXIT.failed : EXIT.done;
  });
  return first.some(({ state }) => state === 'broken') ? EXIT.failed : status;
};

/** `--fix`: the same set-up that `npm start` does, then the report. */
export const fix = async (around: Surroundings): Promise<void> => {
  const console = createConsole(around);
  const status = await new Promise<number>((resolve) => {
    const script = join(appFolder, 'scripts', 'setup.mjs');
    const child = spawn(process.execPath, [script, '--fix'], {
      cwd: appFolder,
      // Its words are ours, not the command's output.
      stdio: ['inherit', process.stderr, process.stderr],
    });
    child.on('error', () => resolve(EXIT.notFound));
    child.on('close', (code) => resolve(code ?? EXIT.failed));
  });
  if (status !== 0) {
    sayFailure(console, {
      code: 'host.home',
      message: `The set-up ended with status ${status}; the report says what is still missing.`,
    });
  }
};
