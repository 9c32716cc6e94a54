import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DESTINATIONS_VARIABLE, noteOf } from '../../app/broker/testing/destinations.ts';
import { connectRelay } from '../../app/broker/testing/relay.ts';
import { createStartBroker, forkProcess, type Broker, type Spawn } from '../../app/broker/index.ts';
import { buildWatchSet, type WatchedValue } from '../../app/broker/fingerprint.ts';
import type { SessionId } from '../../app/contract/index.ts';
import { createScope, Secret, unwrap, type Scope } from '../../app/kit/index.ts';
import { buildGrant, buildNetworkPolicy } from '../../app/policy/index.ts';
import { UPSTREAM_HOST, type Contender, type Setting } from './contender.ts';
import { runOnHost } from './host-client.ts';

const HTTPS = 443;
const LOOPBACK = '127.0.0.1';
/** The broker process of the tests: all of the real one, but that a note says where a connection was going. */
const ENTRY = fileURLToPath(new URL('../../app/broker/testing/main.ts', import.meta.url));

/** Values such as a project's `.env` holds, which turn up nowhere in the load. */
const watchedValues = (count: number): readonly WatchedValue[] =>
  Array.from({ length: count }, (_, at) => ({
    value: randomBytes(24).toString('base64url'),
    owner: { code: 'watch.hidden-value', words: `The value of NAME_${String(at)} in .env` },
  }));

export type GloveboxProcessOptions = {
  readonly extraEnv?: Readonly<Record<string, string>>;
  /** How many values the session was not granted and watches for, both ways. */
  readonly watched?: number;
};

/** The broker process alone, with a client on the host: the rivals' topology. */
export const createGloveboxProcess = async (
  { upstreamPort, upstreamCa, secret }: Setting,
  scope: Scope,
  { extraEnv = {}, watched = 0 }: GloveboxProcessOptions = {},
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
    const spawned = forkProcess(entry, { ...env, ...extraEnv, [DESTINATIONS_VARIABLE]: folder });
    pid = spawned.pid ?? 0;
    return spawned;
  };
  const startBroker = createStartBroker({
    env: {},
    entry: ENTRY,
    spawn,
    compileCache: join(folder, 'compiled'),
  });
  const start = async (brokerScope: Scope): Promise<Broker> =>
    unwrap(
      await startBroker(
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
        brokerScope,
        brokerScope.signal,
      ),
    );
  // The first broker of an installation leaves its compiled sources to all others.
  const first = createScope('first broker');
  await start(first);
  await first.close();
  const broker = await start(scope);
  if (watched > 0) broker.watch(buildWatchSet(watchedValues(watched)).set);
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, broker.authority.certificatePem);
  const relay = await connectRelay(folder);
  scope.defer(relay.close);
  // No packet filter redirects this client: the note says where its connections are going.
  const destination = `${await relay.addressOf(UPSTREAM_HOST)}:${String(HTTPS)}`;
  writeFileSync(noteOf(folder, LOOPBACK), destination);
  const via = { host: LOOPBACK, port: relay.port, connect: false };
  return {
    name: watched > 0 ? `glovebox (watching ${String(watched)})` : 'glovebox (process)',
    topology: `client on the host, broker process, upstream; memory is the broker process${watched > 0 ? `; watches for ${String(watched)} values beside` : ''}`,
    run: (phase) =>
      runOnHost(phase, { host: UPSTREAM_HOST, port: HTTPS, via }, ca, grant.placeholder),
    roots: () => Promise.resolve([pid]),
  };
};
