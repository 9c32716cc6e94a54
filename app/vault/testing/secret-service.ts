import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const PROGRAMS = {
  'dbus-daemon': '--version',
  'dbus-send': '--help',
  'gnome-keyring-daemon': '--version',
} as const;

/** Programs that a keychain of a test's own needs and that are not here. */
export const missingForKeychain = (): readonly string[] =>
  Object.entries(PROGRAMS)
    .filter(([program, flag]) => spawnSync(program, [flag]).error !== undefined)
    .map(([program]) => program);

/** A session bus on a socket of the test's own; resolves once it listens. */
export const startBus = async (env: NodeJS.ProcessEnv, socket: string): Promise<ChildProcess> => {
  const flags = ['--session', '--nofork', '--print-address', `--address=unix:path=${socket}`];
  const bus = spawn('dbus-daemon', flags, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  await once(createInterface(bus.stdout), 'line');
  return bus;
};

/** How long a keyring may take until it is on its bus, in milliseconds. */
const KEYRING_MS = 30_000;
const OWNED = [
  '--session',
  '--print-reply',
  '--dest=org.freedesktop.DBus',
  '/org/freedesktop/DBus',
  'org.freedesktop.DBus.NameHasOwner',
  'string:org.freedesktop.secrets',
];

const isOwned = async (env: NodeJS.ProcessEnv): Promise<boolean> => {
  const asked = spawn('dbus-send', OWNED, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let answer = '';
  asked.stdout.on('data', (part: Buffer) => {
    answer += part.toString();
  });
  await once(asked, 'close');
  return answer.includes('boolean true');
};

/**
 * A keyring with its passphrase, or locked; resolves once it serves its bus. It stays this process's
 * child, so that one who ends it can wait for its end: one that has unlocked itself and outlives its
 * bus is found by the next one's and serves in place of the locked one.
 */
export const startKeyring = async (
  env: NodeJS.ProcessEnv,
  unlock: boolean,
): Promise<ChildProcess> => {
  const flags = ['--foreground', '--components=secrets', ...(unlock ? ['--unlock'] : [])];
  const keyring = spawn('gnome-keyring-daemon', flags, {
    env,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  keyring.stdin.end(unlock ? 'keyring passphrase' : '');
  const until = performance.now() + KEYRING_MS;
  while (!(await isOwned(env))) {
    if (keyring.exitCode !== null) throw new Error('the keyring ended before it served');
    if (performance.now() > until) throw new Error('the keyring does not come to its bus');
  }
  return keyring;
};

/** Ends these, the last one first, and waits until they are gone. */
export const endAll = async (children: readonly ChildProcess[]): Promise<void> => {
  for (const child of children.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
};
