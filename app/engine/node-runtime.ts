import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fail, ok, type Result, type Scope } from '../kit/index.ts';
import { runHostCommand } from './host-command.ts';
import type { EngineFailure } from './port.ts';

/** The Node version put into images where this process's own binary does not fit. */
export const NODE_VERSION = '24.21.0';

/** Docker's architecture names, as Node calls them. */
export const nodeArchitecture = (engine: string): string =>
  ({ amd64: 'x64', x86_64: 'x64', arm64: 'arm64', aarch64: 'arm64' })[engine] ?? engine;

/** A Node built by its project is one file on glibc; distributions' builds need libraries of theirs. */
const standsAlone = (): boolean => {
  const variables: Readonly<Record<string, unknown>> = process.config.variables;
  const shared = Object.entries(variables).some(
    ([name, value]) => /^node_shared(_|$)/.test(name) && (value === true || value === 'true'),
  );
  const header: unknown = Reflect.get(process.report.getReport(), 'header');
  const glibc = typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header;
  return !shared && glibc;
};

const exists = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isFile() === true;

/** Path of a Linux Node 24 for the engine's architecture: this process's own, or from the npm registry. */
export const nodeRuntime = async (
  engineArchitecture: string,
  env: Readonly<Record<string, string | undefined>>,
  scope: Scope,
  signal: AbortSignal,
): Promise<Result<string, EngineFailure>> => {
  const architecture = nodeArchitecture(engineArchitecture);
  const isOurs =
    process.platform === 'linux' &&
    process.arch === architecture &&
    process.versions['electron'] === undefined &&
    process.version.startsWith('v24.') &&
    standsAlone();
  if (isOurs) return ok(process.execPath);
  const name = `node-linux-${architecture}`;
  try {
    const installed = join(
      dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)),
      'bin/node',
    );
    if (await exists(installed)) return ok(installed);
  } catch {
    // Not among our packages: fetched below.
  }
  const folder = await mkdtemp(join(tmpdir(), 'glovebox-node-'));
  scope.defer(() => rm(folder, { recursive: true, force: true }));
  const fetched = await runHostCommand(
    'npm',
    [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--force',
      '--prefix',
      folder,
      `${name}@${NODE_VERSION}`,
    ],
    { env, signal, folder },
  );
  const path = join(folder, 'node_modules', name, 'bin/node');
  if (fetched.ok && (await exists(path))) return ok(path);
  return fail(
    'image.build-failed',
    `Node.js ${NODE_VERSION} for Linux on ${architecture} could not be fetched from the npm registry.`,
    fetched.ok ? undefined : fetched.error.output.split('\n').slice(-4).join('\n'),
  );
};
