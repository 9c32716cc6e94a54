import { join } from 'node:path';
import { runToEnd } from './child.ts';
import type { Phase } from './phase.ts';

/** The client's files; the first is the one to run. */
export const CLIENT_FILES = ['load-client.mjs', 'text-chunk.mjs'].map((name) =>
  join(import.meta.dirname, name),
);
const [CLIENT_FILE = ''] = CLIENT_FILES;

/** How the client reaches the upstream. */
export type ClientTarget = {
  readonly host: string;
  readonly port: number;
  /** A port that leads there; `connect`: by an HTTP CONNECT (RFC 9110 9.3.6), else by itself. */
  readonly via?: { readonly host: string; readonly port: number; readonly connect: boolean };
};

/** Runs one phase with a client on the host. */
export const runOnHost = (
  phase: Phase,
  target: ClientTarget,
  trusts: string,
  credential: string,
): Promise<string> =>
  runToEnd(process.execPath, [CLIENT_FILE, phase, JSON.stringify(target)], {
    NODE_EXTRA_CA_CERTS: trusts,
    BENCH_CREDENTIAL: credential,
  });
