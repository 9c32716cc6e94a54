import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { WatchSet } from '../../broker/fingerprint.ts';
import type { Ask, BrokerListeners, BrokerSpec } from '../../broker/port.ts';
import {
  StartRequest,
  type Code,
  type FileChange,
  type TimelineDraft,
  type TimelineEvent,
} from '../../contract/index.ts';
import type { Engine, ExecSpec, Running } from '../../engine/port.ts';
import type { GuardOptions } from '../../guard/port.ts';
import {
  fail,
  isoTime,
  ok,
  Secret,
  systemClock,
  type Failure,
  type Result,
} from '../../kit/index.ts';
import type { TimelineReader, TimelineWriter } from '../../timeline/port.ts';
import type { SessionDeps } from '../deps.ts';

/** What the fakes were asked, in order, and what they still hold. Each room is its port, kept in memory. */
export type FakeHouse = {
  readonly deps: SessionDeps;
  readonly home: string;
  readonly project: string;
  readonly calls: string[];
  /** Names of steps that fail: `images`, `gateway`, `sandbox`, `guard`, `broker`, `workspace`, … */
  readonly broken: Set<string>;
  /** Containers, sockets, mounts that stand now. */
  readonly standing: Set<string>;
  readonly drafts: TimelineDraft[];
  readonly execs: FakeExec[];
  changes: FileChange[];
  engineAnswers: boolean;
  broker: { spec: BrokerSpec; listeners: BrokerListeners & { readonly ask?: Ask } } | undefined;
  watched: WatchSet | undefined;
  guard: GuardOptions | undefined;
  readonly failTimeline: (why: Failure<Code>) => void;
  readonly endContainer: (name: string, exitCode: number) => void;
  /** The guard's end of file, which comes with the removal of its container unless the `guard lags`. */
  readonly endGuard: () => void;
  readonly close: () => void;
};

export type FakeExec = {
  readonly spec: ExecSpec;
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly end: (exitCode: number) => void;
};

export const SECRET = 'sk-ant-api03-the-real-value-that-must-not-show';

export const changeOf = (path: string): FileChange => ({ path, change: 'added', type: 'file' });

export const requestFor = (project: string, extra: object = {}): StartRequest =>
  StartRequest.parse({
    project,
    assistant: 'shell',
    workspace: 'overlay',
    grants: [],
    network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [] },
    limits: {},
    hide: { add: [], show: [] },
    ...extra,
  });

const resize = async (): Promise<void> => undefined;

export const createFakeHouse = (): FakeHouse => {
  const home = mkdtempSync(join(tmpdir(), 'gbx-home-'));
  const project = mkdtempSync(join(tmpdir(), 'gbx-project-'));
  const calls: string[] = [];
  const broken = new Set<string>();
  const standing = new Set<string>();
  const drafts: TimelineDraft[] = [];
  const execs: FakeExec[] = [];
  const enders = new Map<string, (exitCode: number) => void>();
  const failures = new Set<(why: Failure<Code>) => void>();

  const step = (name: string, code: Code): Result<void, Failure<Code>> => {
    calls.push(name);
    return broken.has(name) ? fail(code, `${name} is broken`, `mend ${name}`) : ok(undefined);
  };
  /** A step that may be waited for in vain. */
  const waited = (name: string, code: Code): Promise<Result<void, Failure<Code>>> =>
    broken.has(`${name} hangs`) ? new Promise(() => undefined) : Promise.resolve(step(name, code));
  const container = (name: string, code: Code): Result<Running, Failure<Code>> => {
    const done = step(name, code);
    if (!done.ok) return done;
    standing.add(name);
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number; tail: string }>();
    enders.set(name, (exitCode) => {
      standing.delete(name);
      resolve({ exitCode, tail: `${name} says goodbye` });
    });
    return ok({ id: name, ended: promise });
  };

  const house = {
    home,
    project,
    calls,
    broken,
    standing,
    drafts,
    execs,
    changes: [] as FileChange[],
    engineAnswers: true,
    broker: undefined,
    watched: undefined,
    guard: undefined,
    failTimeline: (why: Failure<Code>) => {
      for (const listener of Array.from(failures)) listener(why);
    },
    endContainer: (name: string, exitCode: number) => enders.get(name)?.(exitCode),
    endGuard: () =>
      house.guard?.onEvents([{ kind: 'session', at: isoTime(Date.now()), op: 'guard-lost' }]),
    close: () => {
      rmSync(home, { recursive: true, force: true });
      rmSync(project, { recursive: true, force: true });
    },
  } as Omit<FakeHouse, 'deps'> & { deps?: SessionDeps };

  const engine: Engine = {
    title: 'Fake 1.0',
    address: '/run/fake.sock',
    imageState: async () => ({ state: 'ready' }),
    ensureImages: async (_assistant, onProgress) => {
      onProgress({ step: 'images', message: 'looking', fraction: 0.5 });
      const done = step('images', 'image.build-failed');
      return done.ok ? ok({ sandbox: 's', gateway: 'g', guard: 'u' }) : done;
    },
    startGateway: async () => container('gateway', 'gateway.failed'),
    startSandbox: async () => container('sandbox', 'engine.failed'),
    startGuard: async () => container('guard', 'guard.failed'),
    exec: async (_container, spec) => {
      const done = step('exec', 'engine.failed');
      if (!done.ok) return done;
      const { promise, resolve } = Promise.withResolvers<number>();
      const exec: FakeExec = {
        spec,
        stdin: new PassThrough(),
        stdout: new PassThrough(),
        stderr: new PassThrough(),
        end: (exitCode) => {
          exec.stdout.end();
          exec.stderr.end();
          resolve(exitCode);
        },
      };
      // The first-run files are written and done at once.
      if (spec.command.includes('glovebox-home') && !broken.has('home hangs')) exec.end(0);
      execs.push(exec);
      const { stdin, stdout, stderr } = exec;
      return spec.tty
        ? ok({ io: { tty: true, stream: stdout }, resize, exit: promise })
        : ok({ io: { tty: false, stdin, stdout, stderr }, resize, exit: promise });
    },
    removeSession: async () => {
      if (!house.engineAnswers) return fail('engine.lost', 'gone');
      calls.push('removeSession');
      for (const name of ['sandbox', 'guard', 'gateway']) enders.get(name)?.(137);
      for (const exec of execs) exec.end(137);
      if (standing.has('guard socket') && !broken.has('guard lags')) house.endGuard();
      return ok(undefined);
    },
    sweep: async () => ok([]),
    ping: async () => house.engineAnswers,
  };

  const deps: SessionDeps = {
    home,
    clock: systemClock,
    log: () => undefined,
    engine: async () => {
      const done = step('engine', 'engine.not-found');
      if (!done.ok) return done;
      return house.engineAnswers ? ok(engine) : fail('engine.lost', 'no answer');
    },
    workspace: {
      inspect: async () => fail('not-yet', 'not in a fake'),
      admit: async (request) =>
        existsSync(request.project)
          ? ok(request.project)
          : fail('project.not-a-folder', `${request.project} does not exist`),
      prepare: async () => {
        const done = step('workspace', 'workspace.failed');
        if (!done.ok) return done;
        standing.add('mount');
        return ok({
          mounts: [],
          user: { uid: 1000, gid: 1000 },
          hidden: [],
          release: async () => {
            calls.push('release');
            standing.delete('mount');
            return ok(undefined);
          },
        });
      },
      hiddenValues: async () => ok({ values: [], unread: [] }),
      countChanges: async () => house.changes.length,
      changes: async () => ok({ changes: house.changes, cut: false }),
      accept: async () => {
        calls.push('accept');
        const heldBack = house.changes.filter(({ heldBack: why }) => why !== undefined);
        return ok({ applied: house.changes.length - heldBack.length, heldBack });
      },
      discard: async () => {
        calls.push('discard');
        return ok(undefined);
      },
      sweep: async () => ok(undefined),
    },
    vault: {
      list: async () =>
        ok([{ name: 'work', kind: 'anthropic', hosts: [], addedAt: '2026-01-01T00:00:00Z' }]),
      reveal: async (name) =>
        name === 'work'
          ? ok({
              summary: { name, kind: 'anthropic', hosts: [], addedAt: '2026-01-01T00:00:00Z' },
              secret: new Secret(SECRET),
            })
          : fail('credential.not-found', 'no such thing'),
      rotate: async (name, secret) => {
        calls.push(`rotate ${name} ${secret.expose()}`);
        return name === 'work'
          ? ok({ name, kind: 'anthropic', hosts: [], addedAt: '2026-01-01T00:00:00Z' })
          : fail('vault.locked', 'The keychain is locked.');
      },
    },
    startBroker: async (spec, listeners) => {
      const done = step('broker', 'broker.failed');
      if (!done.ok) return done;
      house.broker = { spec, listeners };
      standing.add('broker');
      return ok({
        authority: { certificatePem: 'CERT', privateKeyPem: new Secret('KEY') },
        trustBundle: 'BUNDLE',
        linked: () => waited('linked', 'gateway.failed'),
        watch: (set) => {
          house.watched = set;
        },
        close: async () => {
          calls.push('broker closed');
          standing.delete('broker');
        },
      });
    },
    openGuard: async (options, scope) => {
      const done = step('guard socket', 'guard.failed');
      if (!done.ok) return done;
      house.guard = options;
      standing.add('guard socket');
      scope.defer(() => {
        standing.delete('guard socket');
      });
      return ok({ ready: () => waited('ready', 'guard.failed'), owner: async () => undefined });
    },
    openTimeline: ({ session }) => {
      const done = step('timeline', 'timeline.failed');
      if (!done.ok) return done;
      const reader = fakeReader(drafts, session);
      const writer: TimelineWriter = {
        ...reader,
        append: (more) => drafts.push(...more),
        flush: async () => ok(undefined),
        onRecorded: () => () => undefined,
        onFailure: (listener) => {
          failures.add(listener);
          return () => failures.delete(listener);
        },
      };
      return ok(writer);
    },
    readTimeline: ({ session }) => ok(fakeReader(drafts, session)),
  };
  return Object.assign(house, { deps });
};

const fakeReader = (drafts: readonly TimelineDraft[], session: string): TimelineReader => ({
  page: () => ok({ events: [], counts: countsOf(drafts), more: false }),
  since: (after, limit) =>
    ok(
      drafts
        .slice(after, after + limit)
        .map((draft, at): TimelineEvent => ({ ...draft, seq: after + at + 1, session })),
    ),
  overview: () => ok([]),
  verify: () => ok({ intact: true, events: drafts.length, message: 'intact' }),
  close: () => undefined,
});

const countsOf = (drafts: readonly TimelineDraft[]) => ({
  all: drafts.length,
  egress: 0,
  files: 0,
  credentials: 0,
  blocked: 0,
});
