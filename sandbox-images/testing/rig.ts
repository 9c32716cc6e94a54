import { chown, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SessionId } from '../../app/contract/index.ts';
import { findEngine, type Engine, type SessionImages } from '../../app/engine/index.ts';
import { createScope, randomId, unwrap, type Scope } from '../../app/kit/index.ts';
import type { SandboxMount, SandboxUser } from '../../app/policy/index.ts';

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

/** What a command inside gave back. */
export type Ran = { readonly stdout: string; readonly stderr: string; readonly exit: number };

/** A sandbox as sessions have it: namespaces, user, limits and mounts are the real ones. */
export type Rig = {
  readonly engine: Engine;
  readonly images: SessionImages;
  readonly user: SandboxUser;
  /** A fresh folder of this test, resolved, owned by the sandbox's user. */
  readonly folder: string;
  readonly scope: Scope;
  /** A folder (0700) below `folder`, the sandbox user's own. */
  readonly makeFolder: (name: string) => Promise<string>;
  /** Each gateway begins a session of its own; what is started next belongs to it. */
  readonly startGateway: (linkFolder: string) => Promise<string>;
  readonly startSandbox: (
    gateway: string,
    workingFolder: string,
    mounts?: readonly SandboxMount[],
  ) => Promise<string>;
  readonly startGuard: (sandbox: string, socketFolder: string, watch: string) => Promise<string>;
  /** Removes all sessions so far with their containers and volumes. */
  readonly removeSessions: () => Promise<void>;
  readonly run: (container: string, line: string, workingFolder?: string) => Promise<Ran>;
  readonly close: () => Promise<void>;
};

/** Finds the engine, builds the images where they are missing, and keeps everything of one session together. */
export const openRig = async (): Promise<Rig> => {
  const scope = createScope('rig');
  const installId = `test-${randomId()}`;
  const sessions: SessionId[] = [];
  let session = SessionId.parse(randomId());
  const removeSessions = async (): Promise<void> => {
    for (const one of sessions.splice(0)) unwrap(await engine.removeSession(one));
  };
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'gb-rig-')));
  const imagesFolder = join(import.meta.dirname, '..');
  const engine = unwrap(await findEngine({ installId, env: process.env, imagesFolder }, scope));
  const images = unwrap(await engine.ensureImages('shell', () => undefined, never));
  const user = isRoot
    ? { uid: 4711, gid: 4712 }
    : { uid: process.getuid?.() ?? 1000, gid: process.getgid?.() ?? 1000 };
  const give = async (path: string): Promise<string> => {
    if (isRoot) await chown(path, user.uid, user.gid);
    return path;
  };
  await give(folder);
  const run: Rig['run'] = async (container, line, workingFolder = '/') => {
    const started = unwrap(
      await engine.exec(container, {
        command: ['bash', '-c', line],
        env: {},
        workingFolder,
        user,
        tty: false,
      }),
    );
    if (started.io.tty) throw new Error('a terminal was not asked for');
    started.io.stdin.end();
    const [stdout, stderr, exit] = await Promise.all([
      text(started.io.stdout),
      text(started.io.stderr),
      started.exit,
    ]);
    return { stdout, stderr, exit };
  };
  return {
    engine,
    images,
    user,
    folder,
    scope,
    run,
    removeSessions,
    makeFolder: async (name) => {
      const path = join(folder, name);
      await mkdir(path, { mode: 0o700 });
      return give(path);
    },
    startGateway: async (linkFolder) => {
      session = SessionId.parse(randomId());
      sessions.push(session);
      const spec = { session, image: images.gateway, user, linkFolder, hostname: 'workbench' };
      return unwrap(await engine.startGateway(spec, never)).id;
    },
    startSandbox: async (gateway, workingFolder, mounts = []) =>
      unwrap(
        await engine.startSandbox(
          {
            session,
            image: images.sandbox,
            user,
            gateway,
            hostname: 'workbench',
            workingFolder,
            mounts,
            env: { HOME: '/home/glovebox', PATH: '/usr/local/bin:/usr/bin:/bin' },
            limits: { memoryBytes: 1024 * 1024 * 1024, cpus: 4, pids: 512 },
          },
          never,
        ),
      ).id,
    startGuard: async (sandbox, socketFolder, watch) => {
      const spec = { session, image: images.guard, sandbox, socketFolder, watch };
      return unwrap(await engine.startGuard(spec, never)).id;
    },
    close: async () => {
      await removeSessions();
      await scope.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
