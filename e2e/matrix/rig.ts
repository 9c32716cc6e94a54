import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AssistantName, TimelineEvent } from '../../app/contract/index.ts';
import { findEngine } from '../../app/engine/index.ts';
import { createScope, Secret, unwrap, type Closable, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { startTestHost } from '../fixtures/host.ts';
import { openInside, requestFor, type Inside } from '../fixtures/inside.ts';
import { createTestProject } from '../fixtures/project.ts';
import { settledEvents } from '../fixtures/settled.ts';
import { createTestAuthority, type TestAuthority } from '../upstreams/authority.ts';

const IMAGES = fileURLToPath(new URL('../../sandbox-images', import.meta.url));
const CLIENT_IMAGE = fileURLToPath(new URL('image', import.meta.url));

export type EgressEvent = Extract<TimelineEvent, { kind: 'egress' }>;

/** A credential that the session is lent. */
export type Lent = {
  readonly name: string;
  readonly kind: string;
  /** `HOST:PORT` of its service. */
  readonly host: string;
  readonly secret: string;
  /** Variable that holds the placeholder, where the kind has none. */
  readonly env?: string;
};

/** What stands outside before the session starts. */
export type Surroundings = {
  readonly authority: TestAuthority;
  /** Closed with the matrix. */
  readonly scope: Scope;
  /** Id of the sandbox's plain image, built where it is not there. */
  readonly baseImage: () => Promise<string>;
};

/** Where the session's hosts lead: `HOST:PORT` to a port of this machine's loopback. */
export type Plan = {
  readonly lent: readonly Lent[];
  readonly routes: Readonly<Record<string, number>>;
};

/** One real session with the clients in it. */
export type Matrix = Closable & {
  readonly inside: Inside;
  readonly project: string;
  /** All egress that is `own`, once there are `count` of it and nothing new has come for a moment. */
  readonly egress: (
    own: (event: EgressEvent) => boolean,
    count: number,
  ) => Promise<readonly EgressEvent[]>;
};

/** The project's own images, and the one with the clients beside them. */
const imagesWithClients = (scope: Scope): string => {
  const folder = scope.use(createTestFolder('gbx-images-')).path;
  cpSync(IMAGES, folder, { recursive: true });
  cpSync(CLIENT_IMAGE, join(folder, 'clients'), { recursive: true });
  return folder;
};

/**
 * Opens a session as a user would: credentials granted, hosts led by `--resolve`, the private authority
 * by `--upstream-ca`, and nothing else. The shell's image is the one with the clients.
 */
export const openMatrix = async (
  arrange: (surroundings: Surroundings) => Promise<Plan>,
  assistant: AssistantName = 'shell',
): Promise<Matrix> => {
  const outer = createScope('matrix');
  const images =
    assistant === 'shell' ? { imagesFolder: imagesWithClients(outer), shellImage: 'clients' } : {};
  const { host, scope, env } = await startTestHost({}, images);
  outer.defer(() => scope.close());
  const authority = await createTestAuthority();
  const files = scope.use(createTestFolder('gbx-ca-'));
  files.write({ 'ca.pem': authority.certificate });
  const { lent, routes } = await arrange({
    authority,
    scope,
    baseImage: async () => {
      const options = { installId: 'images', env, imagesFolder: IMAGES };
      const engine = unwrap(await findEngine(options, scope));
      return unwrap(await engine.ensureImages('shell', () => undefined, scope.signal)).sandbox;
    },
  });
  for (const { name, kind, host: at, secret, env: variable } of lent) {
    unwrap(
      await host.vault.add({
        name,
        kind,
        hosts: [at],
        secret: new Secret(secret),
        ...(variable === undefined ? {} : { env: variable }),
      }),
    );
  }
  const project = scope.use(createTestProject());
  const inside = scope.use(
    await openInside(
      host,
      requestFor(project.path, {
        assistant,
        grants: lent.map(({ name }) => ({ credential: name })),
        network: {
          default: 'deny',
          presets: assistant === 'shell' ? [] : ['assistant'],
          allow: [],
          deny: [],
          resolve: Object.entries(routes).map(([at, port]) => `${at}:127.0.0.1:${String(port)}`),
          upstreamCa: join(files.path, 'ca.pem'),
        },
      }),
    ),
  );
  return {
    inside,
    project: project.path,
    egress: async (own, count) => {
      const ownIn = (events: readonly TimelineEvent[]): readonly EgressEvent[] =>
        events.filter((event): event is EgressEvent => event.kind === 'egress' && own(event));
      return ownIn(
        await settledEvents(host, inside.session, (events) => ownIn(events).length >= count),
      );
    },
    close: () => outer.close(),
  };
};
