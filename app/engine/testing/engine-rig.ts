import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { SessionId } from '../../contract/index.ts';
import { createScope, randomId, unwrap, type Scope } from '../../kit/index.ts';
import type { SandboxMount } from '../../policy/index.ts';
import {
  findEngine,
  SANDBOX_HOME,
  type Engine,
  type ExecSpec,
  type SandboxSpec,
  type SessionImages,
} from '../index.ts';
import { LABEL } from '../labels.ts';

const repository = join(import.meta.dirname, '../../..');

export const never = new AbortController().signal;
export const isRoot = process.getuid?.() === 0;
export const user = isRoot
  ? { uid: 4711, gid: 4712 }
  : { uid: process.getuid?.() ?? 1000, gid: process.getgid?.() ?? 1000 };

export const limits = { memoryBytes: 256 * 1024 * 1024, cpus: 0.5, pids: 128 };

export const plain = (...command: [string, ...string[]]): ExecSpec => ({
  command,
  env: {},
  workingFolder: SANDBOX_HOME,
  user,
  tty: false,
});

/** The real base and assistant images; gateway and guard are stand-ins that only hold their namespaces. */
const writeImages = async (imagesFolder: string, installId: string): Promise<void> => {
  await cp(join(repository, 'sandbox-images/base'), join(imagesFolder, 'base'), {
    recursive: true,
  });
  await cp(join(repository, 'sandbox-images/assistants'), join(imagesFolder, 'assistants'), {
    recursive: true,
  });
  for (const name of ['gateway', 'guard']) {
    await mkdir(join(imagesFolder, name));
    await writeFile(
      join(imagesFolder, name, 'image.json'),
      '{ "base": "base", "context": [], "args": {} }',
    );
    await writeFile(
      join(imagesFolder, name, 'Dockerfile'),
      `ARG BASE\nFROM \${BASE}\nENV TEST=${installId}-${name}\n`,
    );
  }
};

/** The real engine with an install of the test's own. */
export type EngineRig = {
  readonly scope: Scope;
  /** A fresh folder of this test. */
  readonly folder: string;
  readonly imagesFolder: string;
  readonly installId: string;
  readonly engine: Engine;
  images: SessionImages;
  /** A way to the engine beside the one that is tested. */
  readonly docker: Docker;
  /** A session that `removeSessions` will remove. */
  readonly newSession: () => SessionId;
  readonly startSandbox: (
    mounts?: readonly SandboxMount[],
    over?: Partial<SandboxSpec>,
  ) => Promise<{ readonly id: string; readonly gateway: string; readonly session: SessionId }>;
  /** Runs a shell line and gives what it wrote and its exit status. */
  readonly run: (
    container: string,
    line: string,
    stdin?: string,
  ) => Promise<{ stdout: string; stderr: string; exit: number }>;
  readonly removeSessions: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export const openEngineRig = async (): Promise<EngineRig> => {
  const installId = `test-${randomId()}`;
  const sessions: SessionId[] = [];
  const scope = createScope('engine test');
  const folder = await mkdtemp(join(tmpdir(), 'gb-engine-'));
  const imagesFolder = join(folder, 'images');
  await mkdir(imagesFolder);
  await writeImages(imagesFolder, installId);
  const engine = unwrap(await findEngine({ installId, env: process.env, imagesFolder }, scope));
  const docker = new Docker({ socketPath: engine.address });
  const newSession = (): SessionId => {
    const session = SessionId.parse(randomId());
    sessions.push(session);
    return session;
  };
  const startSandbox: EngineRig['startSandbox'] = async (mounts = [], over = {}) => {
    const session = newSession();
    const gateway = unwrap(
      await engine.startGateway(
        { session, image: rig.images.gateway, user, linkFolder: rig.folder, hostname: 'workbench' },
        never,
      ),
    );
    const sandbox = unwrap(
      await engine.startSandbox(
        {
          session,
          image: rig.images.sandbox,
          user,
          gateway: gateway.id,
          hostname: 'workbench',
          workingFolder: SANDBOX_HOME,
          mounts,
          env: { HOME: SANDBOX_HOME, TERM: 'xterm-256color' },
          limits,
          ...over,
        },
        never,
      ),
    );
    return { id: sandbox.id, gateway: gateway.id, session };
  };
  const rig: EngineRig = {
    scope,
    folder,
    imagesFolder,
    installId,
    engine,
    images: unwrap(await engine.ensureImages('shell', () => undefined, never)),
    docker,
    newSession,
    startSandbox,
    run: async (container, line, stdin = '') => {
      const started = unwrap(await engine.exec(container, plain('sh', '-c', line)));
      if (started.io.tty) throw new Error('a terminal was not asked for');
      started.io.stdin.end(stdin);
      const [stdout, stderr, exit] = await Promise.all([
        text(started.io.stdout),
        text(started.io.stderr),
        started.exit,
      ]);
      return { stdout, stderr, exit };
    },
    removeSessions: async () => {
      for (const session of sessions.splice(0)) unwrap(await engine.removeSession(session));
    },
    close: async () => {
      const filters = { label: [`${LABEL.install}=${installId}`] };
      for (const image of await docker.listImages({ filters })) {
        // What was built for this test alone; the others are everyone's by their hash.
        if (['gateway', 'guard', 'user'].includes(image.Labels[LABEL.image] ?? '')) {
          await docker.getImage(image.Id).remove({ force: true });
        }
      }
      await scope.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return rig;
};
