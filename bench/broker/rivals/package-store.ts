import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { say } from '../../output.ts';
import { runToEnd } from '../child.ts';

/** The rivals that npm has, exactly as measured. They are no dependencies of the project. */
export const RIVAL_PACKAGES = {
  '@anthropic-ai/sandbox-runtime': '0.0.83',
  varlock: '1.20.0',
} as const;
export type RivalPackage = keyof typeof RIVAL_PACKAGES;

const store = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'glovebox', 'bench');

const Manifest = z.object({ version: z.string() });

/**
 * The folder of a rival's package in a store outside the project, fetched from npm where it is not there yet.
 * Throws with npm's words where that fails.
 */
export const rivalPackage = async (name: RivalPackage): Promise<string> => {
  const version = RIVAL_PACKAGES[name];
  const root = store();
  const folder = join(root, 'node_modules', name);
  const manifest = join(folder, 'package.json');
  const present = existsSync(manifest)
    ? Manifest.parse(JSON.parse(readFileSync(manifest, 'utf8'))).version
    : undefined;
  if (present === version) return folder;
  say(`broker: fetching ${name} ${version} into ${root}`);
  mkdirSync(root, { recursive: true });
  if (!existsSync(join(root, 'package.json'))) {
    writeFileSync(join(root, 'package.json'), '{ "private": true }\n');
  }
  await runToEnd(
    'npm',
    [
      'install',
      '--prefix',
      root,
      '--save-exact',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      `${name}@${version}`,
    ],
    { HOME: homedir() },
  );
  return folder;
};
