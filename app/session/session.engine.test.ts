import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost, type TestHost } from '../../e2e/fixtures/host.ts';
import { openInside, requestFor, waitForState } from '../../e2e/fixtures/inside.ts';
import { createTestProject, fingerprint } from '../../e2e/fixtures/project.ts';
import { createTestAuthority } from '../../e2e/upstreams/authority.ts';
import {
  startRecordingServer,
  type RecordingServer,
} from '../../e2e/upstreams/recording-server.ts';
import type { SessionId, StartRequest, TimelineEvent } from '../contract/index.ts';
import { Secret, unwrap } from '../kit/index.ts';

const REAL_KEY = 'sk-ant-api03-real-key-that-stays-outside-0123456789';
const NAME = 'models.example.test';

let test: TestHost;
let upstream: RecordingServer;
let caFile: string;

beforeAll(async () => {
  test = await startTestHost();
  const { scope, host } = test;
  const authority = await createTestAuthority();
  upstream = scope.use(await startRecordingServer({ identity: await authority.issue([NAME]) }));
  const folder = scope.use(createTestFolder('gbx-ca-'));
  caFile = join(folder.path, 'ca.pem');
  writeFileSync(caFile, authority.certificate);
  unwrap(
    await host.vault.add({
      name: 'work',
      kind: 'anthropic',
      hosts: [`${NAME}:443`],
      secret: new Secret(REAL_KEY),
    }),
  );
});
afterAll(async () => {
  await test.scope.close();
});

const containersOf = (session: SessionId): string =>
  execFileSync('docker', ['ps', '-aq', '--filter', `label=dev.glovebox.session=${session}`], {
    encoding: 'utf8',
  }).trim();

const network = (): StartRequest['network'] => ({
  default: 'deny',
  presets: [],
  allow: [],
  deny: [],
  resolve: [`${NAME}:443:127.0.0.1:${upstream.port}`],
  upstreamCa: caFile,
});

const runHeadless = async (request: StartRequest, script: string) => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const chunks = { out: '', err: '' };
  stdout.on('data', (bytes: Buffer) => (chunks.out += bytes.toString()));
  stderr.on('data', (bytes: Buffer) => (chunks.err += bytes.toString()));
  const { id } = unwrap(
    await test.host.sessions.start(
      { ...request, command: ['sh', '-c', script] },
      { stdin: undefined, stdout, stderr },
    ),
  );
  const summary = await test.host.sessions.ended(id);
  return { id, summary, ...chunks };
};

const eventsOf = (id: SessionId): readonly TimelineEvent[] =>
  unwrap(unwrap(test.host.sessions.timeline(id)).since(0, 5000));

describe('a session on a real engine', () => {
  it('runs a command, keeps its changes apart, and brings them over when accepted', async () => {
    const project = test.scope.use(createTestProject());
    const before = fingerprint(project.path);
    const { id, summary, out, err } = await runHeadless(
      requestFor(project.path),
      'echo out; echo err >&2; id -u; cat .env; git status --short; echo new > made.txt; echo changed >> README.md; exit 7',
    );
    expect(summary.problem).toBeUndefined();
    expect(summary).toMatchObject({ state: 'review', exitCode: 7 });
    expect(out).toMatch(/^out\n[1-9]\d*\n/);
    expect(out).not.toContain('canary');
    expect(err).toContain('err\n');
    expect(err).not.toContain('dubious ownership');
    expect(containersOf(id)).toBe('');
    expect(fingerprint(project.path)).toBe(before);
    const changes = unwrap(await test.host.sessions.changes(id)).changes;
    expect(changes.map(({ path, change }) => `${change} ${path}`)).toEqual(
      expect.arrayContaining(['added made.txt', 'modified README.md']),
    );
    expect(summary.changed).toBe(changes.length);
    const events = eventsOf(id);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'process', op: 'exit', exitCode: 7 }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: 'touch',
        op: 'create',
        path: join(project.path, 'made.txt'),
      }),
    );
    unwrap(await test.host.sessions.accept(id));
    expect(readFileSync(join(project.path, 'made.txt'), 'utf8')).toBe('new\n');
    expect(test.host.sessions.get(id)?.state).toBe('closed');
    expect(unwrap(unwrap(test.host.sessions.timeline(id)).verify()).intact).toBe(true);
    expect(existsSync(join(test.home, 'run', id))).toBe(false);
  });

  it('reaches what was granted, with the real key outside and the placeholder inside', async () => {
    const project = test.scope.use(createTestProject());
    const { id, summary, out } = await runHeadless(
      requestFor(project.path, { network: network(), grants: [{ credential: 'work' }] }),
      `echo "inside: $ANTHROPIC_API_KEY"; curl -sS -H "x-api-key: $ANTHROPIC_API_KEY" https://${NAME}/v1/x; ` +
        `curl -sS https://elsewhere.example.test/; env; tr '\\0' ' ' < /proc/1/environ`,
    );
    expect(summary.problem).toBeUndefined();
    expect(out).toMatch(/inside: sk-ant-api03-/);
    expect(out).not.toContain(REAL_KEY);
    expect(out).toContain('egress.no-rule');
    const seen = upstream.requests.find(({ url }) => url === '/v1/x');
    expect(seen?.rawHeaders).toContain(REAL_KEY);
    const events = eventsOf(id);
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: 'egress',
        verdict: 'allowed',
        host: NAME,
        path: '/v1/x',
        credential: 'work',
        status: 200,
        rule: 'grant work',
      }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'egress', verdict: 'denied', code: 'egress.no-rule' }),
    );
    expect(JSON.stringify(events)).not.toContain(REAL_KEY);
    const grants = events.filter((event) => event.kind === 'credential');
    expect(grants[0]).toMatchObject({ op: 'granted', credential: 'work', host: `${NAME}:443` });
  });

  it('opens a terminal on a shell, and more beside it; the last one ends the session', async () => {
    const project = test.scope.use(createTestProject());
    const { sessions } = test.host;
    const { id } = unwrap(
      await sessions.start(requestFor(project.path, { size: { columns: 100, rows: 30 } })),
    );
    const { state, terminals, problem } = await waitForState(test.host, id, ['running', 'failed']);
    expect(problem).toBeUndefined();
    expect(state).toBe('running');
    const [first] = terminals;
    const terminal = first === undefined ? undefined : sessions.terminal(id, first.id);
    if (terminal === undefined) throw new Error('there is no terminal');
    let seen = '';
    const attachment = await terminal.attach({
      onBytes: (bytes) => {
        seen += Buffer.from(bytes).toString();
        attachment.ack(bytes.byteLength);
      },
      onExit: () => undefined,
    });
    const second = unwrap(await sessions.openTerminal(id, { columns: 80, rows: 24 }));
    terminal.input(Buffer.from('tty && stty size && pwd && exit 4\n'));
    expect(await terminal.exit).toBe(4);
    expect(seen).toContain('30 100');
    expect(seen).toContain(project.path);
    expect(sessions.get(id)?.state).toBe('running');
    second.input(Buffer.from('exit\n'));
    const last = await sessions.ended(id);
    expect(last).toMatchObject({ exitCode: 4 });
    expect(containersOf(id)).toBe('');
  });

  it('ends when its guard is killed, and keeps the changes', async () => {
    const project = test.scope.use(createTestProject());
    const inside = await openInside(test.host, requestFor(project.path));
    await inside.run('echo kept > kept.txt');
    const guard = execFileSync(
      'docker',
      [
        'ps',
        '-q',
        '--filter',
        `label=dev.glovebox.session=${inside.session}`,
        '--filter',
        'label=dev.glovebox.role=guard',
      ],
      { encoding: 'utf8' },
    ).trim();
    execFileSync('docker', ['kill', guard], { stdio: 'pipe' });
    const last = await test.host.sessions.ended(inside.session);
    expect(last).toMatchObject({ state: 'review', problem: { code: 'guard.failed' }, changed: 1 });
    expect(containersOf(inside.session)).toBe('');
    unwrap(await test.host.sessions.discard(inside.session));
    expect(existsSync(join(project.path, 'kept.txt'))).toBe(false);
  });

  it('comes back from a broker that died: nothing leaves meanwhile, the same trust afterwards', async () => {
    const project = test.scope.use(createTestProject());
    const inside = await openInside(
      test.host,
      requestFor(project.path, { network: { ...network(), allow: [NAME] } }),
    );
    const ask = `curl -sS -o /dev/null -w '%{http_code}' --max-time 20 https://${NAME}/again`;
    expect((await inside.run(ask)).stdout).toBe('200');
    const brokers = execFileSync(
      'pgrep',
      ['-P', String(process.pid), '-f', 'broker/process/main'],
      {
        encoding: 'utf8',
      },
    );
    for (const pid of brokers.trim().split('\n')) process.kill(Number(pid), 'SIGKILL');
    const outcome = await inside.run(
      `for i in 1 2 3 4 5 6 7 8 9 10; do ${ask} && break; sleep 0.5; done`,
    );
    expect(outcome.stdout).toMatch(/200$/);
    await inside.close();
    const ops = eventsOf(inside.session).flatMap((event) =>
      event.kind === 'session' ? [event.op] : [],
    );
    expect(ops).toEqual(expect.arrayContaining(['broker-lost', 'broker-back']));
  });
});
