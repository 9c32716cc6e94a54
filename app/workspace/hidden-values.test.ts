import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HiddenFile } from '../contract/index.ts';
import { cpuTimeMs } from '../kit/testing/cpu-time.ts';
import {
  MAX_VALUE_FILE_BYTES,
  MAX_VALUES_PER_FILE,
  readHiddenValues,
  valuesIn,
} from './hidden-values.ts';

const values = (path: string, text: string): Record<string, string> =>
  Object.fromEntries(valuesIn(path, text).map(({ name, value }) => [name, value]));

const KEY =
  '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKq\nAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----';

describe('the values of a settings file', () => {
  it('reads .env files', () => {
    const text = [
      '# comment',
      'PLAIN=one-value',
      'export QUOTED="two \\"values\\"\\nhere" # note',
      "SINGLE='three # values'",
      'COMMENTED=four # note',
      'EMPTY=',
      'DATABASE_URL=postgres://app:p%40ss-word@db.test/app',
      'VITE_TITLE=public-by-its-name',
    ].join('\n');
    expect(values('.env', text)).toEqual({
      PLAIN: 'one-value',
      QUOTED: 'two "values"\nhere',
      SINGLE: 'three # values',
      COMMENTED: 'four',
      DATABASE_URL: 'postgres://app:p%40ss-word@db.test/app',
      'password in an address': 'p@ss-word',
    });
  });

  it('reads .npmrc, .netrc, .pypirc, .pgpass and bare tokens', () => {
    expect(values('.npmrc', '//registry.test/:_authToken=npm_0123456789\n')).toMatchObject({
      '//registry.test/:_authToken': 'npm_0123456789',
    });
    expect(
      values('.netrc', 'machine git.test\n  login me\n  password s3cret-word\n'),
    ).toMatchObject({
      password: 's3cret-word',
    });
    expect(values('.pypirc', '[pypi]\nusername = __token__\npassword = pypi-abc\n')).toMatchObject({
      password: 'pypi-abc',
    });
    expect(values('.pgpass', 'db.test:5432:app:me:s3cret-word\n')).toMatchObject({
      password: 's3cret-word',
    });
    expect(values('.vault-token', 'hvs.0123456789abcdef\n')).toMatchObject({
      token: 'hvs.0123456789abcdef',
    });
  });

  it('reads secrets out of JSON, and private keys wherever they are', () => {
    const json = JSON.stringify({
      type: 'service_account',
      private_key: KEY,
      nested: [{ client_secret: 'GOCSPX-0123' }],
      project: 'my-project-name',
    });
    expect(values('key.json', json)).toEqual({
      'private key': KEY,
      private_key: KEY,
      'nested.0.client_secret': 'GOCSPX-0123',
    });
    expect(values('id_ed25519', `${KEY}\n`)).toEqual({ 'private key': KEY });
    expect(values('.env', `KEY="${KEY.replaceAll('\n', String.raw`\n`)}"`)).toEqual({
      'private key': KEY,
    });
  });

  it('reads the items of lists in YAML', () => {
    const text = 'users:\n  - token: value-of-token\n    name: me\n';
    expect(values('secrets.yaml', text)).toMatchObject({ token: 'value-of-token', name: 'me' });
  });

  it('reads of programs what stands in quotes and looks like a secret, and no code', () => {
    const text = [
      'import { get } from "./settings.js";',
      'const key = "AKIAIOSFODNN7EXAMPLE";',
      'log = logging.getLogger(__name__)',
      'token = request.headers.get("Authorization")',
      'const field = { key: "firstName", type: "application/json" };',
      `$options = ['password' => 'hunter2hunter3', 'host' => 'localhost'];`,
      'connect(`postgres://app:s3cret-word@db.test/app`);',
    ].join('\n');
    expect(values('src/connect.js', text)).toEqual({
      key: 'AKIAIOSFODNN7EXAMPLE',
      password: 'hunter2hunter3',
      'a text in quotes': 'postgres://app:s3cret-word@db.test/app',
      'password in an address': 's3cret-word',
    });
  });

  it.each([
    ['one word', 'a'.repeat(MAX_VALUE_FILE_BYTES)],
    ['quotes', '"a'.repeat(MAX_VALUE_FILE_BYTES / 2)],
  ])('reads the largest file in a moment: %s', (_what, text) => {
    const spent = cpuTimeMs(() => {
      for (const path of ['.env', 'src/connect.js']) valuesIn(path, text);
    });
    expect(spent).toBeLessThan(20_000);
  });
});

describe('the values of hidden files', () => {
  let root = '';
  const entry = (path: string, directory = false): HiddenFile => ({
    path,
    directory,
    by: 'name',
    rule: 'a rule',
  });
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'glovebox-values-'));
    await mkdir(join(root, '.aws'));
    await writeFile(join(root, '.env'), 'TOKEN=value-of-env');
    await writeFile(
      join(root, '.aws/credentials'),
      '[default]\naws_secret_access_key = value-of-aws\n',
    );
    await writeFile(join(root, 'large.env'), 'x'.repeat(MAX_VALUE_FILE_BYTES + 1));
    const many = Array.from({ length: MAX_VALUES_PER_FILE + 5 }, (_, at) => `A${String(at)}=value`);
    await writeFile(join(root, 'many.env'), many.join('\n'));
    await writeFile(join(root, 'marked.env'), '\uFEFFTOKEN=value-behind-a-mark\nREGION=here');
    await writeFile(
      join(root, 'wide.env'),
      Buffer.from('\uFEFFTOKEN=value-in-utf-16\r\n', 'utf16le'),
    );
    await writeFile(join(root, 'store.p12'), Buffer.from('a=b\0c'));
    await writeFile(join(root, 'outside'), 'TOKEN=followed');
    await symlink(join(root, 'outside'), join(root, '.env.link'));
    await chmod(join(root, 'outside'), 0o600);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('come from files and folders, by name, without following links, and what is unread is said', () => {
    const hidden = [
      entry('.aws', true),
      entry('.env'),
      entry('.env.link'),
      entry('large.env'),
      entry('store.p12'),
      entry('gone.env'),
    ];
    expect(readHiddenValues({ root, hidden })).toEqual({
      values: [
        { path: '.env', name: 'TOKEN', value: 'value-of-env', setting: false },
        {
          path: '.aws/credentials',
          name: 'aws_secret_access_key',
          value: 'value-of-aws',
          setting: false,
        },
      ],
      unread: ['gone.env', 'large.env'],
    });
  });

  it('come without the byte order marks that editors put before them', () => {
    const { values: found } = readHiddenValues({
      root,
      hidden: [entry('marked.env'), entry('wide.env')],
    });
    expect(found).toEqual([
      { path: 'marked.env', name: 'TOKEN', value: 'value-behind-a-mark', setting: false },
      { path: 'marked.env', name: 'REGION', value: 'here', setting: true },
      { path: 'wide.env', name: 'TOKEN', value: 'value-in-utf-16', setting: false },
    ]);
  });

  it.each([
    ['DB_PASSWORD', false],
    ['DB_PASSWORD_PROD', false],
    ['API_TOKEN_OLD_2', false],
    ['secret-key.production', false],
    ['TOKEN_URL', true],
    ['KEY_FILE', true],
    ['AWS_REGION', true],
    ['PROD', true],
  ])('are taken for settings by their names: %s', async (name, setting) => {
    await writeFile(join(root, 'one.env'), `${name}=summer-house-2024`);
    expect(readHiddenValues({ root, hidden: [entry('one.env')] }).values).toEqual([
      { path: 'one.env', name, value: 'summer-house-2024', setting },
    ]);
  });

  it('are no more than the cap for one file, and that there are more is said', () => {
    const { values: found, unread } = readHiddenValues({ root, hidden: [entry('many.env')] });
    expect(found).toHaveLength(MAX_VALUES_PER_FILE);
    expect(unread).toEqual(['the rest of many.env']);
  });
});
