import type { Engine } from '../engine/port.ts';
import { failure, FailureError, unwrap } from '../kit/index.ts';
import type { SandboxUser } from '../policy/index.ts';
import { homeWriter, type HomeFile } from './assistant-home.ts';
import { SANDBOX_HOME } from './etc-files.ts';
import { LOST_EXIT, lostWhile } from './lost.ts';
import { unlessAborted } from './together.ts';

/** Writes the assistant's first-run files into the home inside; the assistant itself has not begun yet. */
export const writeHome = async (
  engine: Engine,
  sandbox: string,
  user: SandboxUser,
  env: Readonly<Record<string, string>>,
  files: readonly HomeFile[],
  signal: AbortSignal,
): Promise<void> => {
  const command = homeWriter(files);
  if (command === undefined) return;
  const exec = unwrap(
    await engine.exec(sandbox, { command, env, workingFolder: SANDBOX_HOME, user, tty: false }),
  );
  let complaint = '';
  if (!exec.io.tty) {
    exec.io.stdin.end();
    exec.io.stdout.resume();
    exec.io.stderr.on('data', (bytes: Buffer) => {
      complaint = (complaint + bytes.toString()).slice(-500);
    });
  }
  const status = await unlessAborted(signal, exec.exit);
  if (status === LOST_EXIT) throw lostWhile('Writing the assistant’s first-run files');
  if (status !== 0) {
    throw new FailureError(
      failure(
        'session.failed',
        `The assistant’s first-run files could not be written inside (status ${status}). ${complaint}`.trim(),
      ),
    );
  }
};
