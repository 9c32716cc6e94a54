import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { createSecureServer as createEitherServer, type ServerHttp2Session } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { EgressDraft, Program, SessionId, TimelineDraft } from '../../contract/index.ts';
import { createScope, Secret, unwrap } from '../../kit/index.ts';
import {
  buildGrant,
  buildNetworkPolicy,
  shapeOf,
  type CredentialGrant,
  type GrantFile,
} from '../../policy/index.ts';
import { createStartBroker, forkProcess, type StartBrokerOptions } from '../index.ts';
import type { Ask, Broker } from '../port.ts';
import type { TestAuthority } from './certificates.ts';
import { DESTINATIONS_VARIABLE } from './destinations.ts';
import { connectRelay, type TestRelay } from './relay.ts';

export const SECRET = 'sk-real-0123456789/ABCDEFGH+ijklmnop';
export const SESSION = 'abcdefghjkmn' as SessionId;

export type Upstream = { readonly port: number; readonly close: () => Promise<void> };

export const listenTls = async (
  authority: TestAuthority,
  names: readonly string[],
  listener: RequestListener,
  port = 0,
): Promise<Upstream> => {
  const server = createTlsServer(await authority.issue(names), listener);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

/** A server that speaks HTTP/2 to who offers it, HTTP/1.1 to others, with the one listener for both. */
export const listenEither = async (
  authority: TestAuthority,
  names: readonly string[],
  listener: RequestListener,
): Promise<Upstream> => {
  const sessions = new Set<ServerHttp2Session>();
  const server = createEitherServer(
    { ...(await authority.issue(names)), allowHTTP1: true },
    // The compatible interface has all that these listeners use.
    listener as never,
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.destroy();
        server.close(() => resolve());
      }),
  };
};

export const listenPlain = async (listener: RequestListener): Promise<Upstream> => {
  const server = createPlainServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

export type RigOptions = {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly resolve?: readonly string[];
  readonly passThrough?: readonly string[];
  readonly dns?: string;
  readonly git?: readonly string[];
  readonly default?: 'deny' | 'ask' | 'allow';
  /** Answers what the broker asks; absent, nobody is there. */
  readonly ask?: Ask;
  readonly grants?: readonly {
    readonly kind: string;
    readonly hosts: readonly string[];
    readonly secret?: string;
    readonly files?: readonly GrantFile[];
    readonly methods?: string[];
    readonly paths?: string[];
  }[];
  readonly authority?: TestAuthority;
  readonly program?: Program;
  readonly start?: StartBrokerOptions;
};

export type Rig = {
  readonly broker: Broker;
  readonly relay: TestRelay;
  readonly folder: string;
  readonly grants: readonly CredentialGrant[];
  readonly events: TimelineDraft[];
  readonly opened: EgressDraft[];
  readonly states: string[];
  /** Name and whole secret of each credential that its server has replaced. */
  readonly rotated: string[];
  /** A TLS connection as a program inside would make it. */
  readonly tls: (
    host: string,
    options?: { port?: number; servername?: string | false; address?: string; alpn?: string[] },
  ) => Promise<TLSSocket>;
  /** A plain connection to a name and port. */
  readonly tcp: (host: string, port: number) => Promise<Duplex>;
  /** One request over a fresh TLS connection. */
  readonly fetch: (url: string, options?: FetchOptions) => Promise<Answer>;
  /** The egress records so far, after those under way have been written. */
  readonly egress: (count: number) => Promise<EgressDraft[]>;
  readonly until: (test: () => boolean, what: string) => Promise<void>;
  /** A new relay, as a gateway makes one after the broker process has come back. */
  readonly relink: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export type FetchOptions = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  readonly body?: Buffer | string;
  readonly socket?: Duplex;
};
export type Answer = {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  readonly trailers: NodeJS.Dict<string>;
};

/** One request on a connection that is already there. */
export const requestOn = (
  socket: Duplex,
  path: string,
  host: string,
  options: FetchOptions = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const agent = new Agent({ maxSockets: 1 });
    agent.createConnection = () => socket;
    const headers = Array.isArray(options.headers)
      ? ['host', host, ...options.headers]
      : { host, ...(options.headers as Record<string, string> | undefined) };
    const call = request({ agent, path, method: options.method ?? 'GET', headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(parts);
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? '',
          headers: response.headers,
          body,
          text: body.toString('utf8'),
          trailers: response.trailers,
        });
      });
    });
    call.on('error', reject);
    call.end(options.body);
  });

const until = async (test: () => boolean, what: string): Promise<void> => {
  for (let round = 0; round < 500; round += 1) {
    if (test()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited in vain for ${what}`);
};

const egressIn = (events: readonly TimelineDraft[]): EgressDraft[] =>
  events.filter((event) => event.kind === 'egress');

/** A broker in a real process with a relay on its link; everything it says is kept. */
export const createRig = async (options: RigOptions = {}): Promise<Rig> => {
  const folder = await mkdtemp(join(tmpdir(), 'glovebox-broker-'));
  const scope = createScope('broker test');
  const events: TimelineDraft[] = [];
  const opened: EgressDraft[] = [];
  const states: string[] = [];
  const rotated: string[] = [];
  const grants = (options.grants ?? []).map(
    ({ kind, hosts, secret = SECRET, files = [], ...narrowing }, index) => {
      const summary = { name: `cred-${String(index)}`, kind, hosts: [], addedAt: '' };
      return {
        ...unwrap(buildGrant(summary, [...hosts], shapeOf(kind, secret), narrowing)),
        files,
      };
    },
  );
  const network = unwrap(
    buildNetworkPolicy(
      {
        default: options.default ?? 'deny',
        presets: [],
        allow: [...(options.allow ?? [])],
        deny: [...(options.deny ?? [])],
        resolve: [...(options.resolve ?? [])],
        passThrough: [...(options.passThrough ?? [])],
        git: [...(options.git ?? [])],
        ...(options.dns === undefined ? {} : { dns: options.dns }),
      },
      'shell',
    ),
  );
  const broker = unwrap(
    await createStartBroker({
      env: {},
      entry: fileURLToPath(new URL('./main.ts', import.meta.url)),
      ...options.start,
      spawn: (entry, env) =>
        (options.start?.spawn ?? forkProcess)(entry, { ...env, [DESTINATIONS_VARIABLE]: folder }),
    })(
      {
        session: SESSION,
        linkFolder: folder,
        network,
        credentials: grants.map((grant, index) => ({
          grant,
          secret: new Secret(options.grants?.[index]?.secret ?? SECRET),
        })),
        upstreamAuthorities: options.authority === undefined ? [] : [options.authority.pem],
      },
      {
        onEvents: (drafts) => events.push(...drafts),
        onOpen: (draft) => opened.push(draft),
        onState: (state) => states.push(state),
        onRotated: (credential, secret) => rotated.push(`${credential} ${secret.expose()}`),
        identify: () => Promise.resolve(options.program),
        ...(options.ask === undefined ? {} : { ask: options.ask }),
      },
      scope,
      new AbortController().signal,
    ),
  );
  let relay = await connectRelay(folder);
  const tls: Rig['tls'] = async (host, { port = 443, servername, address, alpn } = {}) => {
    const to = address ?? (await relay.addressOf(host));
    const stream = relay.open(`${to}:${String(port)}`);
    return new Promise((resolve, reject) => {
      const socket = connectTls({
        socket: stream,
        ...(servername === false ? { host } : { servername: servername ?? host }),
        ca: broker.authority.certificatePem,
        ...(servername === false ? { checkServerIdentity: () => undefined } : {}),
        ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
      });
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
  };
  const rig: Rig = {
    broker,
    get relay() {
      return relay;
    },
    folder,
    grants,
    events,
    opened,
    states,
    rotated,
    tls,
    tcp: async (host, port) => relay.open(`${await relay.addressOf(host)}:${String(port)}`),
    fetch: async (url, fetchOptions = {}) => {
      const { protocol, hostname, port, host, pathname, search } = new URL(url);
      const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
      const socket =
        fetchOptions.socket ??
        (protocol === 'https:'
          ? await tls(hostname, { port: number })
          : await rig.tcp(hostname, number));
      try {
        return await requestOn(socket, `${pathname}${search}`, host, fetchOptions);
      } finally {
        if (fetchOptions.socket === undefined) socket.destroy();
      }
    },
    egress: async (count) => {
      await until(() => egressIn(events).length >= count, `${String(count)} egress records`);
      return egressIn(events);
    },
    until,
    relink: async () => {
      relay.close();
      relay = await connectRelay(folder);
    },
    close: async () => {
      relay.close();
      await scope.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return rig;
};
