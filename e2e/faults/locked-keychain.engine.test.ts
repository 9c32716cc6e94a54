import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, vi } from 'vitest';
import { createScope, Secret, unwrap, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { requestFor } from '../fixtures/inside.ts';
import {
  createUserProject,
  freshHome,
  glovebox,
  leftoversOf,
  openHost,
  runSession,
  testScope,
} from './house.ts';

/** The keychain's own time-out is 15 seconds; a start may take no longer than that and a little. */
const GIVES_UP_WITHIN_MS = 20_000;

const missing = ['dbus-daemon', 'gnome-keyring-daemon'].filter(
  (program) => spawnSync(program, ['--version']).error !== undefined,
);
if (missing.length > 0) {
  console.warn(`skipped: a locked keychain is not tested here (needs ${missing.join(' and ')})`);
}

/** A keychain of the test's own: the person's is never touched. */
const ownKeychain = (scope: Scope) => {
  const { home, env } = freshHome(scope);
  const own = scope.use(createTestFolder('gbx-ring-')).path;
  const runtime = join(own, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  const socket = join(own, 'bus');
  const keychainEnv = {
    ...env,
    GLOVEBOX_VAULT: 'keychain',
    GLOVEBOX_PASSPHRASE_FILE: undefined,
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: join(own, 'data'),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}`,
  };
  const daemonEnv = { ...keychainEnv, HOME: own };
  let bus: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    const old = bus;
    bus = undefined;
    if (old === undefined) return;
    const gone = once(old, 'exit');
    // The keyring ends with its bus.
    old.kill('SIGKILL');
    await gone;
    rmSync(socket, { force: true });
  };
  const start = async (unlock: boolean): Promise<void> => {
    await stop();
    const started = spawn(
      'dbus-daemon',
      ['--session', '--nofork', '--print-address', `--address=unix:path=${socket}`],
      { env: daemonEnv, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    bus = started;
    await once(createInterface(started.stdout), 'line');
    const keyring = spawn(
      'gnome-keyring-daemon',
      ['--daemonize', '--components=secrets', ...(unlock ? ['--unlock'] : [])],
      { env: daemonEnv, stdio: ['pipe', 'ignore', 'ignore'] },
    );
    keyring.stdin.end(unlock ? 'keyring passphrase' : '');
    await once(keyring, 'exit');
  };
  scope.defer(stop);
  return { home, env: keychainEnv, socket, start };
};

const granted = (project: string) => requestFor(project, { grants: [{ credential: 'work' }] });

describe.skipIf(missing.length > 0)('a keychain that is locked', () => {
  it('is said in the status and fails a start that needs it; once unlocked the same start works', async () => {
    const scope = testScope('locked');
    const keychain = ownKeychain(scope);
    const { home, env } = keychain;
    const project = createUserProject(scope);
    await keychain.start(true);
    const before = createScope('before');
    const first = await openHost(before, env);
    unwrap(
      await first.vault.add({
        name: 'work',
        kind: 'anthropic',
        secret: new Secret('sk-ant-api03-canary-of-the-locked-keychain-0123456789'),
      }),
    );
    await before.close();
    await keychain.start(false);

    const since = performance.now();
    const host = await openHost(scope, env);
    await vi.waitFor(
      () =>
        expect(host.status().vault).toMatchObject({
          store: 'keychain',
          state: 'locked',
          credentials: 1,
          problem: { code: 'vault.locked', hint: expect.stringMatching(/[Uu]nlock/) },
        }),
      GIVES_UP_WITHIN_MS,
    );
    const { id, summary } = await runSession(host, granted(project.path), 'echo ran');
    expect(performance.now() - since).toBeLessThan(GIVES_UP_WITHIN_MS);
    expect(summary).toMatchObject({
      state: 'failed',
      problem: { code: 'vault.locked', hint: expect.stringMatching(/[Uu]nlock/) },
    });
    expect(leftoversOf(home, id)).toEqual([]);

    // What needs no secret goes on: sessions without a grant, and the names.
    const plain = await runSession(host, requestFor(project.path), 'echo ran');
    expect(plain).toMatchObject({ out: 'ran\n', summary: { exitCode: 0 } });
    expect(unwrap(await host.vault.list())).toMatchObject([{ name: 'work' }]);
    const said = await glovebox(env, 'run', '--project', project.path, '--grant', 'work', 'true');
    expect(said).toMatchObject({ status: 125, out: '' });
    expect(said.err).toContain('[vault.locked]');

    await keychain.start(true);
    const again = await runSession(
      host,
      granted(project.path),
      'echo "$ANTHROPIC_API_KEY" | cut -c1-7',
    );
    expect(again).toMatchObject({ out: 'sk-ant-\n', summary: { exitCode: 0 } });
  });

  it('and never answers holds up neither the window nor a start for longer than its time-out', async () => {
    const scope = testScope('mute');
    const keychain = ownKeychain(scope);
    const { home, env, socket } = keychain;
    const project = createUserProject(scope);
    await keychain.start(true);
    const before = createScope('before');
    const first = await openHost(before, env);
    unwrap(
      await first.vault.add({
        name: 'work',
        kind: 'anthropic',
        secret: new Secret('sk-ant-api03-canary-of-the-mute-keychain-00123456789'),
      }),
    );
    await before.close();
    await keychain.start(true);
    const open = new Set<Socket>();
    rmSync(socket);
    const mute = createServer((end) => open.add(end.on('error', () => undefined))).listen(socket);
    await once(mute, 'listening');
    scope.defer(() => {
      mute.close();
      for (const end of open) end.destroy();
    });

    const since = performance.now();
    const host = await openHost(scope, env);
    expect(performance.now() - since).toBeLessThan(5000);
    await vi.waitFor(
      () => expect(host.status().vault).toMatchObject({ store: 'keychain', state: 'locked' }),
      5000,
    );
    const { id, summary } = await runSession(host, granted(project.path), 'echo ran');
    expect(performance.now() - since).toBeLessThan(GIVES_UP_WITHIN_MS);
    expect(summary).toMatchObject({ state: 'failed', problem: { code: 'vault.locked' } });
    expect(leftoversOf(home, id)).toEqual([]);
  });
});
