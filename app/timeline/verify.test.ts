import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { SessionId, TimelineEvent } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { canonicalJson, firstHash, nextHash } from './chain.ts';
import { headPath } from './head.ts';
import type { TimelineFailure } from './port.ts';
import { openTimelineReader } from './reader.ts';
import { check, egress, file, many, open, SESSION, touch } from './timeline.fixture.ts';

/** Changes the store as somebody with the file in their hands would: triggers gone, then SQL. */
const tamper = (sql: string): void => {
  const raw = new DatabaseSync(file.path);
  raw.exec('DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_deleted;');
  raw.exec(sql);
  raw.close();
};
const record = async (count = 12): Promise<void> => {
  const writer = open();
  writer.append(many(count));
  writer.append([egress({ verdict: 'denied' })]);
  unwrap(await writer.flush());
  writer.close();
};

/** Rewrites the whole record, hashes and anchor included, as somebody with time on their hands would. */
const forge = (
  rewrite: (json: string) => string,
  more: readonly string[] = [],
  anchored = true,
): void => {
  const raw = new DatabaseSync(file.path);
  raw.exec('DROP TRIGGER IF EXISTS events_are_not_changed');
  let hash = firstHash(SESSION);
  let seq = 0;
  for (const row of raw.prepare('SELECT seq, json FROM events ORDER BY seq').all()) {
    const json = rewrite(String(row['json']));
    hash = nextHash(hash, json);
    seq = Number(row['seq']);
    raw.prepare('UPDATE events SET json = ?, hash = ? WHERE seq = ?').run(json, hash, seq);
  }
  for (const json of more) {
    seq += 1;
    hash = nextHash(hash, json);
    raw
      .prepare(`INSERT INTO events SELECT ?, ?, ?, class, blocked, ms, host, path, prog, code, method, words
        FROM events WHERE seq = 1`)
      .run(seq, json, hash);
  }
  raw.close();
  if (!anchored) return;
  const head = JSON.parse(readFileSync(headPath(file.path), 'utf8')) as Record<string, unknown>;
  const anchor = { ...head, events: seq, hash: Buffer.from(hash).toString('hex') };
  writeFileSync(headPath(file.path), JSON.stringify(anchor));
};

describe('tampering', () => {
  it('is refused by the store itself', async () => {
    await record();
    const raw = new DatabaseSync(file.path);
    expect(() => raw.exec("UPDATE events SET json = '{}'")).toThrow('append-only');
    expect(() => raw.exec('DELETE FROM events WHERE seq = 13')).toThrow('append-only');
    raw.close();
    expect(check()).toMatchObject({ intact: true, events: 13 });
  });

  it.each([
    ['a changed text', `UPDATE events SET json = replace(json, '/p/5"', '/p/x"') WHERE seq = 5`, 5],
    ['a changed hash', `UPDATE events SET hash = zeroblob(32) WHERE seq = 7`, 7],
    ['a hash of another type', `UPDATE events SET hash = x'00' WHERE seq = 7`, 7],
    ['another spelling', `UPDATE events SET json = replace(json, ',', ', ') WHERE seq = 3`, 3],
    ['no event at all', `UPDATE events SET json = 'null' WHERE seq = 3`, 3],
    ['no JSON at all', `UPDATE events SET json = '' WHERE seq = 3`, 3],
    ['a deletion', `DELETE FROM events WHERE seq = 4`, 4],
    ['a deletion at the start', `DELETE FROM events WHERE seq = 1`, 1],
    [
      'a deletion with new numbers',
      `DELETE FROM events WHERE seq = 4; UPDATE events SET seq = seq - 1 WHERE seq > 4`,
      4,
    ],
    ['a cut end', `DELETE FROM events WHERE seq > 10`, 11],
    ['an emptied store', `DELETE FROM events`, 1],
    [
      'a swap',
      `UPDATE events SET seq = 100 WHERE seq = 2; UPDATE events SET seq = 2 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 100`,
      2,
    ],
    [
      'a swap of content',
      `UPDATE events SET json = (SELECT json FROM events WHERE seq = 3) WHERE seq = 2`,
      2,
    ],
    [
      'an insertion at the end',
      `INSERT INTO events SELECT 14, json, hash, class, blocked, ms, host, path, prog, code, method, words FROM events WHERE seq = 13`,
      14,
    ],
    [
      'an event before the first',
      `INSERT INTO events SELECT 0, json, hash, class, blocked, ms, host, path, prog, code, method, words FROM events WHERE seq = 1`,
      1,
    ],
    ['an event hidden from a view', `UPDATE events SET blocked = 0 WHERE seq = 13`, 13],
    ['an event hidden from a search', `UPDATE events SET words = '' WHERE seq = 6`, 6],
    ['an event moved in time', `UPDATE events SET ms = 0 WHERE seq = 6`, 6],
  ])('finds %s', async (_, sql, brokenAt) => {
    await record();
    tamper(sql);
    expect(check()).toMatchObject({ intact: false, brokenAt });
  });

  it('finds an anchor that is gone, damaged, rewound or of another session', async () => {
    await record();
    const whole = readFileSync(headPath(file.path), 'utf8');
    const head = JSON.parse(whole) as Record<string, unknown>;
    for (const text of [
      '',
      '{}',
      JSON.stringify({ ...head, events: 5 }),
      JSON.stringify({ ...head, hash: '0'.repeat(64) }),
      JSON.stringify({ ...head, session: 'zzzzzzzzzzzz' }),
    ]) {
      writeFileSync(headPath(file.path), text);
      expect(check().intact).toBe(false);
    }
    rmSync(headPath(file.path));
    expect(check().intact).toBe(false);
    writeFileSync(headPath(file.path), whole);
    chmodSync(headPath(file.path), 0o600);
    expect(check().intact).toBe(true);
  });

  it('finds events chained on behind the seal', async () => {
    await record();
    const added = canonicalJson({ ...many(1)[0], seq: 14, session: SESSION } as TimelineEvent);
    forge((json) => json, [added], false);
    expect(check()).toMatchObject({
      intact: false,
      brokenAt: 14,
      message: expect.stringContaining('sealed') as string,
    });
  });

  it('finds what a forged chain still gets wrong: spelling, numbers, session', async () => {
    await record();
    forge((json) => json);
    expect(check().intact).toBe(true);
    forge((json) => json.replace('"seq":5', '"seq":6'));
    expect(check()).toMatchObject({ intact: false, brokenAt: 5 });
    forge((json) => json.replace('"path":"/p/5","seq":6', '"path":"/p/5","seq":5'));
    expect(check().intact).toBe(true);
    forge((json) => json.replace('"path":"/p/5","seq":5', '"seq":5,"path":"/p/5"'));
    expect(check()).toMatchObject({ intact: false, brokenAt: 5 });
    forge((json) => json.replace('"seq":5,"path":"/p/5"', '"path":"/p/5","seq":5'));
    forge((json) => json.replace(SESSION, 'zzzzzzzzzzzz'));
    expect(check()).toMatchObject({ intact: false, brokenAt: 1 });
  });

  it('finds a record put in the place of another session’s', async () => {
    await record();
    const other = { ...file, session: 'zzzzzzzzzzzz' as SessionId };
    const reader = unwrap(openTimelineReader(other));
    expect(unwrap(reader.verify())).toMatchObject({ intact: false, brokenAt: 1 });
    reader.close();
  });

  it('is not healed by going on: a cut record stays broken, and says so in itself', async () => {
    await record();
    tamper('DELETE FROM events WHERE seq > 10');
    const writer = open();
    unwrap(await writer.flush());
    writer.close();
    expect(check()).toMatchObject({ intact: false, brokenAt: 11 });
    const reader = unwrap(openTimelineReader(file));
    expect(unwrap(reader.since(10, 10))).toMatchObject([
      { kind: 'gap', seq: 11, source: 'timeline' },
    ]);
    reader.close();
  });

  it('is noticed while recording', async () => {
    const writer = open();
    const failures: TimelineFailure[] = [];
    writer.onFailure((failure) => failures.push(failure));
    writer.append(many(5));
    unwrap(await writer.flush());
    tamper('DELETE FROM events WHERE seq > 2');
    writer.append([touch('/p/after')]);
    unwrap(await writer.flush());
    expect(failures.map(({ code }) => code)).toEqual(['timeline.broken']);
    expect(check()).toMatchObject({ intact: false, brokenAt: 3 });
  });

  it('shows in a page as a gap in its place', async () => {
    await record();
    tamper(`UPDATE events SET json = '{"kind":"touch"}' WHERE seq = 5`);
    const reader = unwrap(openTimelineReader(file));
    expect(unwrap(reader.since(4, 1))).toMatchObject([{ kind: 'gap', seq: 5, lost: 1 }]);
    reader.close();
  });

  it('leaves an open record that goes on after its last anchor intact', async () => {
    const writer = open();
    writer.append(many(5));
    unwrap(await writer.flush());
    const head = readFileSync(headPath(file.path), 'utf8');
    writer.append(many(2));
    unwrap(await writer.flush());
    // As a crash between the commit and the anchor leaves it.
    writeFileSync(headPath(file.path), head);
    expect(check()).toMatchObject({ intact: true, events: 7 });
  });
});
