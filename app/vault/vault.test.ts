import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Secret, unwrap } from '../kit/index.ts';
import type { Vault, VaultOptions } from './port.ts';
import { openVault } from './vault.ts';

const CANARY = 'sk-ant-api03-canary-0123456789';
const SECOND = 'sk-ant-api03-second-0123456789';

let home: string;
let passphraseFile: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'vault-'));
  passphraseFile = join(home, 'passphrase');
  writeFileSync(passphraseFile, 'correct horse\n', { mode: 0o600 });
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const open = async (
  env: VaultOptions['env'] = {},
  more: Partial<VaultOptions> = {},
): Promise<Vault> =>
  unwrap(
    await openVault({
      home,
      env: { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: passphraseFile, ...env },
      ...more,
    }),
  );
const credential = (
  change: Partial<Parameters<Vault['add']>[0]> = {},
): Parameters<Vault['add']>[0] => ({
  name: 'work',
  kind: 'anthropic',
  secret: new Secret(CANARY),
  ...change,
});
const exposed = async (vault: Vault, name = 'work'): Promise<string> =>
  unwrap(await vault.reveal(name)).secret.expose();

/** Every byte that lies under the home, but for the passphrase file. */
const everything = (): string =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'passphrase')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
const vaultFile = (name: string): string => join(home, 'vault', name);

// Each opening of the sealed file costs what it must cost a guesser.
describe('the sealed vault', { timeout: 120_000 }, () => {
  it('stores, lists, reveals, rotates and removes, over restarts', async () => {
    const vault = await open();
    const added = unwrap(await vault.add(credential({ env: 'MY_KEY' })));
    expect(added).toMatchObject({ name: 'work', hosts: ['api.anthropic.com:443'], env: 'MY_KEY' });
    const again = await open();
    expect(await again.status()).toEqual({ store: 'sealed', state: 'open', credentials: 1 });
    expect(unwrap(await again.list())).toEqual([added]);
    expect(await exposed(again)).toBe(CANARY);
    const rotated = unwrap(await again.rotate('work', new Secret(SECOND)));
    expect(rotated.rotatedAt).toBeDefined();
    expect(await exposed(await open())).toBe(SECOND);
    unwrap(await again.remove('work'));
    expect(await (await open()).reveal('work')).toMatchObject({
      ok: false,
      error: { code: 'credential.not-found' },
    });
  });

  it('is waited for however long its key takes: no keychain could hold that up', async () => {
    await (await open()).add(credential());
    const env = { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: passphraseFile };
    const again = unwrap(await openVault({ home, env }, { patienceMs: 0 }));
    expect(await again.status()).toEqual({ store: 'sealed', state: 'open', credentials: 1 });
  });

  it('keeps its files to their owner, and no secret in any of them in any common spelling', async () => {
    const vault = await open();
    unwrap(await vault.add(credential()));
    for (const name of ['index.json', 'sealed.json']) {
      expect(statSync(vaultFile(name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(home, 'vault')).mode & 0o777).toBe(0o700);
    const bytes = everything();
    for (const spelling of [
      CANARY,
      Buffer.from(CANARY).toString('base64').slice(0, 30),
      Buffer.from(CANARY).toString('hex'),
      'correct horse',
    ]) {
      expect(bytes).not.toContain(spelling);
    }
    expect(JSON.stringify([await vault.list(), await vault.reveal('work')])).not.toContain(
      'canary',
    );
  });

  it.each([
    [{ name: '../x' }, 'credential.bad-value'],
    [{ name: '' }, 'credential.bad-value'],
    [{ kind: 'nonsense' }, 'credential.bad-value'],
    [{ kind: 'header:Host' }, 'credential.bad-value'],
    [{ secret: new Secret(`${CANARY}\n`) }, 'credential.bad-value'],
    [{ secret: new Secret('canary') }, 'credential.bad-value'],
    [{ hosts: ['*'] }, 'policy.invalid'],
    [{ hosts: ['a b'] }, 'egress.bad-host'],
    [{ env: 'A=B' }, 'credential.bad-value'],
  ])('refuses %j, stores nothing and repeats nothing', async (change, code) => {
    const vault = await open();
    const added = await vault.add(credential(change));
    expect(added).toMatchObject({ ok: false, error: { code } });
    expect(JSON.stringify(added)).not.toContain('canary');
    expect(existsSync(vaultFile('sealed.json'))).toBe(false);
  });

  it('refuses a second of the same name, and rotation to what cannot be sent', async () => {
    const vault = await open();
    unwrap(await vault.add(credential()));
    expect(await vault.add(credential({ secret: new Secret(SECOND) }))).toMatchObject({
      ok: false,
      error: { code: 'credential.exists' },
    });
    expect((await vault.rotate('work', new Secret('with\nbreak'))).ok).toBe(false);
    expect(await exposed(vault)).toBe(CANARY);
  });

  it('stays shut with a wrong passphrase, and changes nothing', async () => {
    unwrap(await (await open()).add(credential()));
    const before = everything();
    writeFileSync(passphraseFile, 'wrong horse');
    const vault = await open();
    expect(await vault.status()).toMatchObject({
      store: 'sealed',
      state: 'locked',
      problem: { code: 'vault.passphrase' },
    });
    expect(await vault.reveal('work')).toMatchObject({ error: { code: 'vault.passphrase' } });
    expect(await vault.add(credential({ name: 'other' }))).toMatchObject({
      error: { code: 'vault.passphrase' },
    });
    expect(await vault.unlock(new Secret('wrong too!'))).toMatchObject({
      error: { code: 'vault.passphrase' },
    });
    expect(everything()).toBe(before);
    expect(unwrap(await vault.unlock(new Secret('correct horse'))).state).toBe('open');
    expect(await exposed(vault)).toBe(CANARY);
  });

  it('never writes over a damaged file', async () => {
    unwrap(await (await open()).add(credential()));
    const sealed = JSON.parse(readFileSync(vaultFile('sealed.json'), 'utf8')) as Record<
      string,
      string
    >;
    const damaged = JSON.stringify({ ...sealed, data: 'AAAA' });
    writeFileSync(vaultFile('sealed.json'), damaged);
    const vault = await open();
    expect(await vault.status()).toMatchObject({
      state: 'unavailable',
      problem: { code: 'vault.failed' },
    });
    expect(await vault.add(credential({ name: 'other' }))).toMatchObject({
      error: { code: 'vault.failed' },
    });
    expect(await vault.unlock(new Secret('correct horse'))).toMatchObject({
      error: { code: 'vault.failed' },
    });
    expect(readFileSync(vaultFile('sealed.json'), 'utf8')).toBe(damaged);
    writeFileSync(vaultFile('index.json'), '{"version":1,');
    expect(await openVault({ home, env: { GLOVEBOX_VAULT: 'sealed' } })).toMatchObject({
      ok: false,
      error: { code: 'vault.failed' },
    });
    expect(readFileSync(vaultFile('index.json'), 'utf8')).toBe('{"version":1,');
  });

  it('survives a crash between writing and renaming, and a lock whose owner is dead', async () => {
    const vault = await open();
    unwrap(await vault.add(credential()));
    writeFileSync(vaultFile('sealed.json.next'), 'half a fi');
    writeFileSync(vaultFile('index.json.next'), '{');
    writeFileSync(vaultFile('lock'), '4194999');
    unwrap(await vault.add(credential({ name: 'other', secret: new Secret(SECOND) })));
    expect(await exposed(vault)).toBe(CANARY);
    expect(await exposed(vault, 'other')).toBe(SECOND);
    expect(readdirSync(join(home, 'vault')).toSorted()).toEqual(['index.json', 'sealed.json']);
  });

  it('writes through no link that somebody left', async () => {
    const target = join(home, 'target');
    writeFileSync(target, 'mine');
    await open();
    symlinkSync(target, vaultFile('sealed.json.next'));
    symlinkSync(target, vaultFile('index.json.next'));
    const vault = await open();
    unwrap(await vault.add(credential()));
    expect(readFileSync(target, 'utf8')).toBe('mine');
    // Its content moved elsewhere and a link in its place: readable, and still not ours.
    renameSync(vaultFile('sealed.json'), join(home, 'elsewhere'));
    symlinkSync(join(home, 'elsewhere'), vaultFile('sealed.json'));
    expect(await vault.reveal('work')).toMatchObject({ error: { code: 'vault.failed' } });
  });

  it('keeps both when two add at once', async () => {
    const [one, two] = [await open(), await open()];
    const added = await Promise.all([
      one.add(credential()),
      two.add(credential({ name: 'other', secret: new Secret(SECOND) })),
    ]);
    expect(added.map(({ ok }) => ok)).toEqual([true, true]);
    expect(await exposed(one, 'other')).toBe(SECOND);
    expect(await exposed(two)).toBe(CANARY);
  });

  it('says so where the list has a credential and the store has not', async () => {
    const vault = await open();
    unwrap(await vault.add(credential()));
    rmSync(vaultFile('sealed.json'));
    expect(await vault.reveal('work')).toMatchObject({ error: { code: 'credential.not-found' } });
    unwrap(await vault.rotate('work', new Secret(SECOND)));
    expect(await exposed(vault)).toBe(SECOND);
  });
});

describe('passphrases', { timeout: 120_000 }, () => {
  it('must lie in a file of ours that nobody else reads', async () => {
    chmodSync(passphraseFile, 0o644);
    expect(await (await open()).add(credential())).toMatchObject({
      error: { code: 'vault.passphrase', hint: expect.stringContaining('chmod 600') as string },
    });
    chmodSync(passphraseFile, 0o400);
    unwrap(await (await open()).add(credential()));
    const missing = await open({ GLOVEBOX_PASSPHRASE_FILE: join(home, 'no-such-file') });
    expect(await missing.status()).toMatchObject({ problem: { code: 'vault.passphrase' } });
    const folder = await open({ GLOVEBOX_PASSPHRASE_FILE: home });
    expect((await folder.status()).problem?.message).toContain('not a plain file');
  });

  it('are not too short when they are new', async () => {
    writeFileSync(passphraseFile, 'short');
    expect(await (await open()).add(credential())).toMatchObject({
      error: { code: 'vault.passphrase' },
    });
    expect(existsSync(vaultFile('sealed.json'))).toBe(false);
  });

  it('are asked for at the first use, and again after a wrong one', async () => {
    const asked: string[] = [];
    const answers = ['correct horse', 'wrong horse', undefined, 'correct horse'];
    const more: Partial<VaultOptions> = {
      askPassphrase: (purpose) => {
        asked.push(purpose);
        const answer = answers.shift();
        return Promise.resolve(answer === undefined ? undefined : new Secret(answer));
      },
    };
    const env = { GLOVEBOX_PASSPHRASE_FILE: undefined };
    const first = await open(env, more);
    expect(asked).toEqual([]);
    expect(await first.status()).toEqual({ store: 'sealed', state: 'locked', credentials: 0 });
    unwrap(await first.add(credential()));
    expect(await exposed(first)).toBe(CANARY);
    expect(asked).toEqual(['create']);
    const second = await open(env, more);
    expect(await second.status()).toMatchObject({
      state: 'locked',
      problem: { code: 'vault.locked', hint: expect.stringContaining('passphrase') as string },
    });
    expect(await second.reveal('work')).toMatchObject({ error: { code: 'vault.passphrase' } });
    expect(await second.reveal('work')).toMatchObject({ error: { code: 'vault.locked' } });
    expect(await exposed(second)).toBe(CANARY);
    expect(asked).toEqual(['create', 'open', 'open', 'open']);
  });

  it('may come later through unlock, which makes the store where there is none', async () => {
    const env = { GLOVEBOX_PASSPHRASE_FILE: undefined };
    const vault = await open(env);
    expect(await vault.add(credential())).toMatchObject({ error: { code: 'vault.passphrase' } });
    expect(await vault.unlock(new Secret('short'))).toMatchObject({
      error: { code: 'vault.passphrase' },
    });
    expect(unwrap(await vault.unlock(new Secret('correct horse')))).toMatchObject({
      state: 'open',
    });
    unwrap(await vault.add(credential()));
    expect(await exposed(await open())).toBe(CANARY);
    const again = await open(env);
    expect(await again.status()).toMatchObject({
      state: 'locked',
      problem: { code: 'vault.locked' },
    });
    expect(await again.unlock()).toMatchObject({ error: { code: 'vault.passphrase' } });
  });
});

describe('choosing a store', { timeout: 120_000 }, () => {
  const noKeychain = { GLOVEBOX_VAULT: undefined, XDG_RUNTIME_DIR: undefined };

  it('takes the sealed file where no keychain answers', async () => {
    const vault = await open(noKeychain);
    expect(await vault.status()).toMatchObject({ store: 'sealed', state: 'open' });
  });

  it('stores nothing where there is neither, and says what to do', async () => {
    const vault = await open({ ...noKeychain, GLOVEBOX_PASSPHRASE_FILE: undefined });
    expect(await vault.status()).toMatchObject({
      store: 'none',
      state: 'unavailable',
      problem: { code: 'vault.unavailable', hint: expect.stringContaining('sealed') as string },
    });
    expect(await vault.add(credential())).toMatchObject({ error: { code: 'vault.unavailable' } });
    expect(readdirSync(join(home, 'vault'))).toEqual([]);
    expect(unwrap(await vault.unlock(new Secret('correct horse')))).toMatchObject({
      store: 'sealed',
    });
  });

  it('does not fall back where the keychain was asked for', async () => {
    const vault = await open({ ...noKeychain, GLOVEBOX_VAULT: 'keychain' });
    expect(await vault.status()).toMatchObject({ store: 'keychain', state: 'unavailable' });
    expect(await vault.add(credential())).toMatchObject({ error: { code: 'vault.unavailable' } });
    expect(await vault.unlock(new Secret('correct horse'))).toMatchObject({
      error: { code: 'vault.failed' },
    });
    expect(existsSync(vaultFile('sealed.json'))).toBe(false);
  });

  it('refuses a store it does not know', async () => {
    expect(await openVault({ home, env: { GLOVEBOX_VAULT: 'plain' } })).toMatchObject({
      ok: false,
      error: { code: 'vault.failed' },
    });
  });

  it('tells of credentials that lie in the other store, and loses none', async () => {
    unwrap(await (await open()).add(credential()));
    const vault = await open({ ...noKeychain, GLOVEBOX_VAULT: 'keychain' });
    expect(unwrap(await vault.list())).toHaveLength(1);
    expect((await vault.reveal('work')).ok).toBe(false);
    expect(await exposed(await open())).toBe(CANARY);
  });
});
