import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ask, Broker } from '../broker/port.ts';
import type {
  EgressDraft,
  GrantSummary,
  Progress,
  SessionId,
  StartRequest,
  StartStep,
  TimelineDraft,
} from '../contract/index.ts';
import type { Engine, Running, SessionImages } from '../engine/port.ts';
import type { Guard } from '../guard/port.ts';
import { isoTime, unwrap, type Scope } from '../kit/index.ts';
import type { SandboxUser } from '../policy/index.ts';
import type { WorkingCopy } from '../workspace/port.ts';
import { assistantHome } from './assistant-home.ts';
import type { SessionDeps } from './deps.ts';
import { sandboxEnvironment } from './environment.ts';
import {
  credentialFiles,
  etcFiles,
  etcMounts,
  JAVA_TRUST_FILE,
  SANDBOX_HOSTNAME,
  TRUST_FILE,
} from './etc-files.ts';
import { writeHome } from './first-run.ts';
import { readAuthorities } from './host-files.ts';
import { javaTruststore } from './java-truststore.ts';
import { sandboxLimits } from './limits.ts';
import { part } from './part.ts';
import type { SessionPaths } from './paths.ts';
import { planDrafts, planSession, summarise, type SessionPlan } from './plan-session.ts';
import { waitLinked, waitReady } from './readiness.ts';
import { gatewayUser, makeRunFolder, writeEtcFiles } from './run-folder.ts';
import { createRotatedKeeper } from './rotated.ts';
import { together } from './together.ts';
import { orderWatch } from './watch-values.ts';
import { toolFiles } from './tool-files.ts';

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
  readonly onEngine: (engine: Engine) => void;
  readonly onProgress: (progress: Progress) => void;
  /** A step is through; of steps under way at the same time the earliest is shown. */
  readonly onDone: (step: StartStep) => void;
  readonly onGrants: (grants: readonly GrantSummary[]) => void;
  readonly onEvents: (drafts: readonly TimelineDraft[]) => void;
  readonly onOpen: (draft: EgressDraft) => void;
  readonly onBroker: (state: 'up' | 'down', message: string) => void;
  readonly ask: Ask;
};

export type StartSpec = {
  readonly id: SessionId;
  readonly request: StartRequest;
  readonly paths: SessionPaths;
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
  // Links on the way are followed once, here; a folder that cannot be worked on stops everything else.
  const project = unwrap(
    await deps.workspace.admit({ project: request.project, mode: request.workspace }),
  );
  const engine = unwrap(await deps.engine());
  signal.throwIfAborted();
  on.onEngine(engine);
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
      const rotated = createRotatedKeeper(deps);
      brokerScope.defer(rotated.settled);
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
            onRotated: rotated.keep,
            identify: async (flow) => guard.now()?.owner(flow),
            ask: on.ask,
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
      const { hidden } = await copy.there;
      const order = await orderWatch(deps, project, hidden, await plan.there, signal);
      (await broker.there).watch(order.set);
      deps.log('info', order.words, { session: id });
      if (order.gaps.length > 0) on.onEvents(order.gaps);
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
      const inner = await env.there;
      const grants = (await plan.there).credentials.map(({ grant }) => grant);
      const files = [...etcFiles(user), ...credentialFiles(grants)];
      await writeEtcFiles(paths.etc, files);
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
      const home = [...assistantHome(request.assistant, project, grants), ...toolFiles(grants)];
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
      const truststore = javaTruststore(trustBundle, deps.clock.now());
      await writeFile(join(paths.etc, JAVA_TRUST_FILE), truststore);
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
