import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SessionId, type SessionSummary } from '../contract/index.ts';
import { createManualClock, createScope, failure, ok, unwrap, type Scope } from '../kit/index.ts';
import { ownerOf } from './owner.ts';
import { sessionPaths } from './paths.ts';
import { SessionRecord } from './record.ts';
import { createSessions, type SessionService } from './sessions.ts';
import { changeOf, createFakeHouse, requestFor, SECRET, type FakeHouse } from './testing/fakes.ts';

/** How long a session may take to come to a state. */
const PATIENCE = { timeout: 10_000 };

let house: FakeHouse;
let scope: Scope;
let sessions: SessionService;

beforeEach(() => {
  house = createFakeHouse();
  scope = createScope('test');
  sessions = createSessions(house.deps, scope);
});
afterEach(async () => {
  await scope.close();
  house.close();
});

const io = () => ({
  stdin: undefined,
  stdout: new PassThrough(),
  stderr: new PassThrough(),
});
const at = (call: string): number => house.calls.indexOf(call);
const ops = (): string[] =>
  house.drafts.flatMap((draft) => ('op' in draft ? [`${draft.kind} ${draft.op}`] : []));
const until = async (id: SessionId, state: SessionSummary['state']): Promise<SessionSummary> =>
  vi.waitFor(() => {
    const summary = sessions.get(id);
    if (summary?.state !== state)
      throw new Error(`it is ${summary?.state}: ${summary?.problem?.message}`);
    return summary;
  }, PATIENCE);
const start = async (extra: object = {}): Promise<SessionSummary> =>
  unwrap(await sessions.start(requestFor(house.project, extra)));
const running = async (extra: object = {}): Promise<SessionSummary> =>
  until((await start(extra)).id, 'running');

const draft = (id: string) => ({
  kind: 'egress' as const,
  at: '2026-01-01T00:00:00.000000Z',
  id,
  verdict: 'allowed' as const,
  scheme: 'https' as const,
  host: 'a.example',
  port: 443,
  protocol: 'h1' as const,
  inspected: true,
  bytesOut: 0,
  bytesIn: 0,
  durationMs: 0,
});

const reviewed = async (): Promise<SessionId> => {
  const { id } = await running();
  house.changes = [changeOf('a'), { ...changeOf('.git/hooks/x'), heldBack: 'it would run' }];
  await sessions.stop(id);
  return id;
};

/** Another process: the one that runs the tests lives as long as they do. */
const second = () => {
  const owner = ownerOf(process.ppid);
  const inner = createScope('second');
  return { inner, service: createSessions({ ...house.deps, owner }, inner) };
};

describe('starting', () => {
  it('holds the assistant back until the link and the guard are ready', async () => {
    await running();
    expect(at('exec')).toBeGreaterThan(at('ready'));
    expect(at('exec')).toBeGreaterThan(at('linked'));
    expect(at('sandbox')).toBeGreaterThan(at('gateway'));
    expect(at('gateway')).toBeGreaterThan(at('broker'));
    expect(ops()).toEqual(
      expect.arrayContaining([
        'session started',
        'policy applied',
        'session ready',
        'process start',
      ]),
    );
    expect(ops().indexOf('session ready')).toBeLessThan(ops().indexOf('process start'));
  });

  it.each([
    ['engine', 'engine.not-found'],
    ['images', 'image.build-failed'],
    ['workspace', 'workspace.failed'],
    ['broker', 'broker.failed'],
    ['guard socket', 'guard.failed'],
    ['gateway', 'gateway.failed'],
    ['linked', 'gateway.failed'],
    ['sandbox', 'engine.failed'],
    ['guard', 'guard.failed'],
    ['ready', 'guard.failed'],
    ['exec', 'engine.failed'],
  ])('leaves nothing when %s fails, but the record', async (step, code) => {
    house.broken.add(step);
    const { id } = await start();
    const summary = await sessions.ended(id);
    expect(summary).toMatchObject({ state: 'failed', problem: { code, hint: `mend ${step}` } });
    expect(Array.from(house.standing)).toEqual([]);
    const paths = sessionPaths(house.home, id);
    expect(existsSync(paths.run)).toBe(false);
    expect(readdirSync(paths.folder)).toContain('session.json');
    expect(ops().at(-1)).toMatch(/session failed|process exit/);
    expect(summary.progress).toBeUndefined();
  });

  it.each([
    [[], undefined],
    [['allow push github.com/owner/repo', 'deny fetch github.com/**'], undefined],
    [['allow fetch github.com/**', 'ask push github.com/owner/repo branch main'], true],
    [['ask fetch github.com/**'], true],
  ])('says whether git rules ask: %j', async (git, gitAsks) => {
    const { id } = await start({
      network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [], git },
    });
    await until(id, 'running');
    expect(sessions.get(id)?.gitAsks).toBe(gitAsks);
  });

  it('releases the working copy after the containers are gone, the broker in between', async () => {
    const { id } = await running();
    await sessions.stop(id);
    const order = ['removeSession', 'broker closed', 'release'].map((call) =>
      house.calls.lastIndexOf(call),
    );
    // removeSession is asked again at the end; the first time counts.
    order[0] = house.calls.indexOf('removeSession');
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order).not.toContain(-1);
  });

  it('says which credential is missing', async () => {
    const { id } = await start({ grants: [{ credential: 'nobody' }] });
    const summary = await sessions.ended(id);
    expect(summary.problem).toMatchObject({ code: 'grant.unknown' });
    expect(summary.problem?.hint).toContain('credential add nobody');
  });

  it('puts placeholders inside and the secret nowhere but to the broker', async () => {
    const { id } = await running({ grants: [{ credential: 'work' }], assistant: 'claude-code' });
    const credential = house.broker?.spec.credentials[0];
    expect(credential?.secret.expose()).toBe(SECRET);
    const env = house.execs.at(-1)?.spec.env ?? {};
    expect(env['ANTHROPIC_API_KEY']).toBe(credential?.grant.placeholder);
    expect(env['ANTHROPIC_API_KEY']).not.toBe(SECRET);
    const paths = sessionPaths(house.home, id);
    expect(
      JSON.stringify([house.execs.map(({ spec }) => spec), house.drafts, sessions.list()]),
    ).not.toContain(SECRET);
    const files = readdirSync(paths.folder, { recursive: true, withFileTypes: true })
      .concat(readdirSync(paths.run, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      expect(readFileSync(join(file.parentPath, file.name), 'utf8')).not.toContain(SECRET);
    }
  });

  it('lets a granted credential reach its hosts, and shows the grant', async () => {
    const summary = await running({ grants: [{ credential: 'work', hosts: ['api.example.com'] }] });
    expect(summary.grants).toEqual([
      { credential: 'work', kind: 'anthropic', hosts: ['api.example.com'] },
    ]);
    const words = house.broker?.spec.network.allow.map((rule) => rule.words);
    expect(words).toEqual(['grant work']);
    expect(ops()).toContain('credential granted');
  });

  it('takes nothing of the host’s environment along', async () => {
    process.env['GBX_TEST_CANARY'] = 'canary';
    await running();
    delete process.env['GBX_TEST_CANARY'];
    const env = house.execs[0]?.spec.env ?? {};
    expect(Object.values(env)).not.toContain('canary');
    expect(env).toMatchObject({
      HOME: '/home/glovebox',
      TZ: 'UTC',
      GLOVEBOX: '1',
      SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
    });
  });

  it('refuses a home folder too deep for its sockets, and makes nothing', async () => {
    const deep = join(house.home, 'x'.repeat(60), 'y'.repeat(40));
    const inner = createScope('deep');
    const refused = await createSessions({ ...house.deps, home: deep }, inner).start(
      requestFor(house.project),
    );
    await inner.close();
    expect(refused).toMatchObject({ ok: false, error: { code: 'host.home' } });
    expect(readdirSync(join(deep, 'sessions'))).toEqual([]);
  });

  it('refuses a project that is no folder', async () => {
    const { id } = unwrap(await sessions.start(requestFor('/nowhere/at/all')));
    expect((await sessions.ended(id)).problem?.code).toBe('project.not-a-folder');
  });

  it('refuses an upstream authorities file without a certificate', async () => {
    const file = join(house.project, 'ca.pem');
    writeFileSync(file, 'nothing');
    const { id } = await start({
      network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [], upstreamCa: file },
    });
    expect((await sessions.ended(id)).problem).toMatchObject({ code: 'policy.invalid' });
  });

  it('says so when the record cannot be opened, and makes no session', async () => {
    house.broken.add('timeline');
    const refused = await sessions.start(requestFor(house.project));
    expect(refused).toMatchObject({ ok: false, error: { code: 'timeline.failed' } });
    expect(sessions.list()).toEqual([]);
    expect(readdirSync(join(house.home, 'sessions'))).toEqual([]);
  });
});

describe('running without a terminal', () => {
  it('hands the output over, ends with the command and keeps its exit code', async () => {
    const streams = io();
    const { id } = unwrap(
      await sessions.start(
        requestFor(house.project, { command: ['sh', '-c', 'echo hi'] }),
        streams,
      ),
    );
    await until(id, 'running');
    const exec = house.execs[0];
    exec?.stdout.write('hi\n');
    exec?.end(3);
    const summary = await sessions.ended(id);
    expect(summary).toMatchObject({ state: 'closed', exitCode: 3 });
    expect(String(streams.stdout.read())).toBe('hi\n');
    expect(streams.stdout.writableEnded).toBe(false);
    expect(house.drafts).toContainEqual(
      expect.objectContaining({
        kind: 'process',
        op: 'exit',
        exitCode: 3,
        command: ['sh', '-c', 'echo hi'],
      }),
    );
  });

  it('goes on when the reader of its output goes away', async () => {
    const streams = io();
    const { id } = unwrap(
      await sessions.start(requestFor(house.project, { command: ['yes'] }), streams),
    );
    await until(id, 'running');
    streams.stdout.destroy(new Error('EPIPE'));
    house.execs[0]?.stdout.write('x'.repeat(1_000_000));
    house.execs[0]?.end(0);
    expect(await sessions.ended(id)).toMatchObject({ state: 'closed', exitCode: 0 });
  });
});

describe('ending', () => {
  it('keeps changes for review and lists them', async () => {
    const { id } = await running();
    house.changes = [changeOf('a.txt')];
    const summary = unwrap(await sessions.stop(id));
    expect(summary).toMatchObject({ state: 'review', changed: 1 });
    expect(unwrap(await sessions.changes(id)).changes).toHaveLength(1);
    expect(house.calls).not.toContain('discard');
  });

  it('stops once however often it is asked', async () => {
    const { id } = await running();
    const [a, b, c] = await Promise.all([sessions.stop(id), sessions.stop(id), sessions.stop(id)]);
    expect(a).toEqual(b);
    expect(b).toEqual(c);
    expect(house.calls.filter((call) => call === 'release')).toHaveLength(1);
    expect(ops().filter((op) => op === 'session stopped')).toHaveLength(1);
    expect(unwrap(await sessions.stop(id)).state).toBe('closed');
  });

  it('can be stopped while it starts', async () => {
    const { id } = await start();
    const summary = unwrap(await sessions.stop(id));
    expect(summary.state).toBe('closed');
    expect(summary.problem).toBeUndefined();
    expect(Array.from(house.standing)).toEqual([]);
  });

  it('can be stopped while something inside does not answer', async () => {
    house.broken.add('home hangs');
    const { id } = await start({ assistant: 'claude-code' });
    await expect.poll(() => Array.from(house.standing)).toContain('sandbox');
    expect(unwrap(await sessions.stop(id)).state).toBe('closed');
    expect(Array.from(house.standing)).toEqual([]);
  });

  it('ends with the assistant’s terminal, unless a shell is still open', async () => {
    const { id } = await running();
    const shell = unwrap(await sessions.openTerminal(id, { columns: 80, rows: 24 }));
    house.execs[0]?.end(0);
    await expect.poll(() => sessions.get(id)?.terminals[0]?.exitCode).toBe(0);
    expect(sessions.get(id)?.state).toBe('running');
    expect(sessions.get(id)?.terminals.map(({ title }) => title)).toEqual(['Shell', 'shell 1']);
    house.execs[1]?.end(0);
    expect(await sessions.ended(id)).toMatchObject({ state: 'closed', exitCode: 0 });
    expect(sessions.terminal(id, shell.id)).toBeUndefined();
  });

  it.each([
    ['guard', 'guard.failed'],
    ['gateway', 'gateway.failed'],
    ['sandbox', 'session.ended-early'],
  ])('ends when its %s ends, and keeps the changes', async (name, code) => {
    const { id } = await running();
    house.changes = [changeOf('a')];
    house.endContainer(name, 1);
    expect(await sessions.ended(id)).toMatchObject({ state: 'review', problem: { code } });
    expect(Array.from(house.standing)).toEqual([]);
  });

  it('ends when the guard’s watch is lost: what is not seen must not happen', async () => {
    const { id } = await running();
    house.guard?.onEvents([
      { kind: 'session', at: '2026-01-01T00:00:00.000000Z', op: 'guard-lost' },
    ]);
    expect((await sessions.ended(id)).problem?.code).toBe('guard.failed');
    expect(ops()).toContain('session guard-lost');
  });

  it('takes the guard’s end of file at its own stop for no loss', async () => {
    const { id } = await running();
    const stopped = sessions.stop(id);
    house.guard?.onEvents([
      { kind: 'session', at: '2026-01-01T00:00:00.000000Z', op: 'guard-lost' },
    ]);
    expect(unwrap(await stopped).problem).toBeUndefined();
    expect(ops()).not.toContain('session guard-lost');
  });

  it('ends when the record cannot be written', async () => {
    const { id } = await running();
    house.failTimeline(failure('workspace.disk-full', 'The disk is full.'));
    expect((await sessions.ended(id)).problem).toMatchObject({ code: 'workspace.disk-full' });
  });

  it('tells of a broker that is away, and when it is back', async () => {
    const { id } = await running();
    house.broker?.listeners.onState('down', 'it died');
    expect(sessions.get(id)?.alerts).toEqual([
      expect.objectContaining({ code: 'egress.broker-down' }),
    ]);
    house.broker?.listeners.onState('up', 'again');
    expect(sessions.get(id)?.alerts).toEqual([]);
    expect(ops()).toEqual(expect.arrayContaining(['session broker-lost', 'session broker-back']));
  });

  it('ends when the engine is lost, keeps the changes, and refuses to accept while containers may stand', async () => {
    const { id } = await running();
    house.changes = [changeOf('a')];
    house.engineAnswers = false;
    house.endContainer('sandbox', -1);
    expect(await sessions.ended(id)).toMatchObject({
      state: 'review',
      problem: { code: 'engine.lost' },
    });
    expect(await sessions.accept(id)).toMatchObject({ ok: false, error: { code: 'engine.lost' } });
    expect(house.calls).not.toContain('accept');
    house.engineAnswers = true;
    expect(unwrap(await sessions.accept(id)).applied).toBe(1);
    expect(house.calls).toContain('removeSession');
  });

  it('ends when its time is up', async () => {
    const clock = createManualClock(1_800_000_000_000);
    const inner = createScope('timed');
    const timed = createSessions({ ...house.deps, clock }, inner);
    const { id, endsAt } = unwrap(
      await timed.start(requestFor(house.project, { limits: { ttlMs: 60_000 } })),
    );
    expect(endsAt).toBe(new Date(1_800_000_060_000).toISOString().replace('Z', '000Z'));
    await expect.poll(() => timed.get(id)?.state).toBe('running');
    const over = timed.ended(id);
    clock.advance(60_000);
    await expect
      .poll(() => {
        clock.advance(1000);
        return timed.get(id)?.state;
      })
      .toBe('closed');
    expect((await over).problem).toBeUndefined();
    await inner.close();
  });

  it('stops everything when the host closes', async () => {
    const { id } = await running();
    house.changes = [changeOf('a')];
    await scope.close();
    expect(Array.from(house.standing)).toEqual([]);
    expect(sessions.get(id)?.state).toBe('review');
    expect(await sessions.start(requestFor(house.project))).toMatchObject({ ok: false });
  });
});

describe('a record that can no longer be written', () => {
  it('takes the way out away before anything else', async () => {
    const { id } = await running();
    house.failTimeline(failure('timeline.failed', 'The disk is full.'));
    expect(house.calls.at(-1)).toBe('broker closed');
    expect((await sessions.ended(id)).problem?.code).toBe('timeline.failed');
    expect(at('broker closed')).toBeLessThan(at('removeSession'));
  });

  it('leaves the room that is kept for how it ended to that alone', async () => {
    const rooms = (id: SessionId): readonly string[] =>
      readdirSync(sessionPaths(house.home, id).folder).filter((name) => name.endsWith('.reserve'));
    const atClose: (readonly string[])[] = [];
    const service = createSessions(
      {
        ...house.deps,
        openTimeline: async (file) => {
          const opened = await house.deps.openTimeline(file);
          if (!opened.ok) return opened;
          const close = (): void => void atClose.push(rooms(file.session));
          return ok({ ...opened.value, close });
        },
      },
      scope,
    );
    const { id } = unwrap(await service.start(requestFor(house.project)));
    expect(rooms(id).toSorted()).toEqual(['session.reserve', 'timeline.reserve']);
    await service.stop(id);
    expect(atClose).toEqual([['session.reserve']]);
    expect(rooms(id)).toEqual([]);
  });
});

describe('open requests', () => {
  it('are shown until they are recorded, and forgotten when the broker dies', async () => {
    const { id } = await running();
    const seen: number[] = [];
    sessions.onOpenRequests(id, (open) => seen.push(open.length));
    house.broker?.listeners.onOpen(draft('1'));
    house.broker?.listeners.onOpen(draft('2'));
    house.broker?.listeners.onEvents([draft('1')]);
    expect(sessions.openRequests(id).map((open) => open.id)).toEqual(['2']);
    house.broker?.listeners.onState('down', 'died');
    expect(sessions.openRequests(id)).toEqual([]);
    expect(seen).toEqual([1, 2, 1, 0]);
  });
});

describe('afterwards', () => {
  it('accepts what may be accepted and keeps the rest for review', async () => {
    const id = await reviewed();
    expect(unwrap(await sessions.accept(id))).toMatchObject({ applied: 1 });
    expect(sessions.get(id)).toMatchObject({ state: 'review', changed: 1 });
    expect(ops().at(-1)).toBe('session accepted');
    unwrap(await sessions.discard(id));
    expect(sessions.get(id)?.state).toBe('closed');
    expect(ops().at(-1)).toBe('session discarded');
    expect(await sessions.accept(id)).toMatchObject({
      ok: false,
      error: { code: 'review.nothing' },
    });
  });

  it('forgets no session whose changes wait, and nothing is left of one that is forgotten', async () => {
    const id = await reviewed();
    expect(await sessions.forget(id)).toMatchObject({
      ok: false,
      error: { code: 'review.waiting' },
    });
    unwrap(await sessions.discard(id));
    const gone: string[] = [];
    sessions.onChange((change) => change.type === 'gone' && gone.push(change.id));
    unwrap(await sessions.forget(id));
    expect(gone).toEqual([id]);
    expect(existsSync(sessionPaths(house.home, id).folder)).toBe(false);
    expect(sessions.timeline(id)).toMatchObject({
      ok: false,
      error: { code: 'session.not-found' },
    });
  });

  it('decides nothing about a session that runs', async () => {
    const { id } = await running();
    for (const refused of [
      await sessions.accept(id),
      await sessions.discard(id),
      await sessions.forget(id),
    ]) {
      expect(refused).toMatchObject({ ok: false, error: { code: 'session.running' } });
    }
  });

  it('keeps the record in a folder of its own that nobody else can read', async () => {
    const id = await reviewed();
    const paths = sessionPaths(house.home, id);
    expect(statSync(paths.folder).mode & 0o777).toBe(0o700);
    expect(statSync(paths.record).mode & 0o777).toBe(0o600);
    expect(SessionRecord.safeParse(JSON.parse(readFileSync(paths.record, 'utf8'))).success).toBe(
      true,
    );
  });
});

describe('a full disk', () => {
  it('keeps no one from deciding: what could not be written still counts', async () => {
    const { id } = await running();
    const { record } = sessionPaths(house.home, id);
    rmSync(record);
    mkdirSync(join(record, 'in the way'), { recursive: true });
    house.changes = [changeOf('a')];
    expect(unwrap(await sessions.stop(id)).state).toBe('review');
    unwrap(await sessions.discard(id));
    expect(sessions.get(id)?.state).toBe('closed');
  });
});

describe('other processes', () => {
  it('see a session that runs elsewhere, can stop it, and hear of its end', async () => {
    const { id } = await running();
    const { inner, service } = second();
    expect(service.get(id)).toMatchObject({ state: 'running', owned: false });
    expect(await service.accept(id)).toMatchObject({
      ok: false,
      error: { code: 'session.running' },
    });
    expect(await service.openTerminal(id, { columns: 80, rows: 24 })).toMatchObject({
      ok: false,
      error: { code: 'session.not-running' },
    });
    house.changes = [changeOf('a')];
    expect(unwrap(await service.stop(id))).toMatchObject({ state: 'review' });
    await inner.close();
  });

  it('settle what a dead owner left: to review where there is something', async () => {
    const { id } = await running();
    house.changes = [changeOf('a')];
    const record = readFileSync(sessionPaths(house.home, id).record, 'utf8');
    await sessions.stop(id);
    const dead = SessionRecord.parse(JSON.parse(record));
    writeFileSync(
      sessionPaths(house.home, id).record,
      JSON.stringify({ ...dead, owner: { ...dead.owner, startTime: '1' } }),
    );
    const { inner, service } = second();
    expect(service.get(id)).toMatchObject({
      state: 'review',
      owned: true,
      problem: { code: 'session.ended-early' },
    });
    const removals = house.calls.filter((call) => call === 'removeSession').length;
    await service.recover();
    expect(house.calls.filter((call) => call === 'removeSession').length).toBe(removals + 1);
    expect(service.get(id)).toMatchObject({ state: 'review', changed: 1 });
    expect(unwrap(await service.accept(id)).applied).toBe(1);
    await inner.close();
  });

  it('list no half-made or foreign folder', async () => {
    const { folder, record } = sessionPaths(house.home, SessionId.parse('0123456789ab'));
    mkdirSync(folder);
    writeFileSync(record, '{"version": 1}');
    mkdirSync(join(house.home, 'sessions', 'something else'));
    const { inner, service } = second();
    expect(service.list()).toEqual([]);
    await inner.close();
  });
});

describe('what a person has to decide', () => {
  const question = {
    what: 'destination' as const,
    scheme: 'https' as const,
    host: 'api.test',
    port: 443,
  };
  const ask = (id: string) => {
    const asked = house.broker?.listeners.ask?.(id, question, new AbortController().signal);
    if (asked === undefined) throw new Error('nobody takes questions');
    return asked;
  };
  const ALLOW = { verdict: 'allow', scope: 'once' } as const;

  it('stands in the summary until it is answered', async () => {
    sessions.attend();
    const { id } = await running();
    const answer = ask('a-1');
    expect(sessions.get(id)?.questions).toMatchObject([{ id: 'a-1', host: 'api.test' }]);
    unwrap(await sessions.answer(id, 'a-1', ALLOW));
    expect(await answer).toEqual({ answer: 'allowed', scope: 'once' });
    expect(sessions.get(id)?.questions).toEqual([]);
    expect(await sessions.answer(id, 'a-1', ALLOW)).toMatchObject({
      ok: false,
      error: { code: 'ask.gone' },
    });
    expect(house.drafts).toContainEqual(
      expect.objectContaining({ kind: 'approval', id: 'a-1', answer: 'allowed' }),
    );
  });

  it('is answered with no at once where nobody is there, and when the session ends', async () => {
    const { id } = await running();
    expect(await ask('a-1')).toMatchObject({ answer: 'nobody' });
    sessions.attend();
    const answer = ask('a-2');
    unwrap(await sessions.stop(id));
    expect(await answer).toMatchObject({ answer: 'nobody' });
    expect(sessions.get(id)?.questions).toEqual([]);
    expect(await sessions.answer(id, 'a-2', ALLOW)).toMatchObject({ ok: false });
  });

  it('can be answered from another process', async () => {
    sessions.attend();
    const { id } = await running();
    const answer = ask('a-1');
    const elsewhere = createScope('another process');
    const others = createSessions({ ...house.deps, owner: ownerOf(process.ppid) }, elsewhere);
    expect(others.get(id)?.questions).toMatchObject([{ id: 'a-1' }]);
    expect(await others.answer(id, 'a-2', ALLOW)).toMatchObject({
      ok: false,
      error: { code: 'ask.gone' },
    });
    expect(await others.answer(id, 'a-1', ALLOW)).toMatchObject({ ok: true });
    expect(await answer).toEqual({ answer: 'allowed', scope: 'once' });
    await elsewhere.close();
  });
});
