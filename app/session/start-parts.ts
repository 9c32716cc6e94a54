import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Broker, BrokerCredential } from '../broker/port.ts';
import {
  MAX_HOST_CHARS,
  type EgressDraft,
  type GrantSummary,
  type Progress,
  type SessionId,
  type StartRequest,
  type StartStep,
  type TimelineDraft,
} from '../contract/index.ts';
import type { Engine, Running, SessionImages } from '../engine/port.ts';
import type { Guard } from '../guard/port.ts';
import { fail, failure, FailureError, isoTime, ok, unwrap, type Scope } from '../kit/index.ts';
import { describeNetworkPolicy, formatHostRule, type SandboxUser } from '../policy/index.ts';
import type { WorkingCopy } from '../workspace/port.ts';
import { assistantHome, homeWriter } from './assistant-home.ts';
import type { SessionDeps } from './deps.ts';
import { sandboxEnvironment } from './environment.ts';
import { etcFiles, etcMounts, SANDBOX_HOME, SANDBOX_HOSTNAME } from './etc-files.ts';
import { sandboxLimits } from './limits.ts';
import type { SessionPaths } from './paths.ts';
import { planSession } from './plan-session.ts';
import { together, unlessAborted, within } from './together.ts';

/** How long the gateway may take to connect to the broker. */
export const LINK_TIMEOUT_MS = 20_000;
/** How long the guard may take to mark the working copy. */
export const GUARD_TIMEOUT_MS = 20_000;
/** Largest file of further authorities. */
export const MAX_UPSTREAM_CA_BYTES = 4 * 1024 * 1024;

/** Everything that stands when the assistant may start. */
export type Parts = {
  readonly engine: Engine;
  readonly project: string;
  readonly user: SandboxUser;
  readonly env: Readonly<Record<string, string>>;
  readonly copy: WorkingCopy;
  readonly broker: Broker;
  readonly guard: Guard;
  readonly gateway: Running;
  readonly sandbox: Running;
  readonly guardContainer: Running;
};

export type StartListeners = {
  readonly onProgress: (progress: Progress) => void;
  /** A step is through; of steps under way at the same time the earliest is shown. */
  readonly onDone: (step: StartStep) => void;
  readonly onGrants: (grants: readonly GrantSummary[]) => void;
  readonly onEvents: (drafts: readonly TimelineDraft[]) => void;
  readonly onOpen: (draft: EgressDraft) => void;
  readonly onBroker: (state: 'up' | 'down', message: string) => void;
};

export type StartSpec = {
  readonly id: SessionId;
  readonly request: StartRequest;
  readonly paths: SessionPaths;
};

const resolveProject = async (path: string): Promise<string> => {
  const real = await realpath(path).catch(() => undefined);
  const isFolder =
    real !== undefined &&
    (await stat(real)
      .then((s) => s.isDirectory())
      .catch(() => false));
  return unwrap(
    real !== undefined && isFolder
      ? ok(real)
      : fail('project.not-a-folder', `${path} is not a folder.`, 'Choose the project’s folder.'),
  );
};

const readAuthorities = async (path: string | undefined): Promise<readonly string[]> => {
  if (path === undefined) return [];
  const unusable = (why: string): FailureError =>
    new FailureError(
      failure(
        'policy.invalid',
        `The file of upstream authorities ${path} ${why}.`,
        'Give a PEM file with one or more certificates.',
      ),
    );
  const size = await stat(path)
    .then((s) => s.size)
    .catch(() => undefined);
  if (size === undefined) throw unusable('cannot be read');
  if (size > MAX_UPSTREAM_CA_BYTES) throw unusable('is too large');
  const text = await readFile(path, 'utf8').catch(() => {
    throw unusable('cannot be read');
  });
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw unusable('holds no certificate');
  return [text];
};

/**
 * Brings up everything around the assistant, what is independent at the same time. Throws a
 * `FailureError` (or the signal's reason); what was opened until then belongs to `held` and goes with it,
 * in the order: containers, guard, broker, working copy, run folder.
 */
export const startParts = async (
  deps: SessionDeps,
  { id, request, paths }: StartSpec,
  on: StartListeners,
  held: Scope,
  abort: AbortController,
): Promise<Parts> => {
  const { signal } = abort;
  const now = (): string => isoTime(deps.clock.now());
  const begin = (step: StartStep, message: string): void => on.onProgress({ step, message });

  held.defer(() => rm(paths.run, { recursive: true, force: true }));
  begin('engine', 'looking for the container engine');
  const project = await resolveProject(request.project);
  const engine = unwrap(await deps.engine());
  signal.throwIfAborted();
  on.onDone('engine');

  // Set up in the reverse of the order they go in; a scope closes last in, first out.
  await mkdir(paths.link, { recursive: true, mode: 0o700 });
  await mkdir(paths.guard, { recursive: true, mode: 0o700 });
  await mkdir(paths.etc, { recursive: true, mode: 0o755 });
  let copy: WorkingCopy | undefined;
  held.defer(async () => {
    if (copy !== undefined) unwrap(await copy.release());
  });
  const brokerScope = held.child('broker');
  const guardScope = held.child('guard');
  held.defer(async () => {
    unwrap(await engine.removeSession(id));
  });

  let images: SessionImages | undefined;
  let broker: Broker | undefined;
  let guard: Guard | undefined;
  let credentials: readonly BrokerCredential[] = [];
  await together(abort, [
    async () => {
      begin('images', 'checking the sandbox’s images');
      images = unwrap(await engine.ensureImages(request.assistant, on.onProgress, signal));
      on.onDone('images');
    },
    async () => {
      begin('workspace', 'preparing the working copy');
      const { mode, hide } = { mode: request.workspace, hide: request.hide };
      copy = unwrap(
        await deps.workspace.prepare({ project, mode, hide, folder: paths.folder }, signal),
      );
      on.onDone('workspace');
    },
    async () => {
      begin('broker', 'starting the broker');
      const upstreamAuthorities = await readAuthorities(request.network.upstreamCa);
      const plan = unwrap(await planSession(deps.vault, request));
      credentials = plan.credentials;
      on.onGrants(
        credentials.map(({ grant }) => ({
          credential: grant.credential,
          kind: grant.kind,
          hosts: grant.hosts.map(formatHostRule),
        })),
      );
      on.onEvents([
        { kind: 'policy', at: now(), op: 'applied', rules: describeNetworkPolicy(plan.network) },
        ...credentials.map(({ grant }): TimelineDraft => ({
          kind: 'credential',
          at: now(),
          op: 'granted',
          credential: grant.credential,
          host: grant.hosts.map(formatHostRule).join(', ').slice(0, MAX_HOST_CHARS),
        })),
      ]);
      signal.throwIfAborted();
      broker = unwrap(
        await deps.startBroker(
          {
            session: id,
            linkFolder: paths.link,
            network: plan.network,
            credentials,
            upstreamAuthorities,
          },
          {
            onEvents: on.onEvents,
            onOpen: on.onOpen,
            onState: on.onBroker,
            identify: async (flow) => guard?.owner(flow),
          },
          brokerScope,
          signal,
        ),
      );
      const started = broker;
      brokerScope.defer(() => started.close());
      on.onDone('broker');
    },
    async () => {
      guard = unwrap(
        await deps.openGuard(
          {
            socketFolder: paths.guard,
            watch: project,
            clock: deps.clock,
            onEvents: on.onEvents,
          },
          guardScope,
        ),
      );
    },
  ]);
  if (images === undefined || copy === undefined || broker === undefined || guard === undefined) {
    throw new Error('a part is missing although every step succeeded');
  }
  const parts = { images, copy, broker, guard };
  const { user } = parts.copy;
  const grants = credentials.map(({ grant }) => grant);
  const env = unwrap(sandboxEnvironment(id, request.assistant, grants));

  await shareLink(paths.link, user);

  let gateway: Running | undefined;
  const files = etcFiles(user, parts.broker.trustBundle);
  await together(abort, [
    async () => {
      // World-readable: inside, another uid reads them; the folder above is ours alone.
      await Promise.all(
        files.map((file) => writeFile(join(paths.etc, file.name), file.text, { mode: 0o644 })),
      );
    },
    async () => {
      begin('gateway', 'starting the gateway');
      gateway = unwrap(
        await engine.startGateway(
          { session: id, image: parts.images.gateway, user, linkFolder: paths.link },
          signal,
        ),
      );
    },
  ]);
  if (gateway === undefined) throw new Error('the gateway is missing although it started');
  const wall = gateway;

  let sandbox: Running | undefined;
  let guardContainer: Running | undefined;
  const sandboxAndGuard = async (): Promise<void> => {
    begin('sandbox', 'starting the sandbox');
    const inside = unwrap(
      await engine.startSandbox(
        {
          session: id,
          image: parts.images.sandbox,
          user,
          gateway: wall.id,
          hostname: SANDBOX_HOSTNAME,
          workingFolder: project,
          mounts: [...parts.copy.mounts, ...etcMounts(paths.etc, files)],
          env,
          limits: sandboxLimits(request.limits),
        },
        signal,
      ),
    );
    sandbox = inside;
    on.onDone('sandbox');
    begin('guard', 'starting the guard');
    await together(abort, [
      async () => {
        guardContainer = unwrap(
          await engine.startGuard(
            {
              session: id,
              image: parts.images.guard,
              sandbox: inside.id,
              socketFolder: paths.guard,
              watch: project,
            },
            signal,
          ),
        );
        await waitReady(deps, parts.guard, guardContainer, signal);
        on.onDone('guard');
      },
      () =>
        writeHome(
          engine,
          inside.id,
          user,
          env,
          assistantHome(request.assistant, project, grants),
          signal,
        ),
    ]);
  };
  await together(abort, [
    async () => {
      await waitLinked(deps, parts.broker, wall, signal);
      on.onDone('gateway');
    },
    sandboxAndGuard,
  ]);
  if (sandbox === undefined || guardContainer === undefined) {
    throw new Error('a container is missing although it started');
  }
  signal.throwIfAborted();
  return {
    engine,
    project,
    user,
    env,
    copy: parts.copy,
    broker: parts.broker,
    guard: parts.guard,
    gateway: wall,
    sandbox,
    guardContainer,
  };
};

/**
 * Run by root, the gateway is another user than we. Its group may pass through the link folder and
 * connect, and can change nothing there; the run folder above keeps everybody else of the host out.
 */
const shareLink = async (folder: string, user: SandboxUser): Promise<void> => {
  const uid = process.getuid?.();
  if (uid !== 0) return;
  await chown(folder, uid, user.gid);
  await chmod(folder, 0o710);
  for (const name of await readdir(folder)) {
    await chown(join(folder, name), uid, user.gid);
    await chmod(join(folder, name), 0o660);
  }
};

/** Rejects as soon as the container ends, with what it said last. */
const orEnds = async <T>(
  container: Running,
  code: 'gateway.failed' | 'guard.failed',
  what: string,
  task: Promise<T>,
): Promise<T> =>
  Promise.race([
    task,
    container.ended.then(({ exitCode, tail }) => {
      const said = tail.trim() === '' ? '' : ` It said: ${tail.trim().slice(-2000)}`;
      throw new FailureError(failure(code, `${what} ended with status ${exitCode}.${said}`));
    }),
  ]);

const waitLinked = (
  deps: SessionDeps,
  broker: Broker,
  gateway: Running,
  signal: AbortSignal,
): Promise<void> =>
  within(
    deps.clock,
    signal,
    {
      ms: LINK_TIMEOUT_MS,
      late: failure(
        'gateway.failed',
        `The gateway did not connect to the broker within ${LINK_TIMEOUT_MS / 1000} seconds.`,
      ),
    },
    async (limited) => {
      unwrap(await orEnds(gateway, 'gateway.failed', 'The gateway', broker.linked(limited)));
    },
  );

const waitReady = (
  deps: SessionDeps,
  guard: Guard,
  container: Running,
  signal: AbortSignal,
): Promise<void> =>
  within(
    deps.clock,
    signal,
    {
      ms: GUARD_TIMEOUT_MS,
      late: failure(
        'guard.failed',
        `The guard did not watch the working copy within ${GUARD_TIMEOUT_MS / 1000} seconds.`,
      ),
    },
    async (limited) => {
      unwrap(await orEnds(container, 'guard.failed', 'The guard', guard.ready(limited)));
    },
  );

const writeHome = async (
  engine: Engine,
  sandbox: string,
  user: SandboxUser,
  env: Readonly<Record<string, string>>,
  files: ReturnType<typeof assistantHome>,
  signal: AbortSignal,
): Promise<void> => {
  const command = homeWriter(files);
  if (command === undefined) return;
  const exec = unwrap(
    await engine.exec(sandbox, { command, env, workingFolder: SANDBOX_HOME, user, tty: false }),
  );
  let complaint = '';
  if (!exec.io.tty) {
    exec.io.stdin.end();
    exec.io.stdout.resume();
    exec.io.stderr.on('data', (bytes: Buffer) => {
      complaint = (complaint + bytes.toString()).slice(-500);
    });
  }
  const status = await unlessAborted(signal, exec.exit);
  if (status !== 0) {
    throw new FailureError(
      failure(
        'session.failed',
        `The assistant’s first-run files could not be written inside (status ${status}). ${complaint}`.trim(),
      ),
    );
  }
};
