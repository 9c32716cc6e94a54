import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { SandboxUser } from '../policy/index.ts';
import { mountsOf } from './mount-table.ts';
import { native } from './native.ts';
import { exchangeMap } from './sandbox-user.ts';

/** Time for a child to enter a user namespace. */
const NAMESPACE_TIMEOUT_MS = 5_000;
/** Engines that carry out mounts; they must see ours. */
const ENGINE_PROGRAMS = new Set(['dockerd', 'podman', 'containerd']);

/** An idmapped mount could not be made; `message` says why in words. */
export class IdmapError extends Error {}

/**
 * A descriptor of a fresh user namespace with the given maps. Needs root. The child lives only until the
 * descriptor is open; the namespace then lives as long as what refers to it.
 */
const userNamespace = async (uidMap: string, gidMap: string): Promise<number> => {
  // The one child process of this room: util-linux' unshare, with a fixed command and no environment.
  const child = spawn('unshare', ['--user', '--', 'sh', '-c', 'echo; read -r _'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    timeout: NAMESPACE_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      // Once it has answered, its end is what we ask of it and rejects nothing any more.
      child.once('exit', () => reject(new IdmapError('no user namespace could be made')));
      child.stdout.once('data', () => resolve());
    });
    writeFileSync(`/proc/${child.pid}/uid_map`, uidMap);
    writeFileSync(`/proc/${child.pid}/gid_map`, gidMap);
    return openSync(`/proc/${child.pid}/ns/user`, 'r');
  } finally {
    child.stdin.on('error', () => undefined);
    child.stdin.end();
  }
};

/**
 * Engines whose mount table lacks a mount that we see, where no engine has it: the one that serves us runs
 * in a mount namespace of its own. (Others may well do: an engine inside a container is in /proc too.)
 */
const enginesWithout = (target: string): readonly string[] => {
  const blind: string[] = [];
  let seen = false;
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    let name: string;
    try {
      name = readFileSync(`/proc/${entry}/comm`, 'utf8').trim();
    } catch {
      // The process has ended meanwhile.
      continue;
    }
    if (!ENGINE_PROGRAMS.has(name)) continue;
    if (mountsOf(Number(entry)).some((mount) => mount.target === target)) seen = true;
    else blind.push(name);
  }
  return seen ? [] : blind;
};

/**
 * Mounts `source` at `target` with the ids 0 and the user's exchanged, both ways: what root owns belongs to
 * the sandbox's user there, and what that user writes there belongs to root below. Linux 5.12 and later, on
 * file systems that can; 5.19 as a layer of an overlay. Throws an `IdmapError`.
 */
export const mountIdmapped = async (
  source: string,
  target: string,
  user: SandboxUser,
  readOnly: boolean,
): Promise<void> => {
  let mount: number | undefined;
  let namespace: number | undefined;
  try {
    namespace = await userNamespace(exchangeMap(user.uid), exchangeMap(user.gid));
    mount = native().cloneMount(source);
    native().mapIds(mount, namespace, readOnly);
    native().attach(mount, target);
  } catch (failure) {
    throw new IdmapError((failure as Error).message);
  } finally {
    if (mount !== undefined) closeSync(mount);
    if (namespace !== undefined) closeSync(namespace);
  }
  const blind = enginesWithout(target);
  if (blind.length > 0) {
    native().detach(target);
    throw new IdmapError(`${blind.join(', ')} runs in a mount namespace of its own`);
  }
};

/** Undoes every mount at or below `folder` that this room made there, newest first. Returns how many. */
export const unmountBelow = (folder: string, isOurs: (target: string) => boolean): number => {
  const targets = mountsOf('self')
    .map((entry) => entry.target)
    .filter((target) => target.startsWith(`${folder}/`) && isOurs(target));
  for (const target of targets.toReversed()) native().detach(target);
  return targets.length;
};
