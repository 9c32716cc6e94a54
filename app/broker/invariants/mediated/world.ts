import { createSecureServer } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import type { EgressDraft } from '../../../contract/index.ts';
import { buildWatchSet } from '../../fingerprint.ts';
import { createTestAuthority } from '../../testing/certificates.ts';
import { startResolver } from '../../testing/resolver.ts';
import { createRig, type Rig } from '../../testing/setup.ts';
import { withinTime } from '../carriers.ts';
import { createHttpListener, type Received, type Script, type Sent } from '../http-server.ts';
import type { Values, ValueKey } from './asks.ts';
import { createKey } from './assertions.ts';
import { gitRules } from './git-trials.ts';
import {
  createAccount,
  CREDENTIAL,
  DATABASE_PORT,
  DATABASES,
  grantsWith,
  partsWith,
  PASSWORDS,
  PLACES,
  REFRESH_TOKENS,
  WATCHED_VALUE,
  type Account,
  type DatabaseKey,
  type Part,
  type PlaceKey,
} from './held.ts';
import { createDatabaseServer, type DatabaseServer } from './postgres-server.ts';

/** A token that came back while the trials ran, and what the sandbox was given for it. */
export type MintedToken = {
  /** Tells it from all others. */
  readonly name: string;
  readonly token: string;
  readonly placeholder: string | undefined;
  /** Where the token itself may arrive. */
  readonly at: readonly string[];
};

/** What a trial of one scheme needs of the world. */
export type MediatedWorld = {
  readonly rig: Rig;
  readonly account: Account;
  /** The key that the account’s file has inside. */
  readonly sandboxKey: string;
  readonly parts: readonly Part[];
  readonly placeholders: readonly string[];
  readonly values: Values;
  /** Tokens that were minted, the latest last. */
  readonly minted: MintedToken[];
  /** Between trials: tokens of long ago, which the broker forgets too. */
  readonly forget: () => void;
  /** A key of nobody's. */
  readonly strangerKey: string;
  /** The refresh token that counts now, by credential. */
  readonly refreshTokens: Map<number, string>;
  /** Runs what must not be under way twice for one credential. */
  readonly inTurn: <T>(credential: number, work: () => Promise<T>) => Promise<T>;
  readonly received: Received[];
  readonly byId: ReadonlyMap<string, readonly Received[]>;
  readonly sent: ReadonlyMap<string, Sent>;
  /** What is to be answered to the request of an id. */
  readonly scripts: Map<string, (got: Received) => Script>;
  /** PostgreSQL's servers; none where nobody may get. */
  readonly databases: Readonly<Partial<Record<DatabaseKey, DatabaseServer>>>;
  /** Names that the broker asked its resolver for. */
  readonly asked: readonly string[];
  /** Connections at addresses that no policy lets through. */
  readonly forbidden: () => number;
  /** The egress records so far. */
  readonly records: () => readonly EgressDraft[];
  readonly close: () => Promise<void>;
};

/** Tokens of earlier trials that are still looked for; fewer than the broker knows. */
const REMEMBERED_TOKENS = 24;
const HTTP1_ALONE: readonly PlaceKey[] = ['sqs', 'accounts', 'pub', 'oldForge'];

const listenOn = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

/** A broker in its own process that holds a credential of every mediated kind, and their servers behind it. */
export const createMediatedWorld = async (): Promise<MediatedWorld> => {
  const authority = await createTestAuthority();
  const account = createAccount();
  // As a session makes it: a key of its own, which opens nothing.
  const sandboxKey = createKey();
  const received: Received[] = [];
  const byId = new Map<string, Received[]>();
  const sent = new Map<string, Sent>();
  const scripts = new Map<string, (got: Received) => Script>();
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  let forbidden = 0;

  const listen = (server: Server): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    return listenOn(server);
  };
  const listener = createHttpListener({
    take: (got) => {
      received.push(got);
      const there = byId.get(got.id);
      if (there === undefined) byId.set(got.id, [got]);
      else there.push(got);
    },
    scriptFor: (got) => scripts.get(got.id)?.(got),
    onSent: (id, what) => sent.set(id, what),
  });
  const decoy = await listen(
    createTcpServer((socket) => {
      forbidden += 1;
      socket.destroy();
    }),
  );
  const resolve: string[] = [];
  for (const key of Object.keys(PLACES) as PlaceKey[]) {
    const host = PLACES[key];
    const options = await authority.issue([host]);
    const port =
      key === 'denied'
        ? decoy
        : await listen(
            HTTP1_ALONE.includes(key)
              ? createTlsServer(options, listener(host))
              : createSecureServer({ ...options, allowHTTP1: true }, listener(host)),
          );
    resolve.push(`${host}:443:127.0.0.1:${String(port)}`);
  }
  const databases = {
    sealed: createDatabaseServer(PASSWORDS[0], await authority.issue([DATABASES.sealed])),
    open: createDatabaseServer(PASSWORDS[0], undefined),
    other: createDatabaseServer(PASSWORDS[1], await authority.issue([DATABASES.other])),
  } satisfies Partial<Record<DatabaseKey, DatabaseServer>>;
  for (const key of ['sealed', 'open', 'other'] as const) {
    const port = await listen(databases[key].server);
    resolve.push(`${DATABASES[key]}:${String(DATABASE_PORT)}:127.0.0.1:${String(port)}`);
  }
  resolve.push(`${DATABASES.denied}:${String(DATABASE_PORT)}:127.0.0.1:${String(decoy)}`);
  const resolver = await startResolver({ [DATABASES.rebinding]: ['127.0.0.1', '10.0.0.1'] });
  const rig = await createRig({
    authority,
    allow: [
      ...Object.values(PLACES).filter((host) => host !== PLACES.denied),
      ...Object.values(DATABASES)
        .filter((host) => host !== DATABASES.denied)
        .map((host) => `${host}:${String(DATABASE_PORT)}`),
    ],
    deny: [PLACES.denied],
    git: gitRules(),
    resolve,
    dns: `127.0.0.1:${String(resolver.port)}`,
    grants: grantsWith(account).map((grant, index) => ({
      ...grant,
      ...(index === CREDENTIAL.account
        ? {
            files: [
              {
                name: 'account.json',
                content: JSON.stringify({ private_key: sandboxKey }),
                env: [],
              },
            ],
          }
        : {}),
    })),
  });
  const parts = partsWith(account);
  rig.broker.watch(
    buildWatchSet([
      {
        value: WATCHED_VALUE,
        owner: { code: 'watch.hidden-value', words: 'The value of A in .env' },
      },
      // A hidden file has those that are granted too, as is usual.
      ...parts.map(({ secret, credential }, at) => ({
        value: secret,
        owner: {
          code: 'watch.hidden-value' as const,
          words: `The value of B${String(at)} in .env`,
          granted: [rig.grants[credential]?.credential ?? ''],
        },
      })),
    ]).set,
  );
  const placeholders = parts.map(
    ({ credential, part }) =>
      rig.grants[credential]?.parts.find(({ name }) => name === part)?.placeholder ?? '',
  );
  if (placeholders.includes('')) throw new Error('a part has no placeholder');
  const minted: MintedToken[] = [];
  const turns = new Map<number, Promise<void>>();
  const pick = (value: ValueKey, from: readonly string[], last: string | undefined): string => {
    if (value === 'watched') return WATCHED_VALUE;
    return (value === 'minted' ? last : from[value]) ?? from[0] ?? '';
  };
  const secrets = parts.map(({ secret }) => secret);
  return {
    rig,
    account,
    sandboxKey,
    parts,
    placeholders,
    minted,
    forget: () => {
      const last = minted.findLast(({ placeholder }) => placeholder !== undefined);
      minted.splice(0, minted.length - REMEMBERED_TOKENS);
      if (last !== undefined && !minted.includes(last)) minted.unshift(last);
    },
    strangerKey: createKey(),
    refreshTokens: new Map([
      [CREDENTIAL.refresh, REFRESH_TOKENS[0]],
      [CREDENTIAL.confidential, REFRESH_TOKENS[1]],
    ]),
    inTurn: async (credential, work) => {
      const before = turns.get(credential) ?? Promise.resolve();
      // One that stalls must not hold up all that come after it.
      const done = before.then(() => withinTime(work(), 'an exchange of tokens'));
      turns.set(
        credential,
        done.then(
          () => undefined,
          () => undefined,
        ),
      );
      return done;
    },
    received,
    byId,
    sent,
    scripts,
    values: {
      inside: (value) =>
        pick(
          value,
          placeholders,
          minted.findLast(({ placeholder }) => placeholder !== undefined)?.placeholder,
        ),
      outside: (value) =>
        pick(
          value,
          secrets,
          minted.findLast(({ placeholder }) => placeholder !== undefined)?.token,
        ),
    },
    databases,
    asked: resolver.asked,
    forbidden: () => forbidden,
    records: () => rig.events.filter((event) => event.kind === 'egress'),
    close: async () => {
      await rig.close();
      resolver.close();
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
