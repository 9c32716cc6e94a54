import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestHost, type TestHost } from '../../e2e/fixtures/host.ts';
import { requestFor } from '../../e2e/fixtures/inside.ts';
import { createTestProject, type TestProject } from '../../e2e/fixtures/project.ts';
import type { HostStatus, SessionId, SessionSummary, TimelineEvent } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { connectClient, type WireClient } from './testing/wire-client.ts';

let test: TestHost;
let client: WireClient;
let project: TestProject;

beforeAll(async () => {
  test = await startTestHost();
  client = connectClient(test.host, test.scope);
  project = test.scope.use(createTestProject());
});
afterAll(async () => {
  await test.scope.close();
});

describe('the host, through the wire', () => {
  it('answers every question about itself within its contract', async () => {
    const statuses: HostStatus[] = [];
    client.subscribe('host', {}, (status) => statuses.push(status));
    await vi.waitFor(() => expect(statuses.at(-1)?.engine.state).toBe('ready'), 20_000);
    const status = unwrap(await client.call('host.status', {}));
    expect(status).toMatchObject({
      shell: 'tests',
      homeFolder: test.home,
      vault: { store: 'sealed' },
    });
    expect(unwrap(await client.call('host.guarantees', {})).map(({ id }) => id)).toEqual(
      Array.from({ length: 10 }, (_, at) => `P${at + 1}`),
    );
    const assistants = unwrap(await client.call('assistant.list', {}));
    expect(assistants.map(({ name }) => name)).toContain('claude-code');
    const listing = unwrap(await client.call('folder.list', { path: join(project.path, '..') }));
    expect(listing.folders).toContainEqual(
      expect.objectContaining({ path: project.path, git: true }),
    );
    expect(await client.call('folder.list', { path: '/nowhere' })).toMatchObject({
      ok: false,
      error: { code: 'project.not-a-folder' },
    });
  });

  it('shows what a session would see and hide', async () => {
    const inspection = unwrap(await client.call('project.inspect', { path: project.path }));
    expect(inspection.hidden.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['.env', 'deploy/prod/eu/.env.production', '.npmrc']),
    );
    expect(JSON.stringify(inspection)).not.toMatch(/canary/);
  });

  it('stores credentials and never tells them', async () => {
    const secret = 'ghp_aVeryRealLookingTokenThatIsNone0000';
    unwrap(await client.call('credential.add', { name: 'hub', kind: 'github', secret }));
    const list = await client.call('credential.list', {});
    expect(unwrap(list)).toMatchObject([{ name: 'hub', kind: 'github' }]);
    expect(JSON.stringify(list)).not.toContain(secret);
    expect(
      await client.call('credential.add', { name: 'hub', kind: 'github', secret }),
    ).toMatchObject({
      ok: false,
      error: { code: 'credential.exists' },
    });
    unwrap(await client.call('credential.rotate', { name: 'hub', secret: `${secret}2` }));
    await vi.waitFor(async () => {
      expect(unwrap(await client.call('host.status', {})).vault.credentials).toBe(1);
    }, 20_000);
    expect(unwrap(await client.call('credential.remove', { name: 'hub' }))).toEqual({});
  });

  it('runs a session from start to accept, live', async () => {
    const seen = new Map<SessionId, SessionSummary>();
    const all = client.subscribe('sessions', {}, (item) => {
      if (item.type === 'changed') seen.set(item.session.id, item.session);
      if (item.type === 'gone') seen.delete(item.id);
    });
    const { id } = unwrap(
      await client.call('session.start', {
        ...requestFor(project.path),
        size: { columns: 90, rows: 20 },
      }),
    );
    await vi.waitFor(() => expect(seen.get(id)?.state).toBe('running'), 60_000);
    const terminal = seen.get(id)?.terminals[0]?.id;
    if (terminal === undefined) throw new Error('there is no terminal');

    let screen = '';
    let exitCode: number | undefined;
    const watching = client.subscribe('terminal', { session: id, terminal }, (item) => {
      if (item.type === 'exit') exitCode = item.exitCode;
      else {
        const bytes = Buffer.from(item.base64, 'base64');
        screen += bytes.toString();
        if (item.type === 'bytes') {
          void client.call('terminal.ack', { session: id, terminal, bytes: bytes.length });
        }
      }
    });
    const live: TimelineEvent[] = [];
    client.subscribe('timeline', { session: id }, ({ events }) => live.push(...events));
    const type = (text: string) =>
      client.call('terminal.input', {
        session: id,
        terminal,
        base64: Buffer.from(text).toString('base64'),
      });
    unwrap(
      await client.call('terminal.resize', {
        session: id,
        terminal,
        size: { columns: 70, rows: 21 },
      }),
    );
    unwrap(
      await type('sleep 0.3; stty size; echo made > made.txt; curl -s https://not.allowed.test/\n'),
    );
    await vi.waitFor(() => expect(screen).toContain('21 70'), 20_000);
    await vi.waitFor(() => {
      expect(live).toContainEqual(
        expect.objectContaining({
          kind: 'touch',
          op: 'create',
          path: join(project.path, 'made.txt'),
        }),
      );
      expect(live).toContainEqual(expect.objectContaining({ kind: 'egress', verdict: 'denied' }));
    }, 20_000);
    expect(live.map(({ seq }) => seq)).toEqual(
      live.map(({ seq }) => seq).toSorted((a, b) => a - b),
    );
    await vi.waitFor(() => expect(seen.get(id)?.changed).toBeGreaterThan(0), 20_000);

    const shell = unwrap(
      await client.call('terminal.open', { session: id, size: { columns: 80, rows: 24 } }),
    );
    await vi.waitFor(() => expect(seen.get(id)?.terminals).toHaveLength(2), 20_000);
    expect(shell.terminal).not.toBe(terminal);
    unwrap(await type('exit 5\n'));
    expect(await watching.ended).toBeUndefined();
    expect(exitCode).toBe(5);

    expect(await client.call('session.accept', { session: id })).toMatchObject({
      ok: false,
      error: { code: 'session.running' },
    });
    expect(unwrap(await client.call('session.stop', { session: id }))).toMatchObject({
      state: 'review',
      exitCode: 5,
    });
    const changes = unwrap(await client.call('session.changes', { session: id })).changes;
    expect(changes.map(({ path }) => path)).toContain('made.txt');
    const blocked = unwrap(
      await client.call('timeline.page', {
        session: id,
        filter: { view: 'blocked', text: 'not.allowed' },
        limit: 50,
      }),
    );
    expect(blocked.events[0]).toMatchObject({ code: 'egress.no-rule' });
    expect(
      unwrap(await client.call('timeline.overview', { session: id, columns: 40 })).length,
    ).toBeGreaterThan(0);
    expect(existsSync(join(project.path, 'made.txt'))).toBe(false);
    unwrap(await client.call('session.accept', { session: id }));
    expect(existsSync(join(project.path, 'made.txt'))).toBe(true);
    expect(unwrap(await client.call('timeline.verify', { session: id })).intact).toBe(true);
    expect(unwrap(await client.call('project.recent', {}))).toEqual([project.path]);
    unwrap(await client.call('session.forget', { session: id }));
    await vi.waitFor(() => expect(seen.has(id)).toBe(false), 20_000);
    expect(await client.call('timeline.verify', { session: id })).toMatchObject({
      ok: false,
      error: { code: 'session.not-found' },
    });
    all.stop();
    expect(await all.ended).toBeUndefined();
  });

  it('says what is wrong with a start in words, and leaves the record of it', async () => {
    const file = join(project.path, 'a-file');
    writeFileSync(file, '');
    const { id } = unwrap(await client.call('session.start', requestFor(file)));
    const over = await test.host.sessions.ended(id);
    expect(over).toMatchObject({ state: 'failed', problem: { code: 'project.not-a-folder' } });
    const page = unwrap(
      await client.call('timeline.page', {
        session: id,
        filter: { view: 'all', text: '' },
        limit: 10,
      }),
    );
    expect(page.events.map((event) => event.kind === 'session' && event.op)).toEqual([
      'failed',
      'started',
    ]);
  });
});
