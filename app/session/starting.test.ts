import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createScope, unwrap } from '../kit/index.ts';
import { LOST_EXIT } from './lost.ts';
import { sessionPaths } from './paths.ts';
import { createSessions } from './sessions.ts';
import { requestFor, SECRET } from './testing/fakes.ts';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

const io = () => ({
  stdin: undefined,
  stdout: new PassThrough(),
  stderr: new PassThrough(),
});

describe('starting', () => {
  it('holds the assistant back until the link and the guard are ready', async () => {
    await rig.running();
    expect(rig.at('exec')).toBeGreaterThan(rig.at('ready'));
    expect(rig.at('exec')).toBeGreaterThan(rig.at('linked'));
    expect(rig.at('sandbox')).toBeGreaterThan(rig.at('gateway'));
    expect(rig.at('gateway')).toBeGreaterThan(rig.at('broker'));
    expect(rig.ops()).toEqual(
      expect.arrayContaining([
        'session started',
        'policy applied',
        'session ready',
        'process start',
      ]),
    );
    expect(rig.ops().indexOf('session ready')).toBeLessThan(rig.ops().indexOf('process start'));
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
    rig.house.broken.add(step);
    const { id } = await rig.start();
    const summary = await rig.sessions.ended(id);
    expect(summary).toMatchObject({ state: 'failed', problem: { code, hint: `mend ${step}` } });
    expect(Array.from(rig.house.standing)).toEqual([]);
    const paths = sessionPaths(rig.house.home, id);
    expect(existsSync(paths.run)).toBe(false);
    expect(readdirSync(paths.folder)).toContain('session.json');
    expect(rig.ops().at(-1)).toMatch(/session failed|process exit/);
    expect(summary.progress).toBeUndefined();
  });

  it.each([
    ['the gateway is waited for', 'linked hangs', 'gateway'],
    ['the guard is waited for', 'ready hangs', 'guard'],
  ])('blames the engine where it goes while %s', async (_what, hangs, waitedFor) => {
    rig.house.broken.add(hangs);
    const { id } = await rig.start();
    await vi.waitFor(() => expect(Array.from(rig.house.standing)).toContain(waitedFor), 10_000);
    rig.house.engineAnswers = false;
    rig.house.endContainer(waitedFor, LOST_EXIT);
    expect(await rig.sessions.ended(id)).toMatchObject({
      state: 'failed',
      problem: { code: 'engine.lost', hint: expect.stringContaining('Start the engine again') },
    });
  });

  it('blames the engine where it goes while the first-run files are written', async () => {
    rig.house.broken.add('home hangs');
    const { id } = await rig.start({ assistant: 'claude-code' });
    await vi.waitFor(() => expect(rig.house.execs).toHaveLength(1), 10_000);
    rig.house.engineAnswers = false;
    rig.house.execs[0]?.end(LOST_EXIT);
    expect(await rig.sessions.ended(id)).toMatchObject({
      state: 'failed',
      problem: { code: 'engine.lost' },
    });
  });

  it.each([
    [[], undefined],
    [['allow push github.com/owner/repo', 'deny fetch github.com/**'], undefined],
    [['allow fetch github.com/**', 'ask push github.com/owner/repo branch main'], true],
    [['ask fetch github.com/**'], true],
  ])('says whether git rules ask: %j', async (git, gitAsks) => {
    const { id } = await rig.start({
      network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [], git },
    });
    await rig.until(id, 'running');
    expect(rig.sessions.get(id)?.gitAsks).toBe(gitAsks);
  });

  it('releases the working copy after the containers are gone, the broker in between', async () => {
    const { id } = await rig.running();
    await rig.sessions.stop(id);
    const order = ['removeSession', 'broker closed', 'release'].map((call) =>
      rig.house.calls.lastIndexOf(call),
    );
    // removeSession is asked again at the end; the first time counts.
    order[0] = rig.house.calls.indexOf('removeSession');
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order).not.toContain(-1);
  });

  it('says which credential is missing', async () => {
    const { id } = await rig.start({ grants: [{ credential: 'nobody' }] });
    const summary = await rig.sessions.ended(id);
    expect(summary.problem).toMatchObject({ code: 'grant.unknown' });
    expect(summary.problem?.hint).toContain('credential add nobody');
  });

  it('puts placeholders inside and the secret nowhere but to the broker', async () => {
    const { id } = await rig.running({
      grants: [{ credential: 'work' }],
      assistant: 'claude-code',
    });
    const credential = rig.house.broker?.spec.credentials[0];
    expect(credential?.secret.expose()).toBe(SECRET);
    const env = rig.house.execs.at(-1)?.spec.env ?? {};
    expect(env['ANTHROPIC_API_KEY']).toBe(credential?.grant.placeholder);
    expect(env['ANTHROPIC_API_KEY']).not.toBe(SECRET);
    const paths = sessionPaths(rig.house.home, id);
    expect(
      JSON.stringify([
        rig.house.execs.map(({ spec }) => spec),
        rig.house.drafts,
        rig.sessions.list(),
      ]),
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
    const summary = await rig.running({
      grants: [{ credential: 'work', hosts: ['api.example.com'] }],
    });
    expect(summary.grants).toEqual([
      { credential: 'work', kind: 'anthropic', hosts: ['api.example.com'] },
    ]);
    const words = rig.house.broker?.spec.network.allow.map((rule) => rule.words);
    expect(words).toEqual(['grant work']);
    expect(rig.ops()).toContain('credential granted');
  });

  it('takes nothing of the host’s environment along', async () => {
    process.env['GBX_TEST_CANARY'] = 'canary';
    await rig.running();
    delete process.env['GBX_TEST_CANARY'];
    const env = rig.house.execs[0]?.spec.env ?? {};
    expect(Object.values(env)).not.toContain('canary');
    expect(env).toMatchObject({
      HOME: '/home/glovebox',
      TZ: 'UTC',
      GLOVEBOX: '1',
      SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
    });
  });

  it('refuses a home folder too deep for its sockets, and makes nothing', async () => {
    const deep = join(rig.house.home, 'x'.repeat(60), 'y'.repeat(40));
    const inner = createScope('deep');
    const refused = await createSessions({ ...rig.house.deps, home: deep }, inner).start(
      requestFor(rig.house.project),
    );
    await inner.close();
    expect(refused).toMatchObject({ ok: false, error: { code: 'host.home' } });
    expect(readdirSync(join(deep, 'sessions'))).toEqual([]);
  });

  it('refuses a project that is no folder', async () => {
    const { id } = unwrap(await rig.sessions.start(requestFor('/nowhere/at/all')));
    expect((await rig.sessions.ended(id)).problem?.code).toBe('project.not-a-folder');
  });

  it('refuses an upstream authorities file without a certificate', async () => {
    const file = join(rig.house.project, 'ca.pem');
    writeFileSync(file, 'nothing');
    const { id } = await rig.start({
      network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [], upstreamCa: file },
    });
    expect((await rig.sessions.ended(id)).problem).toMatchObject({ code: 'policy.invalid' });
  });

  it('says so when the record cannot be opened, and makes no session', async () => {
    rig.house.broken.add('timeline');
    const refused = await rig.sessions.start(requestFor(rig.house.project));
    expect(refused).toMatchObject({ ok: false, error: { code: 'timeline.failed' } });
    expect(rig.sessions.list()).toEqual([]);
    expect(readdirSync(join(rig.house.home, 'sessions'))).toEqual([]);
  });
});

describe('running without a terminal', () => {
  it('hands the output over, ends with the command and keeps its exit code', async () => {
    const streams = io();
    const { id } = unwrap(
      await rig.sessions.start(
        requestFor(rig.house.project, { command: ['sh', '-c', 'echo hi'] }),
        streams,
      ),
    );
    await rig.until(id, 'running');
    const exec = rig.house.execs[0];
    exec?.stdout.write('hi\n');
    exec?.end(3);
    const summary = await rig.sessions.ended(id);
    expect(summary).toMatchObject({ state: 'closed', exitCode: 3 });
    expect(String(streams.stdout.read())).toBe('hi\n');
    expect(streams.stdout.writableEnded).toBe(false);
    expect(rig.house.drafts).toContainEqual(
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
      await rig.sessions.start(requestFor(rig.house.project, { command: ['yes'] }), streams),
    );
    await rig.until(id, 'running');
    streams.stdout.destroy(new Error('EPIPE'));
    rig.house.execs[0]?.stdout.write('x'.repeat(1_000_000));
    rig.house.execs[0]?.end(0);
    expect(await rig.sessions.ended(id)).toMatchObject({ state: 'closed', exitCode: 0 });
  });
});
