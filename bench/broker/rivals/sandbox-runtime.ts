import { join } from 'node:path';
import { z } from 'zod';
import type { Scope } from '../../../app/kit/index.ts';
import { startChild } from '../child.ts';
import type { Contender, Setting } from '../contender.ts';
import { runOnHost } from '../host-client.ts';
import { RIVAL_PACKAGES, rivalPackage } from './package-store.ts';

const Ready = z.strictObject({ port: z.int(), placeholder: z.string(), ca: z.string() });
const PACKAGE = '@anthropic-ai/sandbox-runtime';

/** sandbox-runtime's HTTP proxy with TLS ended in it and one masked credential; it does not scrub answers. */
export const createSandboxRuntime = async (
  { upstreamPort, upstreamCa, secret }: Setting,
  scope: Scope,
): Promise<Contender> => {
  const folder = await rivalPackage(PACKAGE);
  const child = scope.use(
    startChild(process.execPath, [join(import.meta.dirname, 'sandbox-runtime.mjs'), folder], {
      BENCH_SECRET: secret,
      BENCH_HOST: 'localhost',
      NODE_EXTRA_CA_CERTS: upstreamCa,
    }),
  );
  const { port, placeholder, ca } = Ready.parse(JSON.parse(await child.firstLine));
  const via = { host: '127.0.0.1', port, connect: true };
  return {
    name: `sandbox-runtime ${RIVAL_PACKAGES[PACKAGE]}`,
    topology: 'client on the host, its proxy by CONNECT, upstream',
    run: (phase) =>
      runOnHost(phase, { host: 'localhost', port: upstreamPort, via }, ca, placeholder),
    roots: () => Promise.resolve([child.pid]),
  };
};
