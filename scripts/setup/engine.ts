import { spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { findEngine, type Engine } from '../../app/engine/index.ts';
import { fail, ok, type Failure, type Result, type Scope } from '../../app/kit/index.ts';
import { imagesFolder } from '../places.ts';
import { aptInstall, asRoot, hasApt, runAsRoot } from './apt.ts';
import { ask } from './ask.ts';
import { findProgram } from './command.ts';
import { say, step } from './step.ts';

const ENGINE_PACKAGES = ['docker.io', 'containerd', 'runc', 'iptables', 'debootstrap'];
const ENGINE_START_MS = 60_000;
const ENGINE_POLL_MS = 500;
const DOCKERD_LOG = '/var/log/glovebox-dockerd.log';

const look = (installId: string, scope: Scope): Promise<Result<Engine>> =>
  findEngine({ installId, env: process.env, imagesFolder }, scope);

/** Starts the daemon the way this machine starts daemons: systemd where it runs, otherwise by itself. */
const startDaemon = async (): Promise<Result<void>> => {
  if (existsSync('/run/systemd/system'))
    return runAsRoot(['systemctl', 'enable', '--now', 'docker']);
  const command = asRoot(['dockerd']);
  if (!command.ok) return command;
  const [program, ...args] = command.value;
  const isRoot = process.getuid?.() === 0;
  const log = isRoot ? openSync(DOCKERD_LOG, 'a', 0o600) : 'ignore';
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
  child.on('error', () => undefined); // Its absence shows as an engine that does not answer.
  child.unref();
  return { ok: true, value: undefined };
};

const waitForEngine = async (installId: string, scope: Scope): Promise<Result<Engine>> => {
  const deadline = Date.now() + ENGINE_START_MS;
  for (;;) {
    const found = await look(installId, scope);
    if (found.ok || found.error.code === 'engine.no-permission' || Date.now() > deadline)
      return found;
    await delay(ENGINE_POLL_MS);
  }
};

const noEngine = (reason: Failure): Result<never> =>
  fail(
    'engine.not-found',
    reason.message,
    'Install and start Docker or Podman, then run the command again.',
  );

/** The engine, and whether it answered before anything was done: then the system is left as it is. */
export type EnsuredEngine = { readonly engine: Engine; readonly wasThere: boolean };

const cameUp = (result: Result<Engine>): Result<EnsuredEngine> =>
  result.ok ? ok({ engine: result.value, wasThere: false }) : result;

/**
 * The container engine: the one that answers, otherwise Debian's docker.io, installed and started.
 * Where one answers, no system package is touched.
 */
export const ensureEngine = async (
  installId: string,
  scope: Scope,
): Promise<Result<EnsuredEngine>> => {
  const found = await look(installId, scope);
  if (found.ok) {
    say(`  Engine: ${found.value.title} answers at ${found.value.address}`);
    return ok({ engine: found.value, wasThere: true });
  }
  if (found.error.code === 'engine.no-permission')
    return cameUp(await joinDockerGroup(installId, found.error, scope));
  if (!hasApt()) return noEngine(found.error);
  if (findProgram('dockerd') === undefined) {
    const agreed = await ask(
      `  No container engine answers. Install ${ENGINE_PACKAGES.join(', ')} with apt-get?`,
    );
    if (!agreed) return noEngine(found.error);
    const installed = await step('Engine', 'installing Docker from the distribution', () =>
      aptInstall(ENGINE_PACKAGES),
    );
    if (!installed.ok) return installed;
  } else if (!(await ask('  No container engine answers, but Docker is installed. Start it?'))) {
    return noEngine(found.error);
  }
  const started = await startDaemon();
  if (!started.ok) return started;
  const running = await step('Engine', 'waiting for Docker to answer', () =>
    waitForEngine(installId, scope),
  );
  if (!running.ok && running.error.code === 'engine.no-permission') {
    return cameUp(await joinDockerGroup(installId, running.error, scope));
  }
  return cameUp(running);
};

/** A socket that is there but closed to this user: membership in its group is the distribution's own answer. */
const joinDockerGroup = async (
  installId: string,
  reason: Failure,
  scope: Scope,
): Promise<Result<Engine>> => {
  const { username, uid } = userInfo();
  const refused = fail(
    'engine.no-permission',
    reason.message,
    `Run “sudo usermod -aG docker ${username}”, log in again, and start Glovebox again.`,
  );
  if (!hasApt() || uid === 0 || process.env['GLOVEBOX_IN_GROUP'] !== undefined) return refused;
  const agreed = await ask(
    `  The engine refuses ${username}. Add ${username} to the group “docker” (its members can become root)?`,
  );
  if (!agreed) return refused;
  const joined = await runAsRoot(['usermod', '-aG', 'docker', username]);
  if (!joined.ok) return joined;
  const again = await look(installId, scope);
  return again.ok
    ? again
    : fail(
        'setup.group-joined',
        `${username} is now in the group “docker”.`,
        'Going on as its member.',
      );
};
