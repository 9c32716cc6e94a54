import { existsSync } from 'node:fs';
import { fail, ok, type Result } from '../../app/kit/index.ts';
import { findProgram, run } from './command.ts';

/** True on Debian and what descends from it. */
export const hasApt = (): boolean =>
  process.platform === 'linux' &&
  existsSync('/etc/debian_version') &&
  findProgram('apt-get') !== undefined;

/** The command with what makes it run as root: nothing for root, `sudo` otherwise. */
export const asRoot = (command: readonly string[]): Result<readonly [string, ...string[]]> => {
  const [program, ...args] = command;
  if (program === undefined) throw new Error('asRoot needs a command');
  if (process.getuid?.() === 0) return ok([program, ...args]);
  if (findProgram('sudo') === undefined) {
    return fail(
      'setup.no-root',
      `“${command.join(' ')}” needs root, and sudo is not installed.`,
      'Run it as root, or install sudo.',
    );
  }
  return ok(['sudo', program, ...args]);
};

const runAsRoot = async (command: readonly string[]): Promise<Result<void>> => {
  const full = asRoot(command);
  if (!full.ok) return full;
  const [program, ...args] = full.value;
  const outcome = await run(program, args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return outcome.code === 0
    ? ok(undefined)
    : fail(
        'setup.command-failed',
        `“${command.join(' ')}” failed: ${outcome.output.trim().split('\n').slice(-6).join('\n')}`,
        'Mend what it says, then run the command again.',
      );
};

/** Installs Debian packages, without those they only recommend. */
export const aptInstall = async (packages: readonly string[]): Promise<Result<void>> => {
  const updated = await runAsRoot(['apt-get', 'update', '-qq']);
  if (!updated.ok) return updated;
  return runAsRoot(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages]);
};

export { runAsRoot };
