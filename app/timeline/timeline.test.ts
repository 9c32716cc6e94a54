import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { TimelineDraft, TimelineEvent, TimelineFilter } from '../contract/index.ts';
import { isoTime, unwrap } from '../kit/index.ts';
import { cpuTimeMs } from '../kit/testing/cpu-time.ts';
import { exportHar, exportJsonl } from './export.ts';
import { headPath } from './head.ts';
import type { TimelineFailure, TimelineWriter } from './port.ts';
import { openTimelineReader } from './reader.ts';
import {
  check,
  clock,
  egress,
  file,
  folder,
  many,
  open,
  scope,
  SESSION,
  START,
  touch,
} from './timeline.fixture.ts';
import {
  BATCH_DELAY_MS,
  MAX_BATCH_EVENTS,
  MAX_QUEUE_EVENTS,
  openTimelineWriter,
  RETRY_DELAY_MS,
} from './writer.ts';

const find = (
  writer: TimelineWriter,
  text: string,
  view: TimelineFilter['view'] = 'all',
): number[] =>
  unwrap(writer.page({ filter: { view, text }, limit: 100 })).events.map(({ seq }) => seq);

const jam = (): DatabaseSync => {
  const raw = new DatabaseSync(file.path);
  raw.exec("CREATE TRIGGER jam BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'jammed'); END;");
  return raw;
};

const fill = async (): Promise<TimelineWriter> => {
  const writer = open();
  const program = {
    pid: 7,
    command: ['node', 'PostInstall.js'],
    ancestors: [['npm', 'install']],
  };
  writer.append([
    egress({
      method: 'POST',
      path: '/v1/messages',
      credential: 'work',
      rule: 'preset claude-code',
    }),
    egress({
      verdict: 'denied',
      code: 'egress.no-rule',
      host: 'evil.test',
      method: 'GET',
      program,
    }),
    {
      kind: 'dns',
      at: isoTime(START),
      verdict: 'denied',
      name: 'evil.test',
      type: 'TXT',
      code: 'dns.refused',
    },
    touch('/home/me/src/App.ts'),
    { ...touch('/home/me/.env', 'denied'), code: 'hide.secret-file' } as TimelineDraft,
    {
      kind: 'credential',
      at: isoTime(START),
      op: 'used',
      credential: 'work',
      host: 'api.example.com',
    },
    {
      kind: 'credential',
      at: isoTime(START),
      op: 'tripped',
      credential: 'work',
      host: 'evil.test',
    },
    { kind: 'process', at: isoTime(START), op: 'start', command: ['bash', '-l'] },
    { kind: 'gap', at: isoTime(START), source: 'guard', lost: 3 },
  ]);
  unwrap(await writer.flush());
  return writer;
};

describe('recording', () => {
  it('numbers, chains and gives back what was appended, newest first', async () => {
    const writer = open();
    writer.append([egress({ path: '/v1/x?q=1' }), touch('/p/a')]);
    unwrap(await writer.flush());
    const page = unwrap(writer.page({ filter: { view: 'all', text: '' }, limit: 10 }));
    expect(page.events).toEqual([
      { ...touch('/p/a'), seq: 2, session: SESSION },
      { ...egress({ path: '/v1/x?q=1' }), seq: 1, session: SESSION },
    ]);
    expect(page.more).toBe(false);
    expect(page.counts).toEqual({ all: 2, egress: 1, files: 1, credentials: 0, blocked: 0 });
    expect(check()).toMatchObject({ intact: true, events: 2 });
  });

  it('waits a moment for company, and tells listeners once it is stored, with the counts', () => {
    const writer = open();
    const heard: { events: readonly TimelineEvent[]; all: number }[] = [];
    writer.onRecorded((events, counts) => heard.push({ events, all: counts.all }));
    writer.append([touch('/p/a')]);
    clock.advance(BATCH_DELAY_MS - 1);
    expect(heard).toEqual([]);
    writer.append([touch('/p/b')]);
    clock.advance(1);
    expect(heard).toHaveLength(1);
    expect(heard[0]?.events.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(heard[0]?.all).toBe(2);
  });

  it('writes no more than one batch at a time', () => {
    const writer = open();
    const sizes: number[] = [];
    writer.onRecorded((events) => sizes.push(events.length));
    writer.append(many(MAX_BATCH_EVENTS * 2 + 1));
    clock.advance(BATCH_DELAY_MS);
    expect(sizes).toEqual([MAX_BATCH_EVENTS, MAX_BATCH_EVENTS, 1]);
  });

  it('keeps the files to their owner and follows no link', () => {
    open();
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    expect(statSync(headPath(file.path)).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'session')).mode & 0o777).toBe(0o700);
    const link = join(folder, 'session', 'link.db');
    symlinkSync(file.path, link);
    expect(openTimelineWriter({ ...file, path: link }, { clock }, scope)).toMatchObject({
      ok: false,
      error: { code: 'timeline.failed' },
    });
  });

  it('stores hostile text as text', async () => {
    const writer = open();
    const path = `/p/"'\\;--\0\u202e\ud800${'é'.repeat(10)}`;
    writer.append([touch(path), egress({ host: "x'); DROP TABLE events; --" })]);
    unwrap(await writer.flush());
    const [, first] = unwrap(writer.page({ filter: { view: 'all', text: '' }, limit: 10 })).events;
    expect(first).toMatchObject({ path: path.toWellFormed() });
    expect(find(writer, "'); drop")).toEqual([2]);
    expect(check().intact).toBe(true);
  });

  it('shows a gap for what does not fit the contract', async () => {
    const writer = open();
    writer.append([
      { ...touch('/p/a'), at: 'yesterday' },
      egress({ port: 99_999_999 }),
      egress({ durationMs: Number.NaN }),
    ]);
    unwrap(await writer.flush());
    const events = unwrap(writer.since(0, 10));
    expect(events.map(({ kind }) => kind)).toEqual(['gap', 'gap', 'gap']);
  });
});

describe('trouble', () => {
  it('says that it fails, keeps what it has, goes on by itself, and counts what did not fit', async () => {
    const writer = open();
    const failures: TimelineFailure[] = [];
    writer.onFailure((failure) => failures.push(failure));
    const raw = jam();
    writer.append(many(MAX_QUEUE_EVENTS + 7));
    clock.advance(BATCH_DELAY_MS);
    expect(failures.map(({ code }) => code)).toEqual(['timeline.failed']);
    expect(await writer.flush()).toMatchObject({ ok: false });
    raw.exec('DROP TRIGGER jam');
    raw.close();
    clock.advance(RETRY_DELAY_MS + BATCH_DELAY_MS);
    unwrap(await writer.flush());
    const gap = unwrap(writer.since(MAX_QUEUE_EVENTS, 10));
    expect(gap).toMatchObject([{ kind: 'gap', source: 'timeline', lost: 7 }]);
    expect(check()).toMatchObject({ intact: true, events: MAX_QUEUE_EVENTS + 1 });
  });

  it('seals nothing that it could not write', () => {
    const writer = open();
    const raw = jam();
    raw.close();
    writer.append(many(3));
    writer.close();
    expect(JSON.parse(readFileSync(headPath(file.path), 'utf8'))).toMatchObject({ sealed: false });
  });

  it('reports what comes after it was closed', () => {
    const writer = open();
    const failures: TimelineFailure[] = [];
    writer.onFailure((failure) => failures.push(failure));
    writer.close();
    writer.append([touch('/p/a')]);
    expect(failures).toMatchObject([{ code: 'timeline.failed' }]);
  });

  it('refuses a file that is no store, and a session that has none', () => {
    expect(openTimelineReader(file)).toMatchObject({
      ok: false,
      error: { code: 'timeline.failed' },
    });
    const path = join(folder, 'not-a-store');
    writeFileSync(path, 'x'.repeat(8192));
    expect(openTimelineWriter({ ...file, path }, { clock }, scope)).toMatchObject({
      ok: false,
      error: { code: 'timeline.failed' },
    });
  });

  it('leaves a whole record behind when the app dies without closing', async () => {
    const writer = open();
    writer.append(many(10));
    unwrap(await writer.flush());
    writer.append(many(5));
    // Seen from outside, as after a crash: the five that waited are gone, the ten are whole.
    expect(check()).toMatchObject({ intact: true, events: 10 });
    const again = unwrap(openTimelineWriter(file, { clock }, scope));
    again.append([touch('/p/later')]);
    unwrap(await again.flush());
    expect(check()).toMatchObject({ intact: true, events: 11 });
  });

  it('survives being killed in the middle of writing, and is read from outside meanwhile', async () => {
    const script = `
      const { openTimelineWriter } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
      const { createScope, systemClock } = await import(${JSON.stringify(new URL('../kit/index.ts', import.meta.url).href)});
      const file = { path: ${JSON.stringify(file.path)}, session: ${JSON.stringify(SESSION)} };
      const { value: writer } = openTimelineWriter(file, { clock: systemClock }, createScope('child'));
      writer.onRecorded((_, counts) => process.send(counts.all));
      for (let n = 0; ; n += 1) {
        writer.append([{ kind: 'touch', at: new Date().toISOString(), op: 'read', path: '/p/' + n, verdict: 'allowed' }]);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const exit = once(child, 'exit');
    await once(child, 'message');
    const reader = unwrap(openTimelineReader(file));
    const first = unwrap(reader.page({ filter: { view: 'all', text: '' }, limit: 1 })).counts.all;
    // What was told before that page was read may wait here still.
    for (let told = 0; told <= first;) [told] = (await once(child, 'message')) as [number];
    const later = unwrap(reader.page({ filter: { view: 'all', text: '' }, limit: 1 })).counts.all;
    expect(later).toBeGreaterThan(first);
    expect(unwrap(reader.verify()).intact).toBe(true);
    reader.close();
    child.kill('SIGKILL');
    await exit;
    const after = check();
    expect(after.intact).toBe(true);
    expect(after.events).toBeGreaterThanOrEqual(later);
  });

  it('stays one chain with two writers', async () => {
    const one = open();
    const two = open();
    for (let round = 0; round < 5; round += 1) {
      one.append([touch(`/p/one/${round}`)]);
      two.append([touch(`/p/two/${round}`)]);
      unwrap(await two.flush());
      unwrap(await one.flush());
    }
    expect(check()).toMatchObject({ intact: true, events: 10 });
    expect(unwrap(one.page({ filter: { view: 'all', text: '' }, limit: 1 })).counts.files).toBe(10);
  });
});

describe('finding', () => {
  it.each([
    ['all', '', [9, 8, 7, 6, 5, 4, 3, 2, 1]],
    ['egress', '', [3, 2, 1]],
    ['files', '', [5, 4]],
    ['credentials', '', [7, 6]],
    ['blocked', '', [7, 5, 3, 2]],
    ['all', 'EVIL.test', [7, 3, 2]],
    ['blocked', 'evil npm', [2]],
    ['all', 'prog:postinstall', [2]],
    ['all', 'prog:bash', [8]],
    ['all', 'host:example', [6, 1]],
    ['all', 'path:example', []],
    ['all', 'path:APP.TS', [4]],
    ['all', 'code:hide', [5]],
    ['all', 'method:post', [1]],
    ['all', 'host:evil code:no-rule', [2]],
    ['all', 'work claude', [1]],
    ['all', 'code:', [9, 8, 7, 6, 5, 4, 3, 2, 1]],
    ['all', '%', []],
    ['all', "' OR 1=1", []],
    ['all', 'nothing like it', []],
  ] as const)('%s “%s” finds %j', async (view, text, seqs) => {
    expect(find(await fill(), text, view)).toEqual(seqs);
  });

  it('counts by view', async () => {
    const writer = await fill();
    const counts = { all: 9, egress: 3, files: 2, credentials: 2, blocked: 4 };
    expect(unwrap(writer.page({ filter: { view: 'files', text: '' }, limit: 1 })).counts).toEqual(
      counts,
    );
    const reader = unwrap(openTimelineReader(file));
    expect(unwrap(reader.page({ filter: { view: 'all', text: '' }, limit: 1 })).counts).toEqual(
      counts,
    );
    writer.append([touch('/p/more')]);
    unwrap(await writer.flush());
    expect(unwrap(reader.page({ filter: { view: 'all', text: '' }, limit: 1 })).counts.all).toBe(
      10,
    );
    reader.close();
  });

  it('pages without overlap to the end', async () => {
    const writer = open();
    writer.append(many(25));
    unwrap(await writer.flush());
    const seen: number[] = [];
    let before: number | undefined;
    for (let more = true; more;) {
      const page = unwrap(
        writer.page({
          filter: { view: 'files', text: '' },
          limit: 10,
          ...(before === undefined ? {} : { before }),
        }),
      );
      seen.push(...page.events.map(({ seq }) => seq));
      before = seen.at(-1);
      more = page.more;
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => 25 - index));
  });

  it('draws the overview in equal spans that hold every event once', async () => {
    const writer = open();
    for (let minute = 0; minute < 10; minute += 1) {
      writer.append([
        touch(`/p/${minute}`),
        egress({ verdict: minute === 9 ? 'denied' : 'allowed' }),
      ]);
      clock.advance(60_000);
    }
    unwrap(await writer.flush());
    const buckets = unwrap(writer.overview(5));
    expect(buckets.map(({ touches }) => touches)).toEqual([2, 2, 2, 2, 2]);
    expect(buckets.map(({ blocked }) => blocked)).toEqual([0, 0, 0, 0, 1]);
    expect(buckets[0]?.from).toBe(START);
    expect(unwrap(writer.overview(1))[0]?.egress).toBe(10);
  });

  it('has no overview of nothing, and one of a single moment', async () => {
    const writer = open();
    expect(unwrap(writer.overview(10))).toEqual([]);
    writer.append([touch('/p/a')]);
    unwrap(await writer.flush());
    expect(unwrap(writer.overview(3)).map(({ touches }) => touches)).toEqual([1, 0, 0]);
  });

  it('exports lines and HAR', async () => {
    const writer = await fill();
    const lines = [...exportJsonl(writer)];
    expect(lines.map((line) => (JSON.parse(line) as TimelineEvent).seq)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
    const har = JSON.parse([...exportHar(writer, '0.1.0')].join('')) as {
      log: { entries: { request: { url: string } }[] };
    };
    expect(har.log.entries.map(({ request }) => request.url)).toEqual([
      'https://api.example.com/v1/messages',
      'https://evil.test/',
    ]);
  });

  it('stays quick with many events', async () => {
    const writer = open();
    for (let round = 0; round < 5; round += 1) {
      writer.append(many(MAX_QUEUE_EVENTS / 2));
      unwrap(await writer.flush());
    }
    const spent = cpuTimeMs(() => {
      const page = unwrap(
        writer.page({ filter: { view: 'all', text: 'path:/p/1 nowhere' }, limit: 500 }),
      );
      unwrap(writer.overview(1000));
      expect(page.counts.all).toBe(50_000);
    });
    // Far above what it takes (tens of milliseconds), far below what a full parse of the store would.
    expect(spent).toBeLessThan(1500);
    expect(check()).toMatchObject({ intact: true, events: 50_000 });
  });
});
