import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { decodeWhole, parseCodings } from '../../app/broker/process/content-decoding.ts';
import { createScrubber } from '../../app/broker/process/scrub.ts';
import { swapField } from '../../app/broker/process/sites/field.ts';
import { swapHeader } from '../../app/broker/process/sites/header-field.ts';
import { findJsonString } from '../../app/broker/process/sites/json-string.ts';
import { swapSegment } from '../../app/broker/process/sites/segment.ts';
import { readOrder } from '../../app/broker/orders.ts';
import { FromProcess } from '../../app/broker/protocol.ts';
import { ClientMessage } from '../../app/contract/index.ts';
import { readWith } from '../../app/kit/index.ts';
import { createFrameReader, MAX_FRAME_BYTES, type Frame } from '../../app/guard/frames.ts';
import { messageOf } from '../../app/guard/messages.ts';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { textOf, u32 } from './streams.ts';

const MAX_DECODED = 1024 * 1024;
const TEXT = Buffer.from('what came out of it '.repeat(20));

const CODERS = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: (bytes: Buffer) =>
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
} as const;
const NAMES = ['gzip', 'deflate', 'br', 'zstd'] as const;

/** The name of a coding, a newline, and a body that is in it, or should be. */
const coded = (random: Random): Buffer => {
  const name = random.pick(NAMES);
  const body = random.oneIn(3) ? random.bytes(random.below(300)) : TEXT;
  const twice = random.oneIn(5) ? random.pick(NAMES) : undefined;
  let out: Buffer = CODERS[name](body);
  if (twice !== undefined) out = CODERS[twice](out);
  if (random.oneIn(6) && name === 'deflate' && twice === undefined) out = deflateRawSync(body);
  const more = random.oneIn(6)
    ? random.pick([out, Buffer.from('trailing'), Buffer.alloc(9)])
    : Buffer.alloc(0);
  return Buffer.concat([
    Buffer.from(`${name}${twice === undefined ? '' : `, ${twice}`}\n`),
    out,
    more,
  ]);
};

const gunzip = (bytes: Buffer): Buffer | undefined => {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_DECODED });
  } catch {
    // What Node's own way refuses, ours has to refuse.
    return undefined;
  }
};

const decoding = parserTarget({
  name: 'content-decoding',
  caseMs: 3000,
  seeds: [
    Buffer.concat([Buffer.from('gzip\n'), gzipSync(TEXT)]),
    Buffer.concat([Buffer.from('gzip\n'), gzipSync(Buffer.alloc(2_000_000))]),
    Buffer.concat([Buffer.from('zstd\n'), zstdCompressSync(TEXT), zstdCompressSync(TEXT)]),
    'gzip,gzip,gzip,gzip\nx',
    'identity\nabc',
    '\nabc',
  ],
  generate: coded,
  check: async (bytes) => {
    const mark = Math.max(0, bytes.indexOf(10));
    const name = textOf(bytes.subarray(0, mark));
    const codings = parseCodings(name);
    if (codings === undefined) return;
    must(codings.length <= 3, 'more codings than are taken off');
    const body = bytes.subarray(mark + 1);
    const decoded = await decodeWhole(body, codings, MAX_DECODED);
    // Rejections that nobody handles show a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    if (decoded.ok) must(decoded.value.length <= MAX_DECODED, 'more than may come out');
    if (name === 'gzip' && body.length > 0) {
      const known = gunzip(body);
      if (known === undefined) must(!decoded.ok, 'a broken body is read');
      else if (decoded.ok) mustEqual(decoded.value, known, 'another body comes out');
    }
    if (codings.length === 0)
      mustEqual(decoded, { ok: true, value: body }, 'a plain body is changed');
  },
});

const SECRET = 'sk-real-0123456789/AB+';
const PLACEHOLDER = 'sk-fake-zyxwvutsrqponm';
const SWAP = { placeholder: PLACEHOLDER, secret: SECRET };
const scrubber = createScrubber([{ secret: SECRET, placeholder: PLACEHOLDER }]);

const SPELLINGS: readonly [(text: string) => string, ...((text: string) => string)[]] = [
  (text) => text,
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(text).toString('hex'),
  encodeURIComponent,
  (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll('/', String.raw`\u002f`),
  (text) => Array.from(text, (char) => `&#${String(char.charCodeAt(0))};`).join(''),
  (text) => Buffer.from(text).toString('base64').replaceAll(/.{8}/g, '$&\r\n'),
];

const scrub = parserTarget({
  name: 'scrub',
  caseMs: 2000,
  maxBytes: 4000,
  seeds: [
    SECRET,
    encodeURIComponent(SECRET),
    Buffer.from(SECRET).toString('base64'),
    SECRET.slice(0, 12),
    '%'.repeat(500),
    '\\u00'.repeat(200),
    '&#'.repeat(300),
  ],
  generate: (random) =>
    Buffer.from(
      Array.from({ length: 1 + random.below(5) }, () =>
        random.oneIn(3)
          ? random.pick(['{"a":"', '%', '\\', '&#x', '\r\n', 'sk-', 'text '])
          : random.pick(SPELLINGS)(
              random.oneIn(4) ? SECRET.slice(0, random.below(SECRET.length)) : SECRET,
            ),
      ).join(random.pick(['', ' ', '"', '=', '\0'])),
      'latin1',
    ),
  check: (bytes, random) => {
    const whole = scrubber.text(textOf(bytes));
    const search = scrubber.stream();
    const out: Buffer[] = [];
    let given = 0;
    let passed = 0;
    let hits = 0;
    for (const chunk of cut(bytes, random)) {
      const step = search.push(chunk);
      given += chunk.length;
      out.push(...step.out.map((part) => Buffer.from(part)));
      hits += step.hits.length;
      passed = out.reduce((sum, part) => sum + part.length, 0);
      if (hits === 0) must(given - passed <= 8192, 'more is held back than any spelling is long');
    }
    const last = search.end();
    hits += last.hits.length;
    const joined = Buffer.concat([...out, ...last.out]);
    mustEqual(hits, whole.hits, 'finds depend on how the stream is cut');
    if (hits === 0) mustEqual(joined, bytes, 'bytes are changed without a find');
    mustEqual(joined.length, whole.text.length, 'lengths depend on how the stream is cut');
    for (const text of [whole.text, textOf(joined)]) {
      for (const spell of [SPELLINGS[0], encodeURIComponent])
        must(!text.includes(spell(SECRET)), 'the secret comes through');
    }
  },
});

const jsonText = (random: Random): string => {
  const value = (depth: number): string =>
    depth > 3 || random.oneIn(3)
      ? random.pick([
          '"x"',
          `"${PLACEHOLDER}"`,
          '1',
          'null',
          'true',
          '"\\""',
          '"\\\\"',
          '"\\u0061"',
          '{}',
          '[]',
        ])
      : random.oneIn(2)
        ? `[${Array.from({ length: random.below(3) }, () => value(depth + 1)).join(random.pick([',', ' , ']))}]`
        : `{${Array.from({ length: random.below(4) }, () => `${random.pick(['"a"', '"b"', '"A"', '"\\u0061"', '"a/b"', '"__proto__"', '""'])}:${value(depth + 1)}`).join(',')}}`;
  return value(0);
};

/** What a pointer names in a value, by the words of RFC 6901. */
const pointedAt = (value: unknown, pointer: string): unknown => {
  let at = value;
  for (const raw of pointer.split('/').slice(1)) {
    const part = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at))
      at = /^(?:0|[1-9][0-9]*)$/.test(part) ? (at as unknown[])[Number(part)] : undefined;
    else if (typeof at === 'object' && at !== null && Object.hasOwn(at, part))
      at = (at as Record<string, unknown>)[part];
    else return undefined;
  }
  return at;
};

const json = parserTarget({
  name: 'site-json',
  seeds: [
    '/a\n{"a":"x"}',
    '/a\n{"a":"x","A":"y"}',
    '/0/a\n[{"a":"x"}]',
    '/\n{"":"x"}',
    `/a\n${'['.repeat(500)}`,
    '/a~1b\n{"a/b":"x"}',
    '\n"x"',
  ],
  generate: (random) =>
    Buffer.from(
      `${random.pick(['/a', '/a/b', '/0', '/1/a', '/a/0', '', '/', '/__proto__', '/a~1b', '/01'])}\n${jsonText(random)}`,
    ),
  check: (bytes) => {
    const [pointer = '', ...rest] = bytes.toString('utf8').split('\n');
    const text = rest.join('\n');
    const found = findJsonString(text, pointer);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      must(!found.ok, 'what is no JSON is read');
      return;
    }
    if (!found.ok) return;
    if (pointer !== '' && !pointer.startsWith('/')) return;
    const expected = pointedAt(value, pointer);
    mustEqual(
      found.value?.value,
      typeof expected === 'string' ? expected : undefined,
      'another value than a reader finds',
    );
    if (found.value === undefined) return;
    const { from, to } = found.value;
    const swapped = `${text.slice(0, from)}${JSON.stringify(SECRET)}${text.slice(to)}`;
    mustEqual(pointedAt(JSON.parse(swapped), pointer), SECRET, 'the value goes elsewhere');
  },
});

const fields = parserTarget({
  name: 'site-fields',
  seeds: [
    `key=${PLACEHOLDER}`,
    `a=b&key=${PLACEHOLDER}&KEY=x`,
    `k%65y=${PLACEHOLDER}`,
    `key=${PLACEHOLDER}&key=${PLACEHOLDER}`,
    `/bot${PLACEHOLDER}/send`,
    `Bearer ${PLACEHOLDER}`,
    `Basic ${Buffer.from(`u:${PLACEHOLDER}`).toString('base64')}`,
  ],
  maxBytes: 2000,
  generate: (random) =>
    Buffer.from(
      Array.from(
        { length: 1 + random.below(4) },
        () =>
          `${random.pick(['key', 'KEY', 'k%65y', 'a', '', 'key+'])}${random.pick(['=', '=', '', '=='])}${random.pick([PLACEHOLDER, encodeURIComponent(PLACEHOLDER), 'x', '%', `${PLACEHOLDER}+`])}`,
      ).join(random.pick(['&', '&&', ';', '/', '?'])),
    ),
  check: (bytes) => {
    const text = textOf(bytes);
    const field = swapField(text, 'key', SWAP);
    if (field !== undefined) {
      // As every form parser reads it: one field has changed, to the secret and nothing else.
      const before = [...new URLSearchParams(text.replace(/^\?/, '%3F'))];
      const after = [...new URLSearchParams(field.text.replace(/^\?/, '%3F'))];
      const changed = after.filter(([, value], at) => before[at]?.[1] !== value);
      mustEqual(after.length, before.length, 'another number of fields');
      mustEqual(changed, [['key', SECRET]], 'another field than the one that was meant');
      must(!field.rest.includes(SECRET), 'the rest holds the secret');
    }
    const segment = swapSegment(text, 'bot', SWAP);
    if (segment !== undefined) {
      const before = text.split('/');
      const after = segment.text.split('/');
      mustEqual(after.length, before.length, 'another number of segments');
      mustEqual(
        after.filter((part, at) => part !== before[at]).map(decodeURIComponent),
        [`bot${SECRET}`],
        'another segment',
      );
    }
    for (const site of [{ type: 'authorization' }, { type: 'basic' }] as const) {
      const header = swapHeader(site, 'authorization', text, SWAP);
      if (header === undefined) continue;
      must(!/[\r\n]/.test(header.text) || /[\r\n]/.test(text), 'a header with a line of its own');
      must(!header.text.includes(PLACEHOLDER), 'the placeholder stays');
    }
  },
});

const messageText = (random: Random): string => {
  const leaf = (): unknown =>
    random.pick<unknown>([
      'x',
      1,
      null,
      true,
      -1,
      1e308,
      'ready',
      'events',
      '2026-01-01T00:00:00.000000Z',
      {},
      [],
    ]);
  const whole: Record<string, unknown> = {
    type: random.pick([
      'ready',
      'failed',
      'events',
      'open',
      'identify',
      'rotated',
      'closed',
      'start',
      'program',
      'watch',
      'call',
      'subscribe',
      '__proto__',
    ]),
  };
  for (const key of [
    'id',
    'drafts',
    'draft',
    'flow',
    'code',
    'message',
    'credential',
    'refreshToken',
    'spec',
    'set',
    'method',
    'input',
    'stream',
    'constructor',
  ]) {
    if (random.oneIn(3))
      whole[key] = random.oneIn(3) ? [leaf(), { kind: 'egress', verdict: leaf() }] : leaf();
  }
  return JSON.stringify(whole);
};

const messages = parserTarget({
  name: 'process-messages',
  seeds: [
    '{"type":"ready"}',
    '{"type":"closed"}',
    '{"type":"events","drafts":[]}',
    '{"type":"rotated","credential":"a","refreshToken":"x"}',
    '{"type":"unsubscribe","id":1}',
    '{"__proto__":{"type":"ready"}}',
    '{"type":"ready","type":"closed"}',
  ],
  generate: (random) => Buffer.from(messageText(random)),
  check: (bytes) => {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch {
      // What is no JSON comes as text, as a process that is out of its mind may send it.
      value = textOf(bytes);
    }
    for (const schema of [FromProcess, ClientMessage]) {
      const read = schema.safeParse(value);
      if (read.success)
        mustEqual(
          schema.safeParse(read.data).data,
          read.data,
          'a message that reads otherwise again',
        );
    }
    readWith(readOrder, value);
    must(
      Reflect.get({}, 'polluted') === undefined && Object.keys(Object.prototype).length === 0,
      'every object has changed',
    );
  },
});

const guardFrame = (kind: string, parts: readonly string[]): Buffer => {
  const body = Buffer.from(`${kind}${parts.map((part) => `${part}\0`).join('')}`, 'latin1');
  return Buffer.concat([u32(body.length), body]);
};

const guard = parserTarget({
  name: 'guard',
  maxBytes: 40_000,
  seeds: [
    guardFrame('R', ['1', '1']),
    guardFrame('P', ['1', '10', '0', 'sh', '-c']),
    guardFrame('T', ['o', '1', '10', '1', '1000000', '/a', '']),
    guardFrame('G', ['3', 'lost']),
    guardFrame('A', ['1', '2']),
    guardFrame('E', ['no']),
    u32(0),
    u32(MAX_FRAME_BYTES + 1),
  ],
  generate: (random) =>
    Buffer.concat(
      Array.from({ length: 1 + random.below(5) }, () =>
        guardFrame(
          random.pick(['R', 'P', 'T', 'G', 'A', 'E', 'X', '']),
          Array.from({ length: random.oneIn(20) ? 100 : random.below(8) }, () =>
            random.pick([
              '1',
              '0',
              '-1',
              'o',
              '/a',
              '',
              '99999999999999999999',
              '1024',
              '1025',
              '\x1b[2J',
              '\xff',
              '1e3',
            ]),
          ),
        ),
      ),
    ),
  check: (bytes, random) => {
    const read = (chunks: readonly Buffer[]): { frames: Frame[]; broken: string[] } => {
      const frames: Frame[] = [];
      const broken: string[] = [];
      const reader = createFrameReader(
        ({ kind, fields: parts }) => {
          frames.push({ kind, fields: parts.map((part) => Buffer.from(part)) });
          return messageOf({ kind, fields: parts }) !== undefined;
        },
        (why) => broken.push(why),
      );
      for (const chunk of chunks) reader.push(chunk);
      return { frames, broken };
    };
    const whole = read([bytes]);
    mustEqual(
      read(bytes.length > 8000 ? [bytes.subarray(0, 5), bytes.subarray(5)] : cut(bytes, random)),
      whole,
      'frames depend on how the stream is cut',
    );
    must(whole.broken.length <= 1, 'a stream that breaks twice');
    for (const frame of whole.frames) {
      const message = messageOf(frame);
      if (message === undefined) continue;
      for (const value of Object.values(message))
        must(typeof value !== 'number' || value >= 0, 'a number below nothing');
    }
  },
});

export const CONTENT_TARGETS: readonly Target[] = [decoding, scrub, json, fields, messages, guard];
