import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStartBroker, forkProcess, type Spawn } from '../../app/broker/index.ts';
import type { SessionId } from '../../app/contract/index.ts';
import { Secret, unwrap, type Scope } from '../../app/kit/index.ts';
import { buildGrant, buildNetworkPolicy } from '../../app/policy/index.ts';
import { startChild } from './child.ts';
import { UPSTREAM_HOST, type Contender, type Setting } from './contender.ts';
import { runOnHost } from './host-client.ts';

const HTTPS = 443;

/** The broker process alone, with a client on the host: the rivals' topology. */
export const createGloveboxProcess = async (
  { upstreamPort, upstreamCa, secret }: Setting,
  scope: Scope,
  extraEnv: Readonly<Record<string, string>> = {},
): Promise<Contender> => {
  const folder = mkdtempSync(join(tmpdir(), 'gbx-bench-link-'));
  scope.defer(() => rmSync(folder, { recursive: true, force: true }));
  const grant = unwrap(
    buildGrant({ name: 'bench', kind: 'bearer', hosts: [], addedAt: '' }, [UPSTREAM_HOST]),
  );
  const network = unwrap(
    buildNetworkPolicy(
      {
        default: 'deny',
        presets: [],
        allow: [UPSTREAM_HOST],
        deny: [],
        resolve: [`${UPSTREAM_HOST}:443:127.0.0.1:${String(upstreamPort)}`],
      },
      'shell',
    ),
  );
  let pid = 0;
  const spawn: Spawn = (entry, env) => {
    const spawned = forkProcess(entry, { ...env, ...extraEnv });
    pid = spawned.pid ?? 0;
    return spawned;
  };
  const broker = unwrap(
    await createStartBroker({ env: {}, spawn })(
      {
        session: 'abcdefghjkmn' as SessionId,
        linkFolder: folder,
        network,
        credentials: [{ grant, secret: new Secret(secret) }],
        upstreamAuthorities: [readFileSync(upstreamCa, 'utf8')],
      },
      {
        onEvents: () => undefined,
        onOpen: () => undefined,
        onState: () => undefined,
        onRotated: () => undefined,
        identify: () => Promise.resolve(undefined),
      },
      scope,
      scope.signal,
    ),
  );
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, broker.authority.certificatePem);
  const relay = scope.use(
    startChild(
      process.execPath,
      [join(import.meta.dirname, 'relay-process.ts'), folder, UPSTREAM_HOST, String(HTTPS)],
      { NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
    ),
  );
  const port = Number(await relay.firstLine);
  return {
    name: 'glovebox (process)',
    topology: 'client on the host, relay, broker process, upstream; memory is the broker process',
    run: (phase) =>
      runOnHost(
        phase,
        { host: UPSTREAM_HOST, port: HTTPS, via: { host: '127.0.0.1', port, connect: false } },
        ca,
        grant.placeholder,
      ),
    roots: () => Promise.resolve([pid]),
  };
};
