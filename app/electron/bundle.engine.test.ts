import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'vite';
import { ensureRenderer } from '../../scripts/setup/renderer.ts';
import { unwrap } from '../kit/index.ts';

const config = join(import.meta.dirname, 'vite.config.ts');
const bundle = join(import.meta.dirname, '..', '..', 'dist', 'electron', 'main.js');
let folder: string;
let project: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gbx-app-'));
  project = mkdtempSync(join(tmpdir(), 'gbx-project-'));
  unwrap(await ensureRenderer());
  await build({ configFile: config, logLevel: 'error' });
  await build({ configFile: config, logLevel: 'error', mode: 'preload' });
  chmodSync(project, 0o755);
  // Only its content says that it is to be hidden: that takes the workspace's thread.
  const pem = ['BEGIN', 'END'].map((edge) => `-----${edge} RSA PRIVATE KEY-----`);
  writeFileSync(join(project, 'secret.txt'), pem.join(`\n${'MIIEpAIBAAKCAQEA'.repeat(60)}\n`));
  writeFileSync(join(folder, 'passphrase'), 'a passphrase of the tests\n', { mode: 0o600 });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(project, { recursive: true, force: true });
});

describe('the built app, on a stand-in of Electron', () => {
  it('runs a whole session for a window: bundled broker, scanner and services, real containers', async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [join(import.meta.dirname, 'testing', 'run-bundle.ts'), bundle, project],
      {
        env: {
          ...process.env,
          GLOVEBOX_HOME: join(folder, 'home'),
          GLOVEBOX_VAULT: 'sealed',
          GLOVEBOX_PASSPHRASE_FILE: join(folder, 'passphrase'),
        },
        timeout: 150_000,
      },
    );
    expect(stderr).not.toContain('glovebox:');
    expect(JSON.parse(stdout)).toEqual({ state: 'review', exitCode: 7, changed: 1 });
  });
});
