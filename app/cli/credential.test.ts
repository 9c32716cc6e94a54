import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { openVault, type Vault } from '../vault/index.ts';
import { createConsole } from './console.ts';
import { addCredential, type CredentialFlags } from './credential.ts';
import { EXIT } from './exit-codes.ts';
import type { Invocation } from './with-host.ts';

let home: string;
let vault: Vault;
let err: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'glovebox-credential-'));
  const passphrase = join(home, 'passphrase');
  writeFileSync(passphrase, 'correct horse\n', { mode: 0o600 });
  const env = { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: passphrase };
  vault = unwrap(await openVault({ home, env }));
});
afterAll(() => {
  rmSync(home, { recursive: true });
});
beforeEach(() => {
  err = '';
});

/** An invocation as `withHost` makes one, over this vault. */
const invocation = (stdin: string): Invocation => {
  const stderr = new PassThrough().on('data', (part: Buffer) => (err += part.toString('utf8')));
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr };
  streams.stdin.end(stdin);
  return {
    host: { vault },
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
