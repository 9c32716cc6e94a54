import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../kit/index.ts';
import { findHidden, type VerdictCache } from './find-hidden.ts';
import type { SurveyRequest } from './survey.ts';
import { createThreads } from './threads.ts';
import { plant, temporaryFolder } from './test-tree.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  folder.remove();
});

const cache: VerdictCache = new Map();
const tools = { clock: systemClock, threads: createThreads(), cache };
const find = async (more: Partial<SurveyRequest> = {}) => {
  const request = { root: folder.path, add: [], show: [], mountpoints: [], ...more };
  return findHidden(request, tools, new AbortController().signal);
};
const paths = async (more: Partial<SurveyRequest> = {}) =>
  (await find(more)).found.map((entry) => entry.path);

/** Put together here, so that scanners of this repository find none. */
const AWS_PAIR = [
  'aws_secret_access_key = "',
  'abcdEFGHijklMNOPqrst',
  'UVWXyz0123456789abcd"\n',
].join('');

describe('findHidden', () => {
  test('finds names at every depth, also in dependencies, and nothing else', async () => {
    plant(folder.path, {
      'a/b/c/d/.env': 'X=1',
      'a/.env.example': 'X=',
      'node_modules/p/.npmrc': 'x',
      'node_modules/p/index.js': 'module.exports = 1',
      '.AWS/credentials': 'x',
      'src/main.ts': 'export const x = 1;',
    });
    expect(await paths()).toEqual(['.AWS', 'a/b/c/d/.env', 'node_modules/p/.npmrc']);
  });

  test('hides what the scanner flags, with its kind and without the secret', async () => {
    plant(folder.path, { 'notes/deploy.txt': AWS_PAIR, 'notes/plain.txt': 'nothing' });
    const { found, scan } = await find();
    expect(found).toEqual([
      { path: 'notes/deploy.txt', directory: false, by: 'content', rule: '1 secret inside (AWS)' },
    ]);
    expect(scan.files).toBe(2);
    expect(scan.bytes).toBeGreaterThan(0);
  });

  test('a file that changed since is read anew', async () => {
    plant(folder.path, { 'x.txt': 'nothing yet' });
    expect(await paths()).toEqual([]);
    writeFileSync(join(folder.path, 'x.txt'), AWS_PAIR);
    expect(await paths()).toEqual(['x.txt']);
  });

  test('further names of a hidden file are hidden, also where content is not read', async () => {
    plant(folder.path, { '.env': 'X=1', 'conf/real.txt': AWS_PAIR, 'node_modules/p/x.js': '1' });
    linkSync(join(folder.path, '.env'), join(folder.path, 'innocent.txt'));
    linkSync(join(folder.path, 'conf/real.txt'), join(folder.path, 'node_modules/p/copy'));
    expect(await paths()).toEqual(['.env', 'conf/real.txt', 'innocent.txt', 'node_modules/p/copy']);
  });

  test('a hidden link hides what it leads to inside the project, and is not followed out of it', async () => {
    plant(folder.path, {
      'deploy/values': 'X=1',
      '.env': 'link:deploy/values',
      'out/.env': 'link:/etc/hostname',
      'into/there': 'link:/etc',
    });
    expect(await paths()).toEqual(['.env', 'deploy/values', 'out/.env']);
  });

  test('show brings back exactly what it names, add hides it', async () => {
    plant(folder.path, {
      '.env': 'X=1',
      'b/.env': 'X=1',
      '.aws/config': 'region = x',
      '.aws/credentials': 'x',
      'private/plan.md': 'x',
    });
    expect(await paths({ show: ['.env', '.aws/config'], add: ['private'] })).toEqual([
      '.aws/credentials',
      'b/.env',
      'private',
    ]);
  });

  test('a key file is hidden for its content, a certificate is not', async () => {
    plant(folder.path, {
      'tls/server.key': ['-----BEGIN RSA ', 'PRIVATE KEY-----\nabc\n'].join(''),
      'tls/ca.pem': '-----BEGIN CERTIFICATE-----\nabc\n',
    });
    expect(await paths()).toEqual(['tls/server.key']);
  });

  test('a virtual environment called .env is code, other folders of that name are not', async () => {
    plant(folder.path, { '.env/pyvenv.cfg': 'home = /usr', 'x/.env/prod': 'X=1' });
    expect(await paths()).toEqual(['x/.env']);
  });

  test('a name that is not UTF-8 is hidden by its bytes', async () => {
    const name = Buffer.concat([Buffer.from(`${folder.path}/.env`), Buffer.of(0xff)]);
    writeFileSync(name, 'X=1');
    const { found } = await find();
    expect(found).toHaveLength(1);
    expect(Buffer.from(found[0]?.leaf ?? []).at(-1)).toBe(0xff);
    rmSync(name);
  });

  test('what another disk covers is hidden, because it was not looked at', async () => {
    mkdirSync(join(folder.path, 'data'));
    expect(await paths({ mountpoints: ['data'] })).toEqual(['data']);
  });

  test('git settings with credentials are listed for a copy without them', async () => {
    plant(folder.path, {
      '.git/HEAD': 'ref: refs/heads/main\n',
      '.git/config': '[remote "o"]\n\turl = https://u:tok123@example.com/x\n',
      '.git/modules/m/config': '[http]\n\textraheader = AUTHORIZATION: basic abc\n',
      '.git/refs/heads/id_rsa': `${'a'.repeat(40)}\n`,
    });
    const { found, sanitise, gitFolders } = await find();
    expect(found).toEqual([]);
    expect(sanitise.toSorted()).toEqual(['.git/config', '.git/modules/m/config']);
    expect(gitFolders).toEqual(['.git']);
  });

  test('aborting ends the look at once', async () => {
    plant(folder.path, { 'a.txt': 'x' });
    const abort = new AbortController();
    const looking = findHidden(
      { root: folder.path, add: [], show: [], mountpoints: [] },
      tools,
      abort.signal,
    );
    abort.abort(new Error('stop'));
    await expect(looking).rejects.toThrow('stop');
  });
});
