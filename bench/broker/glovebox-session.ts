import { copyFileSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import Docker from 'dockerode';
import { Secret, unwrap, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost } from '../../e2e/fixtures/host.ts';
import { openInside, requestFor } from '../../e2e/fixtures/inside.ts';
import { runSession } from '../session/run-once.ts';
import { UPSTREAM_HOST, type Contender, type Setting } from './contender.ts';
import { CLIENT_FILES } from './host-client.ts';
import { treeOf } from './process-tree.ts';

const CREDENTIAL = 'bench';
const PHASE_LIMIT_MS = 120_000;

/** The session's broker among the processes of this one. */
const brokersBelow = (): readonly number[] =>
  treeOf([process.pid]).filter((pid) => {
    const line = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
    return line.includes('broker/process/main');
  });

/** As users have it: the client inside a session's sandbox, all of the gateway's and the broker's work on the way. */
export const createGloveboxSession = async (
  { upstreamPort, upstreamCa, secret }: Setting,
  scope: Scope,
): Promise<Contender> => {
  const others = brokersBelow();
  const { host, scope: hostScope } = await startTestHost();
  scope.use(hostScope);
  const project = scope.use(createTestFolder('gbx-bench-'));
  for (const file of CLIENT_FILES) copyFileSync(file, join(project.path, basename(file)));
  unwrap(
    await host.vault.add({
      name: CREDENTIAL,
      kind: 'bearer',
      hosts: [UPSTREAM_HOST],
      env: 'BENCH_CREDENTIAL',
      secret: new Secret(secret),
    }),
  );
  // The first broker of an installation leaves its compiled sources to all others.
  await runSession(host, requestFor(project.path, { command: ['true'] }));
  const inside = scope.use(
    await openInside(
      host,
      requestFor(project.path, {
        grants: [{ credential: CREDENTIAL }],
        network: {
          default: 'deny',
          presets: [],
          allow: [UPSTREAM_HOST],
          deny: [],
          resolve: [`${UPSTREAM_HOST}:443:127.0.0.1:${String(upstreamPort)}`],
          upstreamCa,
        },
      }),
    ),
  );
  const target = JSON.stringify({ host: UPSTREAM_HOST, port: 443 });
  const gateways = async (): Promise<readonly number[]> => {
    const docker = new Docker();
    const label = [`dev.glovebox.session=${inside.session}`, 'dev.glovebox.role=gateway'];
    const found = await docker.listContainers({ filters: { label } });
    return Promise.all(
      found.map(async ({ Id }) => (await docker.getContainer(Id).inspect()).State.Pid),
    );
  };
  return {
    name: 'glovebox (session)',
    topology:
      'client in the sandbox, gateway, broker process, upstream; memory is gateway and broker',
    run: async (phase) => {
      const { status, stdout, stderr } = await inside.run(
        `node ${basename(CLIENT_FILES[0] ?? '')} ${phase} '${target}'`,
        PHASE_LIMIT_MS,
      );
      if (status !== 0) throw new Error(`the client ended with ${String(status)}: ${stderr}`);
      return stdout;
    },
    roots: async () => [
      ...brokersBelow().filter((pid) => !others.includes(pid)),
      ...(await gateways()),
    ],
  };
};
