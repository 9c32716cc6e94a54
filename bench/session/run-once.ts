import { PassThrough } from 'node:stream';
import type { StartRequest } from '../../app/contract/index.ts';
import type { SessionHost } from '../../app/host/index.ts';
import { unwrap } from '../../app/kit/index.ts';

/** Runs one headless session to its end and gives its output and the time to its first byte. */
export const runSession = async (
  host: SessionHost,
  request: StartRequest,
): Promise<{ readonly output: string; readonly firstByteMs: number }> => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const began = performance.now();
  let firstByteMs = Number.NaN;
  let output = '';
  let errors = '';
  stdout.on('data', (chunk: Buffer) => {
    if (output === '') firstByteMs = performance.now() - began;
    output += chunk.toString();
  });
  stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const started = unwrap(await host.sessions.start(request, { stdin: undefined, stdout, stderr }));
  const ended = await host.sessions.ended(started.id);
  if (ended.exitCode !== 0) {
    throw new Error(
      `the session ended with ${String(ended.exitCode)}: ${ended.problem?.message ?? errors}`,
    );
  }
  return { output, firstByteMs };
};
