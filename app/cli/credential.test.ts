import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Secret, unwrap } from '../kit/index.ts';
import { openVault, type Vault } from '../vault/index.ts';
import { createConsole } from './console.ts';
import { addCredential, listCredentials, type CredentialFlags } from './credential.ts';
import { EXIT } from './exit-codes.ts';
import type { Invocation } from './with-host.ts';

let home: string;
let vault: Vault;
let out: string;
let err: string;

const sealed = { GLOVEBOX_VAULT: 'sealed' };
const nobody = () => Promise.resolve(undefined);

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'glovebox-credential-'));
  const passphrase = join(home, 'passphrase');
  writeFileSync(passphrase, 'correct horse\n', { mode: 0o600 });
  const env = { ...sealed, GLOVEBOX_PASSPHRASE_FILE: passphrase };
  vault = unwrap(await openVault({ home, env }));
});
afterAll(() => {
  rmSync(home, { recursive: true });
});
beforeEach(() => {
  out = '';
  err = '';
});

/** An invocation as `withHost` makes one, over this vault. */
const invocation = (stdin = '', over = vault): Invocation => {
  const stdout = new PassThrough().on('data', (part: Buffer) => (out += part.toString('utf8')));
  const stderr = new PassThrough().on('data', (part: Buffer) => (err += part.toString('utf8')));
  const streams = { stdin: new PassThrough(), stdout, stderr };
  streams.stdin.end(stdin);
  return {
    host: { vault: over },
    around: streams,
    console: createConsole(streams as never),
  } as unknown as Invocation;
};

const add = (name: string, flags: Partial<CredentialFlags>, secret = 'a-secret-of-some-length') =>
  addCredential(invocation(secret), name, { kind: 'bearer', host: [], stdin: true, ...flags });

// Each write of the sealed file costs what it must cost a guesser.
describe('a credential that was added', { timeout: 60_000 }, () => {
  it.each(['bearer', 'header:X-Key', 'json:/auth/token'])(
    'is said to be of no use inside where no variable holds its placeholder: %s',
    async (kind) => {
      const name = `idle-${kind.replaceAll(/\W/g, '')}`;
      expect(await add(name, { kind, host: ['api.test'] })).toBe(EXIT.done);
      expect(err).toBe(
        `Stored ${name} (${kind}) for api.test.\n` +
          `Warning: nothing inside can use ${name}, because no variable holds its placeholder.\n` +
          `  Remove it and store it again with a variable: glovebox credential remove ${name}, then add it with --env VARIABLE.\n`,
      );
      expect(err).not.toContain('a-secret');
    },
  );

  it.each([
    ['named', { kind: 'bearer', env: 'MY_TOKEN' }, undefined],
    ['usual', { kind: 'openai' }, undefined],
    ['postgres', { kind: 'postgres', host: ['db.test'] }, undefined],
    [
      'file',
      { kind: 'oauth-refresh' },
      '{"token_uri":"https://auth.test/token","client_id":"me","refresh_token":"a-refresh-token"}',
    ],
  ])('is not warned of where something inside holds it: %s', async (name, flags, secret) => {
    expect(await add(name, flags, secret)).toBe(EXIT.done);
    expect(err).toContain(`Stored ${name} `);
    expect(err).not.toContain('Warning');
  });
});

describe('the list of credentials', { timeout: 60_000 }, () => {
  const newHome = (): string => mkdtempSync(join(home, 'home-'));

  it('says that there is none where nothing was ever stored', async () => {
    const fresh = unwrap(await openVault({ home: newHome(), env: sealed, askPassphrase: nobody }));
    expect(await listCredentials(invocation('', fresh), false)).toBe(EXIT.done);
    expect([out, err]).toEqual([
      '',
      'No credentials are stored. glovebox credential add NAME --kind KIND\n',
    ]);
  });

  it.each([false, true])(
    'says that the store is locked and how to open it, not that there is none (json: %s)',
    async (asJson) => {
      const own = newHome();
      const first = unwrap(await openVault({ home: own, env: sealed }));
      unwrap(await first.unlock(new Secret('correct horse')));
      const locked = unwrap(await openVault({ home: own, env: sealed, askPassphrase: nobody }));
      expect(await listCredentials(invocation('', locked), asJson)).toBe(EXIT.done);
      expect(out).toBe(asJson ? '[]\n' : '');
      expect(err).toMatch(
        /^glovebox: The sealed file of credentials is locked\. \[vault\.locked\]$/m,
      );
      expect(err).toMatch(/^ {2}Its passphrase opens it: .*GLOVEBOX_PASSPHRASE_FILE/m);
      expect(err).not.toContain('No credentials are stored');
    },
  );

  it('says why there is no store, where there is none', async () => {
    const env = { GLOVEBOX_VAULT: 'keychain' };
    const none = unwrap(await openVault({ home: newHome(), env }));
    await listCredentials(invocation('', none), false);
    expect(err).toContain('[vault.unavailable]');
    expect(err).not.toContain('No credentials are stored');
  });
});
