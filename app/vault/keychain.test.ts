import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endAll, missingForKeychain, startBus, startKeyring } from './testing/secret-service.ts';

// A bus and a keyring of the test's own: the person's are never touched.
const missing = missingForKeychain();
const skipped = process.platform === 'linux' ? missing : ['Linux'];

const CANARY = 'sk-ant-api03-canary-0123456789';

let home: string;
let env: NodeJS.ProcessEnv;
const running: ChildProcess[] = [];

const startOwnBus = async (): Promise<void> => {
  // Its socket in our folder, where the clean-up finds it.
  const socket = join(home, 'bus');
  rmSync(socket, { force: true });
  running.push(await startBus(env, socket));
  env['DBUS_SESSION_BUS_ADDRESS'] = `unix:path=${socket}`;
};

const startOwnKeyring = async (unlock: boolean): Promise<void> => {
  running.push(await startKeyring(env, unlock));
};

const stopAll = (): Promise<void> => endAll(running.splice(0));

const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Runs a piece of a program in a process of its own (the bus connection is one for each process) and gives what it answers. */
const run = async (body: string): Promise<unknown> => {
  const script = `
    const { openVault } = await import(${at('./index.ts')});
    const { createKeychainStore } = await import(${at('./keychain-store.ts')});
    const { Secret } = await import(${at('../kit/index.ts')});
    const home = ${JSON.stringify(join(home, 'glovebox'))};
    const CANARY = ${JSON.stringify(CANARY)};
    const options = { home, env: process.env };
    const answer = await (async () => { ${body} })();
    process.stdout.write(JSON.stringify(answer), () => process.exit(0));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  return JSON.parse(text) as unknown;
};

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'keychain-'));
  const runtime = join(home, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  env = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: join(home, 'data'),
  };
});
afterEach(async () => {
  await stopAll();
  rmSync(home, { recursive: true, force: true });
});

describe('the keychain', { timeout: 60_000 }, () => {
  beforeEach(({ skip }) => {
    skip(skipped.length > 0, `a real keychain needs ${skipped.join(' and ')}`);
  });

  it('keeps secrets over restarts, and nothing of them in our files', async () => {
    await startOwnBus();
    await startOwnKeyring(true);
    const stored = await run(`
      const { value: vault } = await openVault(options);
      const added = await vault.add({ name: 'work', kind: 'anthropic', secret: new Secret(CANARY) });
      return [await vault.status(), added.ok];`);
    expect(stored).toEqual([{ store: 'keychain', state: 'open', credentials: 1 }, true]);
    const revealed = await run(`
      const { value: vault } = await openVault(options);
      const found = await vault.reveal('work');
      const rotated = await vault.rotate('work', new Secret(CANARY + '-new'));
      const again = await vault.reveal('work');
      const removed = await vault.remove('work');
      return [found.value.secret.expose(), rotated.ok, again.value.secret.expose(), removed.ok,
        (await vault.reveal('work')).error.code];`);
    expect(revealed).toEqual([CANARY, true, `${CANARY}-new`, true, 'credential.not-found']);
    const files = readdirSync(join(home, 'glovebox', 'vault'));
    expect(files).toEqual(['index.json']);
    expect(readFileSync(join(home, 'glovebox', 'vault', 'index.json'), 'utf8')).not.toContain(
      'canary',
    );
  });

  it('does not mix two homes', async () => {
    await startOwnBus();
    await startOwnKeyring(true);
    const answer = await run(`
      const { value: one } = await openVault(options);
      await one.add({ name: 'work', kind: 'anthropic', secret: new Secret(CANARY) });
      const other = createKeychainStore({ ...options, home: home + '-other' });
      return (await other.get('work')).value === undefined;`);
    expect(answer).toBe(true);
  });

  it('says that it is locked, keeps what it has, and makes no second store', async () => {
    await startOwnBus();
    await startOwnKeyring(true);
    await run(`
      const { value: vault } = await openVault(options);
      return vault.add({ name: 'work', kind: 'anthropic', secret: new Secret(CANARY) });`);
    await stopAll();
    await startOwnBus();
    await startOwnKeyring(false);
    const answer = await run(`
      const { value: vault } = await openVault({ ...options, askPassphrase: async () => new Secret('correct horse') });
      const added = await vault.add({ name: 'other', kind: 'anthropic', secret: new Secret(CANARY) });
      return [await vault.status(), (await vault.reveal('work')).error.code, added.error.code,
        (await vault.list()).value.length];`);
    expect(answer).toMatchObject([
      { store: 'keychain', state: 'locked', problem: { code: 'vault.locked' } },
      'vault.locked',
      'vault.locked',
      1,
    ]);
  });

  it('is the store while it is locked and nothing is known to be in it', async () => {
    await startOwnBus();
    await startOwnKeyring(true);
    await stopAll();
    await startOwnBus();
    await startOwnKeyring(false);
    const answer = await run(`
      const { value: vault } = await openVault(options);
      return [await vault.status(), (await vault.unlock()).error];`);
    expect(answer).toMatchObject([
      { store: 'keychain', state: 'locked', problem: { code: 'vault.locked' } },
      { code: 'vault.locked', hint: expect.stringContaining('Unlock') as string },
    ]);
  });

  it('tells what stayed behind when the sealed file takes over', async () => {
    await startOwnBus();
    await startOwnKeyring(true);
    const answer = await run(`
      const { value: vault } = await openVault(options);
      await vault.add({ name: 'work', kind: 'anthropic', secret: new Secret(CANARY) });
      const env = { ...process.env, GLOVEBOX_VAULT: 'sealed' };
      const { value: sealed } = await openVault({ home, env, askPassphrase: async () => new Secret('correct horse') });
      const found = await sealed.reveal('work');
      await sealed.add({ name: 'other', kind: 'anthropic', secret: new Secret(CANARY) });
      const { value: back } = await openVault(options);
      return [found.error.code, (await sealed.status()).problem.message,
        (await back.reveal('work')).value.secret.expose() === CANARY, (await back.status()).problem.hint];`);
    expect(answer).toEqual([
      'vault.unavailable',
      expect.stringContaining('1 stay behind in the keychain'),
      true,
      expect.stringContaining('GLOVEBOX_VAULT=sealed'),
    ]);
  });

  it('is unavailable, with a hint, on a bus without a secret service', async () => {
    await startOwnBus();
    const answer = await run(`
      const { value: vault } = await openVault({ home, env: { ...process.env, GLOVEBOX_VAULT: 'keychain' } });
      return vault.status();`);
    expect(answer).toMatchObject({
      store: 'keychain',
      state: 'unavailable',
      problem: { code: 'vault.unavailable' },
    });
  });

  it('does not hold up the start while a keychain waits', async () => {
    const socket = join(home, 'silent.sock');
    const server = createServer(() => undefined).listen(socket);
    await once(server, 'listening');
    env['DBUS_SESSION_BUS_ADDRESS'] = `unix:path=${socket}`;
    const answer = await run(`
      const started = performance.now();
      const { value: vault } = await openVault(options, { patienceMs: 200 });
      return [performance.now() - started < 5000, await vault.status(), await vault.list()];`);
    server.close();
    expect(answer).toMatchObject([
      true,
      { store: 'keychain', state: 'locked', problem: { code: 'vault.locked' } },
      { ok: true, value: [] },
    ]);
  });

  it('gives up on a keychain that never answers, and lets the process end', async () => {
    const socket = join(home, 'silent.sock');
    const server = createServer(() => undefined).listen(socket);
    await once(server, 'listening');
    env['DBUS_SESSION_BUS_ADDRESS'] = `unix:path=${socket}`;
    const started = performance.now();
    const answer = await run(`
      const store = createKeychainStore(options, 300);
      const first = await store.open();
      const asked = performance.now();
      const second = await store.get('work');
      const quick = performance.now() - asked < 3000;
      const { readdirSync, readFileSync } = await import('node:fs');
      const status = (pid) => { try { return readFileSync('/proc/' + pid + '/status', 'utf8'); } catch { return ''; } };
      const listed = () => readdirSync('/proc').filter((pid) => status(pid).includes('PPid:\\t' + process.pid + '\\n'));
      let children = listed();
      for (let round = 0; round < 50 && children.length > 0; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        children = listed();
      }
      return [first.error.code, second.error.code, quick, children];`);
    server.close();
    expect(answer).toEqual(['vault.locked', 'vault.locked', true, []]);
    // D-Bus itself would wait for 25 seconds.
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
