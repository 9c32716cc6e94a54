import type Docker from 'dockerode';
import { err, fail, ok, type Clock, type Result, type Scope } from '../kit/index.ts';
import type { SandboxMount } from '../policy/index.ts';
import { ping } from './client.ts';
import { gatewayOptions, guardOptions, sandboxOptions } from './container-options.ts';
import { startExec } from './exec.ts';
import { engineFailure } from './failure.ts';
import { createImages } from './images.ts';
import { sessionLabels } from './labels.ts';
import { overlayDriverOptions } from './overlay-volume.ts';
import type { OwnerIdentity } from './owner.ts';
import type { Engine, EngineFailure, EngineOptions, Running, SandboxSpec } from './port.ts';
import { removeSession, sweep } from './remove.ts';
import { runContainer } from './run-container.ts';
import { ensureUserLayer } from './user-layer.ts';

export type EngineDeps = EngineOptions & {
  readonly docker: Docker;
  readonly title: string;
  readonly address: string;
  readonly architecture: string;
  readonly owner: OwnerIdentity;
  readonly clock: Clock;
};

const PING_TIMEOUT_MS = 3000;
/** What the sandbox calls itself where the session names nothing else. */
const HOSTNAME = 'glovebox';

export const createEngine = (deps: EngineDeps, scope: Scope): Engine => {
  const { docker, installId } = deps;
  const labels = (
    session: string,
    role: Parameters<typeof sessionLabels>[2],
  ): Record<string, string> => sessionLabels(installId, session, role, deps.owner);

  /** One volume of the engine for each overlay among the mounts. */
  const createOverlays = async (
    spec: SandboxSpec,
  ): Promise<Result<ReadonlyMap<SandboxMount, string>, EngineFailure>> => {
    const volumes = new Map<SandboxMount, string>();
    for (const mount of spec.mounts) {
      if (mount.type !== 'overlay') continue;
      const options = overlayDriverOptions(mount);
      if (!options.ok) return options;
      const name = `glovebox-${installId}-${spec.session}-${String(volumes.size)}`;
      await docker.createVolume({
        Name: name,
        Driver: 'local',
        DriverOpts: options.value,
        Labels: labels(spec.session, 'working-copy'),
      });
      volumes.set(mount, name);
    }
    return ok(volumes);
  };

  const hasAppArmor = async (): Promise<boolean> => {
    const info: unknown = await docker.info();
    const options: unknown =
      typeof info === 'object' && info !== null ? Reflect.get(info, 'SecurityOptions') : undefined;
    return Array.isArray(options) && options.some((option) => String(option).includes('apparmor'));
  };

  const answers = async (): Promise<boolean> => {
    try {
      await ping(docker, AbortSignal.timeout(PING_TIMEOUT_MS));
      return true;
    } catch {
      return false;
    }
  };

  return {
    title: deps.title,
    address: deps.address,
    ...createImages(deps, scope),
    startGateway: async (spec, signal) => {
      const start = (ipv6: boolean): Promise<Result<Running, EngineFailure>> =>
        runContainer(
          docker,
          gatewayOptions(spec, labels(spec.session, 'gateway'), spec.hostname ?? HOSTNAME, ipv6),
          { what: 'The gateway', code: 'gateway.failed' },
          signal,
          scope,
        );
      const started = await start(true);
      // A kernel without IPv6 has no such setting; there is nothing to capture on it either.
      const hasNoIpv6 = !started.ok && /sysctl|disable_ipv6/.test(started.error.message);
      return hasNoIpv6 ? start(false) : started;
    },
    startSandbox: async (spec, signal) => {
      try {
        const image = await ensureUserLayer(docker, installId, spec.image, spec.user, signal);
        if (!image.ok) return image;
        const volumes = await createOverlays(spec);
        if (!volumes.ok) return volumes;
        const options = sandboxOptions(
          { ...spec, image: image.value },
          labels(spec.session, 'sandbox'),
          volumes.value,
        );
        return await runContainer(
          docker,
          options,
          { what: 'The sandbox', code: 'engine.failed' },
          signal,
          scope,
        );
      } catch (thrown) {
        return err(engineFailure(thrown, 'Starting the sandbox'));
      }
    },
    startGuard: async (spec, signal) => {
      try {
        return await runContainer(
          docker,
          guardOptions(spec, labels(spec.session, 'guard'), await hasAppArmor()),
          { what: 'The guard', code: 'guard.failed' },
          signal,
          scope,
        );
      } catch (thrown) {
        return err(engineFailure(thrown, 'Starting the guard'));
      }
    },
    exec: (container, spec) => startExec(docker, container, spec, deps.clock),
    removeSession: async (session) => {
      // One that hangs would hold up the end of a session for ever.
      if (await answers()) return removeSession(docker, installId, session);
      return fail(
        'engine.lost',
        'The container engine does not answer, so the session’s containers could not be removed.',
        'Start the engine again; they are removed then.',
      );
    },
    sweep: () => sweep(docker, installId, deps.owner),
    ping: answers,
  };
};
