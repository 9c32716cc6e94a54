import { fork } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import type { Closable } from '../../app/kit/index.ts';
import type { Identity } from '../../e2e/upstreams/authority.ts';

const Ready = z.strictObject({ port: z.int().positive() });

/** A TLS server in a process of its own that answers only who brings the real credential. */
export const startBenchUpstream = async (
  identity: Identity,
  credential: string,
): Promise<Closable & { readonly port: number }> => {
  const child = fork(join(import.meta.dirname, 'upstream-process.mjs'));
  const ready = new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Ready.parse(message).port));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the upstream ended with ${String(code)}`)));
  });
  child.send({ key: identity.key, cert: identity.certificate, credential });
  return { port: await ready, close: () => void child.kill('SIGKILL') };
};
