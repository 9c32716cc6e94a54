import { chmod, chown, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Broker } from '../broker/port.ts';
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
import {
  describeNetworkPolicy,
  formatHostRule,
  type CredentialGrant,
  type SandboxUser,
} from '../policy/index.ts';
import type { WorkingCopy } from '../workspace/port.ts';
import { assistantHome, homeWriter } from './assistant-home.ts';
import type { SessionDeps } from './deps.ts';
import { sandboxEnvironment } from './environment.ts';
import {
  etcFiles,
  etcMounts,
  SANDBOX_HOME,
  SANDBOX_HOSTNAME,
  TRUST_FILE,
  type EtcFile,
} from './etc-files.ts';
import { sandboxLimits } from './limits.ts';
import type { SessionPaths } from './paths.ts';
import { planSession, type SessionPlan } from './plan-session.ts';
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
  const begin = (step: StartStep, message: string): void => on.onProgress({ step, message });

  held.defer(() => rm(paths.run, { recursive: true, force: true }));
  begin('engine', 'looking for the container engine');
  const project = await resolveProject(request.project);
  const engine = unwrap(await deps.engine());
  signal.throwIfAborted();
  on.onDone('engine');

  // Set up in the reverse of the order they go in; a scope closes last in, first out.
  await makeRunFolder(paths);
  let prepared: WorkingCopy | undefined;
  held.defer(async () => {
    if (prepared !== undefined) unwrap(await prepared.release());
  });
  const brokerScope = held.child('broker');
  const guardScope = held.child('guard');
  held.defer(async () => {
    unwrap(await engine.removeSession(id));
  });

  // What waits for what: each part begins as soon as the parts it needs are there.
  const images = part<SessionImages>(signal);
  const copy = part<WorkingCopy>(signal);
  const plan = part<SessionPlan>(signal);
  const broker = part<Broker>(signal);
  const guard = part<Guard>(signal);
  const gateway = part<Running>(signal);
  const sandbox = part<Running>(signal);
  const guardContainer = part<Running>(signal);
  const env = part<Readonly<Record<string, string>>>(signal);

  await together(abort, [
    async () => {
      begin('images', 'checking the sandbox’s images');
      images.set(unwrap(await engine.ensureImages(request.assistant, on.onProgress, signal)));
      on.onDone('images');
    },
    async () => {
      begin('workspace', 'preparing the working copy');
      const { workspace: mode, hide } = request;
      prepared = unwrap(
        await deps.workspace.prepare({ project, mode, hide, folder: paths.folder }, signal),
      );
      copy.set(prepared);
      on.onDone('workspace');
    },
    async () => {
      begin('broker', 'starting the broker');
      const upstreamAuthorities = await readAuthorities(request.network.upstreamCa);
      const planned = unwrap(await planSession(deps.vault, request));
      const grants = planned.credentials.map(({ grant }) => grant);
      env.set(unwrap(sandboxEnvironment(id, request.assistant, grants)));
      plan.set(planned);
      on.onGrants(grants.map(summarise));
      on.onEvents(planDrafts(planned, isoTime(deps.clock.now())));
      signal.throwIfAborted();
      const started = unwrap(
        await deps.startBroker(
          {
            session: id,
            linkFolder: paths.link,
            network: planned.network,
            credentials: planned.credentials,
            upstreamAuthorities,
          },
          {
            onEvents: on.onEvents,
            onOpen: on.onOpen,
            onState: on.onBroker,
            identify: async (flow) => guard.now()?.owner(flow),
          },
          brokerScope,
          signal,
        ),
      );
      brokerScope.defer(() => started.close());
      broker.set(started);
      on.onDone('broker');
    },
    async () => {
      const { clock } = deps;
      const options = { socketFolder: paths.guard, watch: project, clock, onEvents: on.onEvents };
      guard.set(unwrap(await deps.openGuard(options, guardScope)));
    },
    async () => {
      const { gateway: image } = await images.there;
      begin('gateway', 'starting the gateway');
      const user = gatewayUser();
      const wall = unwrap(
        await engine.startGateway({ session: id, image, user, linkFolder: paths.link }, signal),
      );
      gateway.set(wall);
      await waitLinked(deps, await broker.there, wall, signal);
      on.onDone('gateway');
    },
    async () => {
      const { user, mounts } = await copy.there;
      const files = etcFiles(user);
      await writeEtcFiles(paths.etc, files);
      const inner = await env.there;
      const wall = await gateway.there;
      begin('sandbox', 'starting the sandbox');
      const inside = unwrap(
        await engine.startSandbox(
          {
            session: id,
            image: (await images.there).sandbox,
            user,
            gateway: wall.id,
            hostname: SANDBOX_HOSTNAME,
            workingFolder: project,
            mounts: [...mounts, ...etcMounts(paths.etc, files)],
            env: inner,
            limits: sandboxLimits(request.limits),
          },
          signal,
        ),
      );
      sandbox.set(inside);
      on.onDone('sandbox');
      const grants = (await plan.there).credentials.map(({ grant }) => grant);
      const home = assistantHome(request.assistant, project, grants);
      await writeHome(engine, inside.id, user, inner, home, signal);
    },
    async () => {
      const { guard: image } = await images.there;
      const watched = await sandbox.there;
      begin('guard', 'starting the guard');
      const container = unwrap(
        await engine.startGuard(
          {
            session: id,
            image,
            sandbox: watched.id,
            socketFolder: paths.guard,
            watch: project,
          },
          signal,
        ),
      );
      guardContainer.set(container);
      await waitReady(deps, await guard.there, container, signal);
      on.onDone('guard');
    },
    async () => {
      // Mounted from the start and filled in place: only what runs later reads it.
      await copy.there;
      const { trustBundle } = await broker.there;
      await sandbox.there;
      await writeFile(join(paths.etc, TRUST_FILE), trustBundle);
    },
  ]);
  signal.throwIfAborted();
  return {
    engine,
    project,
    user: (await copy.there).user,
    env: await env.there,
    copy: await copy.there,
    broker: await broker.there,
    guard: await guard.there,
    gateway: await gateway.there,
    sandbox: await sandbox.there,
    guardContainer: await guardContainer.there,
  };
};

/** A part that others wait for; waiting ends with the signal. */
type Part<T> = {
  readonly there: Promise<T>;
  readonly set: (value: T) => void;
  readonly now: () => T | undefined;
};

const part = <T>(signal: AbortSignal): Part<T> => {
  const { promise, resolve } = Promise.withResolvers<T>();
  const there = unlessAborted(signal, promise);
  // Nobody may be waiting for it when the start is called off.
  there.catch(() => undefined);
  let value: T | undefined;
  return {
    there,
    set: (made) => {
      value = made;
      resolve(made);
    },
    now: () => value,
  };
};

const summarise = (grant: CredentialGrant): GrantSummary => ({
  credential: grant.credential,
  kind: grant.kind,
  hosts: grant.hosts.map(formatHostRule),
});

/** What is in force, on the record before anything happens. */
const planDrafts = ({ network, credentials }: SessionPlan, at: string): TimelineDraft[] => [
  { kind: 'policy', at, op: 'applied', rules: describeNetworkPolicy(network) },
  ...credentials.map(({ grant }): TimelineDraft => ({
    kind: 'credential',
    at,
    op: 'granted',
    credential: grant.credential,
    host: grant.hosts.map(formatHostRule).join(', ').slice(0, MAX_HOST_CHARS),
  })),
];

/** Not root even where we are, and not the sandbox's user either: the two share a network namespace. */
const GATEWAY_USER: SandboxUser = { uid: 65_532, gid: 65_532 };

const gatewayUser = (): SandboxUser => {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return uid === undefined || gid === undefined || uid === 0 ? GATEWAY_USER : { uid, gid };
};

/**
 * The session's run folder. Where root runs it the gateway is another user than we: its group may pass
 * through the link folder and connect, and can change nothing; the folder above keeps others out.
 */
const makeRunFolder = async (paths: SessionPaths): Promise<void> => {
  await mkdir(paths.run, { recursive: true, mode: 0o700 });
  await mkdir(paths.link, { mode: 0o700 });
  await mkdir(paths.guard, { mode: 0o700 });
  await mkdir(paths.etc, { mode: 0o755 });
  if (process.getuid?.() !== 0) return;
  await chown(paths.link, 0, GATEWAY_USER.gid);
  await chmod(paths.link, 0o710);
};

/** World-readable: inside, another uid reads them; the folder above is ours alone. */
const writeEtcFiles = async (folder: string, files: readonly EtcFile[]): Promise<void> => {
  await Promise.all(
    files.map((file) => writeFile(join(folder, file.name), file.text, { mode: 0o644, flag: 'wx' })),
  );
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
