import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { SessionId, SessionSummary, StartRequest } from '../../app/contract/index.ts';
import { createSessionHost, type HostOptions, type SessionHost } from '../../app/host/index.ts';
import { createScope, unwrap, type Closable, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { createTestProject, type TestProject } from '../fixtures/project.ts';

export const ENGINE_SOCKET = '/var/run/docker.sock';

const PASSPHRASE = 'correct horse battery staple';

type Env = Readonly<Record<string, string | undefined>>;

/** A scope that ends with the running test. */
export const testScope = (name: string): Scope => {
  const scope = createScope(name);
  onTestFinished(() => scope.close());
  return scope;
};

/** A fresh home and the environment that leads to it, with a sealed vault that opens by itself. */
export const freshHome = (scope: Scope, at?: string): { home: string; env: Env } => {
  const home = at ?? join(scope.use(createTestFolder('gbx-')).path, 'home');
  const secrets = scope.use(createTestFolder('gbx-pass-'));
  secrets.write({ passphrase: `${PASSPHRASE}\n` });
  chmodSync(join(secrets.path, 'passphrase'), 0o600);
  const env = {
    ...process.env,
    GLOVEBOX_HOME: home,
    GLOVEBOX_VAULT: 'sealed',
    GLOVEBOX_PASSPHRASE_FILE: join(secrets.path, 'passphrase'),
  };
  return { home, env };
};

/** A test project of a normal user's: unlike root's own it is shown as it is, without an idmapped mount. */
export const createUserProject = (scope: Scope, parent?: string): TestProject => {
  const project = scope.use(createTestProject(parent));
  execFileSync('chown', ['-R', '1000:1000', project.path]);
  return project;
};

export const openHost = async (
  scope: Scope,
  env: Env,
  options: Partial<HostOptions> = {},
): Promise<SessionHost> =>
  unwrap(await createSessionHost({ env, shell: 'tests', ...options }, scope));

const engineList = (kind: readonly string[], label: string): readonly string[] =>
  execFileSync('docker', [...kind, '-q', '--filter', `label=${label}`], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');

export const containersOf = (session: string): readonly string[] =>
  engineList(['ps', '-a'], `dev.glovebox.session=${session}`);

/** Everything a session could have left running or mounted; an empty list where nothing is. */
export const leftoversOf = (home: string, session: string): readonly string[] => [
  ...containersOf(session).map((id) => `container ${id}`),
  ...engineList(['volume', 'ls'], `dev.glovebox.session=${session}`).map((id) => `volume ${id}`),
  ...readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(session))
    .map((line) => `mount ${line}`),
  ...(existsSync(join(home, 'run', session)) ? [`run folder of ${session}`] : []),
];

/** Sessions that a home knows of, by its folders. */
export const sessionsIn = (home: string): readonly string[] => {
  const folder = join(home, 'sessions');
  return existsSync(folder) ? readdirSync(folder) : [];
};

export type Ran = {
  readonly id: SessionId;
  readonly summary: SessionSummary;
  readonly out: string;
  readonly err: string;
};

/** Runs a shell script as a whole session. */
export const runSession = async (
  host: SessionHost,
  request: StartRequest,
  script: string,
): Promise<Ran> => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const chunks = { out: '', err: '' };
  stdout.on('data', (bytes: Buffer) => (chunks.out += bytes.toString()));
  stderr.on('data', (bytes: Buffer) => (chunks.err += bytes.toString()));
  const { id } = unwrap(
    await host.sessions.start(
      { ...request, command: ['sh', '-c', script] },
      { stdin: undefined, stdout, stderr },
    ),
  );
  return { id, summary: await host.sessions.ended(id), ...chunks };
};

const main = fileURLToPath(new URL('../../app/cli/main.ts', import.meta.url));

export const beginGlovebox = (
  env: Env,
  args: readonly string[],
): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

export type Said = { readonly status: number | null; readonly out: string; readonly err: string };

export const outcomeOf = (child: ReturnType<typeof beginGlovebox>): Promise<Said> =>
  new Promise((resolve, reject) => {
    const said = { out: '', err: '' };
    child.stdout.on('data', (bytes: Buffer) => (said.out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (said.err += bytes.toString()));
    child.once('error', reject);
    child.once('close', (status: number | null) => resolve({ status, ...said }));
  });

/** The real command line, from start to end. */
export const glovebox = (env: Env, ...args: readonly string[]): Promise<Said> =>
  outcomeOf(beginGlovebox(env, args));

const tool = (program: string, ...args: readonly string[]): void => {
  execFileSync(program, args, { stdio: 'pipe' });
};

/** A small disk of its own (ext4 in a file), mounted at `path`. */
export const mountDisk = (
  scope: Scope,
  megabytes: number,
  options: readonly string[] = [],
): string => {
  const folder = scope.use(createTestFolder('gbx-disk-'));
  const image = join(folder.path, 'image');
  const path = join(folder.path, 'disk');
  mkdirSync(path);
  tool('truncate', '-s', `${String(megabytes)}M`, image);
  tool('mkfs.ext4', '-q', '-m', '0', '-b', '4096', ...options, image);
  tool('mount', '-o', 'loop', image, path);
  scope.defer(() => tool('umount', '-l', path));
  return path;
};

/** Takes every block that is left on a disk. */
export const fill = (folder: string): { readonly free: () => void } => {
  const path = join(folder, 'ballast');
  for (const size of ['64k', '4k', '1']) {
    try {
      execFileSync(
        'dd',
        ['if=/dev/zero', `of=${path}`, `bs=${size}`, 'oflag=append', 'conv=notrunc'],
        {
          stdio: 'pipe',
        },
      );
    } catch {
      // Full, as it should be.
    }
  }
  return {
    free: () => {
      rmSync(path);
    },
  };
};

/** Makes a folder read-only for everybody, root included, until the scope ends. */
export const makeReadOnly = (scope: Scope, path: string): { readonly undo: () => void } => {
  tool('mount', '--bind', path, path);
  tool('mount', '-o', 'remount,bind,ro', path);
  let done = false;
  const undo = (): void => {
    if (!done) tool('umount', '-l', path);
    done = true;
  };
  scope.defer(undo);
  return { undo };
};

/** A socket in front of the engine's own, with a plug that can be pulled. */
export type Plug = Closable & {
  readonly path: string;
  readonly pull: () => void;
  /** Connections stay, and new ones are taken, but not a byte passes: an engine that hangs. */
  readonly hang: () => void;
  readonly plug: () => Promise<void>;
};

export const startPlug = async (path: string): Promise<Plug> => {
  const open = new Set<Socket>();
  let server = createServer();
  let hanging = false;
  const plug = (): Promise<void> =>
    new Promise((resolve, reject) => {
      pull();
      hanging = false;
      server = createServer({ allowHalfOpen: true }, (socket) => {
        if (hanging) {
          open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
          return;
        }
        const engine = connect({ path: ENGINE_SOCKET, allowHalfOpen: true });
        for (const end of [socket, engine]) {
          open.add(end);
          end.on('error', () => undefined);
          end.on('close', () => open.delete(end));
        }
        socket.pipe(engine).pipe(socket);
        socket.on('close', () => engine.destroy());
        engine.on('close', () => socket.destroy());
      });
      server.once('error', reject);
      server.listen(path, resolve);
    });
  const pull = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  const hang = (): void => {
    hanging = true;
    for (const socket of open) {
      socket.unpipe();
      socket.pause();
    }
  };
  await plug();
  return { path, pull, hang, plug, close: pull };
};
