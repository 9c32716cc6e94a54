import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { createScope, Secret, unwrap, type Scope } from '../../app/kit/index.ts';
import { requestFor } from '../fixtures/inside.ts';
import { missingForKeychain } from '../../app/vault/testing/secret-service.ts';
import { createOwnKeychain } from '../fixtures/keychain.ts';
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

const missing = missingForKeychain();
if (missing.length > 0) {
  console.warn(`skipped: a locked keychain is not tested here (needs ${missing.join(' and ')})`);
}

/** A home whose credentials lie in a keychain of the test's own. */
const ownKeychain = (scope: Scope) => {
  const { home, env } = freshHome(scope);
  const keychain = createOwnKeychain(scope);
  return { ...keychain, home, env: { ...env, ...keychain.env } };
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

  it('and of which nothing is known is said to be locked, and opens when it is tried again', async () => {
    const scope = testScope('unknown');
    const keychain = ownKeychain(scope);
    const { env } = keychain;
    await keychain.start(true);
    await keychain.start(false);
    const host = await openHost(scope, { ...env, GLOVEBOX_VAULT: undefined });
    await vi.waitFor(
      () =>
        expect(host.status().vault).toMatchObject({
          store: 'keychain',
          state: 'locked',
          credentials: 0,
          problem: { code: 'vault.locked', hint: expect.stringMatching(/[Uu]nlock/) },
        }),
      GIVES_UP_WITHIN_MS,
    );
    const listed = await glovebox(env, 'credential', 'list');
    expect(listed).toMatchObject({ status: 0, out: '' });
    expect(listed.err).toBe(
      'glovebox: The keychain is locked. [vault.locked]\n  Unlock it in your system’s password manager and try again.\n',
    );
    expect(await host.handlers['vault.unlock']({})).toMatchObject({
      ok: false,
      error: { code: 'vault.locked' },
    });

    await keychain.start(true);
    expect(await host.handlers['vault.unlock']({})).toMatchObject({
      ok: true,
      value: { store: 'keychain', state: 'open' },
    });
    await vi.waitFor(() => expect(host.status().vault.state).toBe('open'), GIVES_UP_WITHIN_MS);
    expect((await glovebox(env, 'credential', 'list')).err).toMatch(/^No credentials are stored/);
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
