import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { StartRequest, TimelineEvent } from '../../app/contract/index.ts';
import type { SessionHost } from '../../app/host/index.ts';
import { Secret, unwrap, type Closable } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { startTestHost } from '../fixtures/host.ts';
import { openInside, requestFor, type Inside } from '../fixtures/inside.ts';
import { createTestProject } from '../fixtures/project.ts';
import { settledEvents } from '../fixtures/settled.ts';
import { createTestAuthority } from '../upstreams/authority.ts';
import { startRecordingServer, type RecordingServer } from '../upstreams/recording-server.ts';
import { startTcpSink, startUdpSink, type Sink } from '../upstreams/sink.ts';
import { startStubResolver, type StubResolver } from '../upstreams/stub-resolver.ts';

/** What must never be seen inside, nor reach a server that it was not granted to. */
export const REAL_KEY = 'sk-ant-api03-REALKEY-hostile-suite-5b0c2c7e41aa9f60d3-AA';

const CANARIES = {
  aws: 'aws-canary-1f0c77',
  ssh: 'ssh-canary-88e2b4',
  netrc: 'netrc-canary-51d0aa',
} as const;

export const HOSTS = {
  /** Allowed, and the credential is granted for it. */
  granted: 'api.granted.example',
  /** Allowed, but the credential is not granted for it. */
  allowed: 'plain.allowed.example',
  /** Led to a real server by --resolve, but no rule lets it pass. */
  denied: 'collector.denied.example',
  /** Allowed by name, but the resolver answers a private address. */
  private: 'private.allowed.example',
  /** Allowed by name; the resolver answers a public address first and the host's loopback next. */
  rebind: 'rebind.allowed.example',
} as const;

type EgressEvent = Extract<TimelineEvent, { kind: 'egress' }>;

/** A real session with everything around it that an attacker would like to reach. */
export type Arena = Closable & {
  readonly host: SessionHost;
  readonly inside: Inside;
  readonly project: string;
  /** The pretended home of the developer, above the project. */
  readonly hostHome: string;
  readonly canaries: readonly string[];
  readonly granted: RecordingServer;
  readonly allowed: RecordingServer;
  readonly denied: RecordingServer;
  readonly resolver: StubResolver;
  readonly loopbackSink: Sink;
  readonly bridgeSink: Sink;
  readonly udpSink: Sink;
  /** An address of the host that is not loopback: what a container usually reaches it by. */
  readonly bridgeAddress: string;
  /** All events, once nothing new has come for a moment: records wait briefly for their program's name. */
  readonly events: () => Promise<readonly TimelineEvent[]>;
  /** Refusals after event number `since`, once one that is `wanted` is there and nothing new comes. */
  readonly refusals: (
    since: number,
    wanted?: (refusal: EgressEvent) => boolean,
  ) => Promise<readonly EgressEvent[]>;
};

/** Most processes inside. */
export const MAX_PROCESSES = 512;

const hostAddress = (): string =>
  Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '127.0.0.1';

const homeFiles = {
  '.aws/credentials': `[default]\naws_secret_access_key = ${CANARIES.aws}\n`,
  '.ssh/id_ed25519': `-----BEGIN OPENSSH PRIVATE KEY-----\n${CANARIES.ssh}\n-----END OPENSSH PRIVATE KEY-----\n`,
  '.netrc': `machine example.com password ${CANARIES.netrc}\n`,
};

export const openArena = async (changes: Partial<StartRequest> = {}): Promise<Arena> => {
  const home = createTestFolder('gbx-home-');
  home.write(homeFiles);
  const agentSocket = join(home.path, 'agent.sock');
  const test = await startTestHost({ HOME: home.path, SSH_AUTH_SOCK: agentSocket });
  const { scope, host } = test;
  scope.defer(() => home.close());
  const project = scope.use(createTestProject(home.path));
  const authority = await createTestAuthority();
  const files = scope.use(createTestFolder('gbx-ca-'));
  files.write({ 'ca.pem': authority.certificate });
  const identity = await authority.issue(Object.values(HOSTS));
  const [granted, allowed, denied] = await Promise.all([
    startRecordingServer({ identity }),
    startRecordingServer({ identity }),
    startRecordingServer({ identity }),
  ]);
  const bridgeAddress = hostAddress();
  const sinks = await Promise.all([
    startTcpSink('127.0.0.1'),
    startTcpSink(bridgeAddress),
    startUdpSink(bridgeAddress),
  ]);
  const resolver = await startStubResolver({
    [HOSTS.private]: [['10.11.12.13']],
    [HOSTS.rebind]: [['203.0.113.9'], ['127.0.0.1']],
  });
  for (const thing of [granted, allowed, denied, resolver, ...sinks]) scope.use(thing);
  unwrap(
    await host.vault.add({
      name: 'anthropic-test',
      kind: 'anthropic',
      hosts: [HOSTS.granted],
      secret: new Secret(REAL_KEY),
    }),
  );
  const request = requestFor(project.path, {
    grants: [{ credential: 'anthropic-test' }],
    // Small, so that using them up takes no toll on the machine that runs the tests.
    limits: { memoryBytes: 1024 ** 3, pids: MAX_PROCESSES },
    network: {
      default: 'deny',
      presets: [],
      allow: [HOSTS.granted, HOSTS.allowed, HOSTS.private, HOSTS.rebind],
      deny: [],
      resolve: [
        `${HOSTS.granted}:443:127.0.0.1:${String(granted.port)}`,
        `${HOSTS.allowed}:443:127.0.0.1:${String(allowed.port)}`,
        `${HOSTS.denied}:443:127.0.0.1:${String(denied.port)}`,
      ],
      dns: `127.0.0.1:${String(resolver.port)}`,
      upstreamCa: join(files.path, 'ca.pem'),
    },
    ...changes,
  });
  const inside = await openInside(host, request);
  return {
    host,
    inside,
    project: project.path,
    hostHome: home.path,
    canaries: [...Object.values(CANARIES), ...project.secrets],
    granted,
    allowed,
    denied,
    resolver,
    loopbackSink: sinks[0],
    bridgeSink: sinks[1],
    udpSink: sinks[2],
    bridgeAddress,
    events: () => settledEvents(host, inside.session),
    refusals: async (since, wanted = () => true) => {
      const refusalsIn = (events: readonly TimelineEvent[]): readonly EgressEvent[] =>
        events.filter(
          (event): event is EgressEvent =>
            event.seq > since && event.kind === 'egress' && event.verdict === 'denied',
        );
      return refusalsIn(
        await settledEvents(host, inside.session, (events) => refusalsIn(events).some(wanted)),
      );
    },
    close: async () => {
      await inside.close();
      await scope.close();
    },
  };
};
