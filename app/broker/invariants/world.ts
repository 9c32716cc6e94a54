import type { EgressDraft } from '../../contract/index.ts';
import { buildWatchSet } from '../fingerprint.ts';
import { createTestAuthority } from '../testing/certificates.ts';
import { startResolver } from '../testing/resolver.ts';
import { createRig, type Rig } from '../testing/setup.ts';
import { CREDENTIALS, HOSTS, WATCHED } from './plan.ts';
import { startUpstreams, type Upstreams } from './upstreams.ts';

/** A broker in its own process, with servers of every sort behind it. */
export type World = {
  readonly rig: Rig;
  readonly upstreams: Upstreams;
  readonly placeholders: readonly string[];
  /** The records so far, by the request that they tell of. */
  readonly records: () => ReadonlyMap<string, readonly EgressDraft[]>;
  /** Names that the broker asked its resolver for. */
  readonly asked: readonly string[];
  readonly watches: boolean;
  readonly close: () => Promise<void>;
};

export const RAW_PORT = 5000;

/** What a rebinding server says, in turn: never an address that may be dialled. */
const REBOUND: readonly (readonly string[])[] = [
  ['127.0.0.1'],
  ['10.0.0.1', '127.0.0.1'],
  ['169.254.169.254'],
  ['0.0.0.0', '127.0.0.1'],
  ['192.168.1.1'],
  ['100.64.0.1', '127.0.0.1'],
];

export const createWorld = async (): Promise<World> => {
  const authority = await createTestAuthority();
  const upstreams = await startUpstreams(authority, await createTestAuthority());
  const { ports } = upstreams;
  let turn = 0;
  const resolver = await startResolver({
    get [HOSTS.rebinding](): readonly string[] {
      turn += 1;
      return REBOUND[turn % REBOUND.length] ?? [];
    },
  });
  const local = (host: string, port: number, at: number): string =>
    `${host}:${String(port)}:127.0.0.1:${String(at)}`;
  const rig = await createRig({
    authority,
    allow: [
      HOSTS.modern,
      HOSTS.plain,
      HOSTS.bare,
      `${HOSTS.rebinding}:${String(ports.rebinding)}`,
      HOSTS.clear,
      `raw.test:${String(RAW_PORT)}`,
    ],
    deny: [HOSTS.denied],
    passThrough: ['pinned.test'],
    resolve: [
      local(HOSTS.modern, 443, ports.modern),
      local(HOSTS.plain, 443, ports.plain),
      local(HOSTS.bare, 443, ports.bare),
      local(HOSTS.denied, 443, ports.denied),
      local(HOSTS.unlisted, 443, ports.unlisted),
      local(HOSTS.clear, 80, ports.clear),
      local(HOSTS.denied, 80, ports.denied),
      local('raw.test', RAW_PORT, ports.raw),
      local('pinned.test', 443, ports.pinned),
    ],
    dns: `127.0.0.1:${String(resolver.port)}`,
    grants: CREDENTIALS.map(({ kind, host, secret, ...narrowing }) => ({
      kind,
      hosts: [HOSTS[host]],
      secret,
      ...('methods' in narrowing
        ? { methods: [...narrowing.methods], paths: [...narrowing.paths] }
        : {}),
    })),
  });
  rig.broker.watch(
    buildWatchSet([
      {
        value: WATCHED,
        owner: { code: 'watch.hidden-value', words: 'The value of A in .env' },
      },
      // A hidden file has those that are granted too, as is usual.
      ...CREDENTIALS.map(({ secret }, at) => ({
        value: secret,
        owner: {
          code: 'watch.hidden-value' as const,
          words: `The value of B${String(at)} in .env`,
          granted: [rig.grants[at]?.credential ?? ''],
        },
      })),
    ]).set,
  );
  const records = new Map<string, EgressDraft[]>();
  let read = 0;
  const readRecords = (): ReadonlyMap<string, readonly EgressDraft[]> => {
    for (; read < rig.events.length; read += 1) {
      const event = rig.events[read];
      const id = event?.kind === 'egress' ? /\/r\/(n\d+)/.exec(event.path ?? '')?.[1] : undefined;
      if (event?.kind !== 'egress' || id === undefined) continue;
      const there = records.get(id);
      if (there === undefined) records.set(id, [event]);
      else there.push(event);
    }
    return records;
  };
  return {
    rig,
    upstreams,
    placeholders: rig.grants.map(({ placeholder }) => placeholder),
    records: readRecords,
    asked: resolver.asked,
    watches: true,
    close: async () => {
      await rig.close();
      await upstreams.close();
      resolver.close();
    },
  };
};
