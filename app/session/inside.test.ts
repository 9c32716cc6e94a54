import { execFileSync } from 'node:child_process';
import { createSign, createVerify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ASSISTANTS, SessionId, type CredentialSummary } from '../contract/index.ts';
import { Secret, unwrap } from '../kit/index.ts';
import { buildGrant, KIND_LIST, shapeOf, type CredentialGrant } from '../policy/index.ts';
import { assistantHome, homeWriter } from './assistant-home.ts';
import { CA_VARIABLES, sandboxEnvironment } from './environment.ts';
import { credentialFiles, etcFiles, etcMounts, SANDBOX_HOME } from './etc-files.ts';
import { grantFiles } from './grant-files.ts';
import { sandboxLimits } from './limits.ts';
import { isAlive, thisOwner } from './owner.ts';
import { toolFiles } from './tool-files.ts';

const ID = SessionId.parse('0123456789ab');
const grantOf = (extra: Partial<CredentialSummary> = {}): CredentialGrant =>
  unwrap(
    buildGrant(
      { name: 'work', kind: 'anthropic', hosts: [], addedAt: '2026-01-01T00:00:00Z', ...extra },
      undefined,
    ),
  );

describe('the environment inside', () => {
  it('is the same whatever the host’s is, and leads every tool to the one bundle', () => {
    const env = unwrap(sandboxEnvironment(ID, 'shell', []));
    expect(CA_VARIABLES).toHaveLength(13);
    for (const name of CA_VARIABLES) expect(env[name]).toBe('/etc/ssl/certs/ca-certificates.crt');
    expect(env).toMatchObject({
      HOME: SANDBOX_HOME,
      USER: 'glovebox',
      TZ: 'UTC',
      GLOVEBOX_SESSION: ID,
    });
    for (const name of [
      'SSH_AUTH_SOCK',
      'DOCKER_HOST',
      'DBUS_SESSION_BUS_ADDRESS',
      'HTTPS_PROXY',
    ]) {
      expect(env).not.toHaveProperty(name);
    }
  });

  it('holds the placeholder of each grant', () => {
    const grant = grantOf();
    const env = unwrap(sandboxEnvironment(ID, 'claude-code', [grant]));
    expect(env['ANTHROPIC_API_KEY']).toBe(grant.placeholder);
    expect(env['DISABLE_AUTOUPDATER']).toBe('1');
  });

  it.each([
    'PATH',
    'HOME',
    'SSL_CERT_FILE',
    'LD_PRELOAD',
    'GIT_CONFIG_GLOBAL',
    'GLOVEBOX_X',
    'TERM',
  ])('refuses a credential that would replace %s', (name) => {
    expect(sandboxEnvironment(ID, 'shell', [grantOf({ env: name })])).toMatchObject({
      ok: false,
      error: { code: 'policy.refused' },
    });
  });

  it('refuses two credentials for one variable', () => {
    const refused = sandboxEnvironment(ID, 'shell', [grantOf(), grantOf({ name: 'other' })]);
    expect(refused).toMatchObject({ ok: false, error: { code: 'policy.refused' } });
    expect(JSON.stringify(refused)).toMatch(/work.*other.*ANTHROPIC_API_KEY/);
  });
});

describe('credentials of several parts, and their files', () => {
  const PRIVATE = 'UkVBTC1LRVktQ0FOQVJZ';
  const ACCOUNT = {
    type: 'service_account',
    project_id: 'mine',
    private_key_id: 'real-key-id-canary',
    private_key: `-----BEGIN PRIVATE KEY-----\n${PRIVATE}\n-----END PRIVATE KEY-----\n`,
    client_email: 'robot@mine.iam.gserviceaccount.com',
    token_uri: 'https://oauth2.googleapis.com/token',
    note: 'canary of the person who stored it',
  };
  const CLIENT = {
    type: 'authorized_user',
    client_id: 'my-client',
    client_secret: 'client-secret-canary',
    refresh_token: 'refresh-token-canary',
  };
  const withFiles = async (kind: string, value: unknown): Promise<CredentialGrant> => {
    const secret = JSON.stringify(value);
    const summary = { name: 'cloud', kind, hosts: ['oauth2.googleapis.com'], addedAt: '' };
    const grant = unwrap(buildGrant(summary, undefined, shapeOf(kind, secret)));
    return { ...grant, files: await grantFiles(grant, new Secret(secret)) };
  };

  it('gives each part of a key pair its variable', () => {
    const grant = unwrap(
      buildGrant({ name: 'cloud', kind: 'aws', hosts: [], addedAt: '' }, ['s3.test']),
    );
    const env = unwrap(sandboxEnvironment(ID, 'shell', [grant]));
    expect(env['AWS_ACCESS_KEY_ID']).toBe(grant.parts[0]?.placeholder);
    expect(env['AWS_SECRET_ACCESS_KEY']).toBe(grant.parts[1]?.placeholder);
  });

  it('gives a service account a key file that signs, with nothing real in it', async () => {
    const grant = await withFiles('google-service-account', ACCOUNT);
    const env = unwrap(sandboxEnvironment(ID, 'shell', [grant]));
    expect(env['GOOGLE_APPLICATION_CREDENTIALS']).toBe('/etc/glovebox/credentials/cloud.json');
    const [file] = credentialFiles([grant]);
    expect(file?.target).toBe(env['GOOGLE_APPLICATION_CREDENTIALS']);
    expect(file?.text).not.toMatch(/canary|UkVB/);
    const inside = JSON.parse(file?.text ?? '') as typeof ACCOUNT;
    expect(inside).toMatchObject({
      type: 'service_account',
      client_email: ACCOUNT.client_email,
      private_key_id: grant.placeholder,
    });
    const signature = createSign('sha256').update('x').sign(inside.private_key);
    expect(createVerify('sha256').update('x').verify(inside.private_key, signature)).toBe(true);
  });

  it('gives a refresh token a file with its placeholders', async () => {
    const grant = await withFiles('oauth-refresh', CLIENT);
    const [file] = credentialFiles([grant]);
    expect(file?.text).not.toContain('canary');
    expect(JSON.parse(file?.text ?? '')).toEqual({
      type: 'authorized_user',
      token_uri: 'https://oauth2.googleapis.com/token',
      client_id: 'my-client',
      client_secret: grant.parts[1]?.placeholder,
      refresh_token: grant.parts[0]?.placeholder,
    });
  });

  it('comes with a file for exactly the kinds that are said to have one', async () => {
    const secrets: Readonly<Record<string, unknown>> = {
      'google-service-account': ACCOUNT,
      'oauth-refresh': CLIENT,
    };
    const withFile: string[] = [];
    for (const { kind } of KIND_LIST) {
      const { files } = await withFiles(kind, secrets[kind] ?? 'a-canary-of-no-shape');
      if (files.length > 0) withFile.push(kind);
    }
    expect(withFile).toEqual(KIND_LIST.filter(({ file }) => file).map(({ kind }) => kind));
  });

  it('puts every file where it is mounted, read-only', async () => {
    const files = credentialFiles([await withFiles('oauth-refresh', CLIENT)]);
    expect(etcMounts('/run/x', files)).toEqual([
      {
        type: 'bind',
        source: '/run/x/credential-cloud.json',
        target: '/etc/glovebox/credentials/cloud.json',
        readOnly: true,
      },
    ]);
  });
});

describe('first-run files', () => {
  it('take the placeholder for the assistant’s key, as Claude Code remembers one', () => {
    const grant = grantOf();
    const [file] = assistantHome('claude-code', '/home/me/project', [grant]);
    expect(file?.path).toBe('/home/glovebox/.claude.json');
    const config = JSON.parse(file?.text ?? '') as Record<string, unknown>;
    expect(config).toMatchObject({
      hasCompletedOnboarding: true,
      customApiKeyResponses: { approved: [grant.placeholder.slice(-20)] },
      projects: { '/home/me/project': { hasTrustDialogAccepted: true } },
    });
  });

  it('are all below the home, whatever the project is called', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ASSISTANTS), fc.string(), (assistant, name) => {
        for (const { path } of assistantHome(assistant, `/p/${name}`, [])) {
          expect(path.startsWith(`${SANDBOX_HOME}/.`)).toBe(true);
          expect(path).not.toContain('..');
        }
      }),
    );
  });

  it('are written as they are, quotes and line breaks and all, for their user alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gbx-first-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const texts = ['plain', `it's "$HOME" \`id\` %s \\n\n`, '{"a": "é"}\n', '-n'];
    const files = texts.map((text, at) => ({ path: join(folder, `deep ${at}`, 'f'), text }));
    const [program, ...rest] = homeWriter(files) ?? ['false'];
    execFileSync(program, rest);
    for (const { path, text } of files) {
      expect(readFileSync(path, 'utf8')).toBe(text);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    expect(homeWriter([])).toBeUndefined();
  });
});

it('names the user inside by the ids it runs with', () => {
  const files = etcFiles({ uid: 1234, gid: 5678 });
  const text = (name: string) => files.find((file) => file.name === name)?.text ?? '';
  expect(text('passwd')).toContain('glovebox:x:1234:5678:');
  expect(text('group')).toContain('glovebox:x:5678:');
  expect(text('resolv.conf')).toMatch(/^nameserver [\d.]+\n/);
});

it('brings the authorities where Debian’s programs and its Java look', () => {
  const targets = etcFiles({ uid: 1234, gid: 5678 }).map(({ target }) => target);
  expect(targets).toContain('/etc/ssl/certs/ca-certificates.crt');
  expect(targets).toContain('/etc/ssl/certs/java/cacerts');
});

it('limits a sandbox to half the memory, between one and eight GiB, unless asked otherwise', () => {
  const gib = 1024 ** 3;
  const limits = (memory: number) => sandboxLimits({}, { memoryBytes: memory * gib, cores: 4 });
  expect(limits(1).memoryBytes).toBe(gib);
  expect(limits(8).memoryBytes).toBe(4 * gib);
  expect(limits(64).memoryBytes).toBe(8 * gib);
  expect(sandboxLimits({ memoryBytes: 5, cpus: 0.5, pids: 7 })).toEqual({
    memoryBytes: 5,
    cpus: 0.5,
    pids: 7,
  });
});

describe('an owner', () => {
  it('lives while its very process does', () => {
    const me = thisOwner();
    expect(isAlive(me)).toBe(true);
    expect(isAlive({ ...me, startTime: '1' })).toBe(false);
    expect(isAlive({ ...me, pid: 2 ** 22 + 1 })).toBe(false);
    expect(isAlive({ ...me, bootId: 'another boot' })).toBe(false);
  });

  it('in a namespace that cannot be seen counts as alive', () => {
    expect(isAlive({ ...thisOwner(), namespace: 'pid:[1]', pid: 2 ** 22 + 1 })).toBe(true);
  });
});

describe('git inside', () => {
  const settings = (grants: readonly CredentialGrant[]): Record<string, string> => {
    const env = unwrap(sandboxEnvironment(ID, 'shell', grants));
    return Object.fromEntries(
      Array.from({ length: Number(env['GIT_CONFIG_COUNT']) }, (_, at) => [
        env[`GIT_CONFIG_KEY_${String(at)}`] ?? '',
        env[`GIT_CONFIG_VALUE_${String(at)}`] ?? '',
      ]),
    );
  };

  it('trusts the project, whoever owns it', () => {
    expect(settings([])).toEqual({ 'safe.directory': '*' });
  });

  it('asks for a login where a grant can give one, and prints its placeholder from the variable', () => {
    const forge = grantOf({ kind: 'github', hosts: ['forge.test:8443', '*.forge.test'] });
    const found = settings([forge, grantOf({ name: 'other' })]);
    expect(Object.keys(found)).toEqual([
      'safe.directory',
      'credential.https://forge.test:8443.username',
      'credential.https://forge.test:8443.helper',
      'credential.https://*.forge.test.username',
      'credential.https://*.forge.test.helper',
    ]);
    const env = unwrap(sandboxEnvironment(ID, 'shell', [forge]));
    const fill = (url: string): string =>
      execFileSync('git', ['credential', 'fill'], {
        input: `url=${url}\n\n`,
        env: { ...env, PATH: process.env['PATH'], HOME: tmpdir(), GIT_TERMINAL_PROMPT: '0' },
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'ignore'],
      });
    for (const url of ['https://forge.test:8443/me/it.git', 'https://git.forge.test/me/it.git']) {
      expect(fill(url)).toContain(`username=x-access-token\npassword=${forge.placeholder}\n`);
    }
    expect(fill('https://me@forge.test:8443/me/it')).toContain(
      `username=me\npassword=${forge.placeholder}\n`,
    );
    expect(() => fill('https://elsewhere.test/me/it.git')).toThrow(/failed/i);
    expect(JSON.stringify(found)).not.toContain(forge.placeholder);
  });
});

describe('tools inside', () => {
  it('have npm take its token from the variable, and nothing where none is lent', () => {
    expect(toolFiles([grantOf()])).toEqual([]);
    const own = grantOf({ name: 'own', kind: 'npm', hosts: ['npm.test:8443'], env: 'OWN_TOKEN' });
    const [file, ...more] = toolFiles([grantOf({ kind: 'npm' }), own]);
    expect(more).toEqual([]);
    expect(file).toEqual({
      path: '/home/glovebox/.npmrc',
      text: '//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n//npm.test:8443/:_authToken=${OWN_TOKEN}\n',
    });
  });
});
