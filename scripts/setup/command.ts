import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type CommandOutcome = { readonly code: number; readonly output: string };

const KEPT_OUTPUT_CHARS = 20_000;

/** Runs a command to its end and keeps the end of what it wrote. Never throws; 127 means it could not start. */
export const run = (
  command: string,
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly show?: boolean;
    readonly cwd?: string;
  } = {},
): Promise<CommandOutcome> =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.show === true ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-KEPT_OUTPUT_CHARS);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('error', (failure) => {
      resolve({ code: 127, output: failure.message });
    });
    child.on('close', (code) => {
      resolve({ code: code ?? 1, output });
    });
  });

/** Where a program is on PATH (with the places that only root's PATH has), or undefined. */
export const findProgram = (name: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
