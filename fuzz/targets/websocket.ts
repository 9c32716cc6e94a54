import { isUtf8 } from 'node:buffer';
import type { Writable } from 'node:stream';
import * as ws from 'ws';
import { createScrubber } from '../../app/broker/process/scrub.ts';
import { prepareNeedles } from '../../app/broker/process/needles.ts';
import { createSearch } from '../../app/broker/process/search.ts';
import { needlesOf } from '../../app/broker/process/secret-forms.ts';
import {
  applyMask,
  createFrameParser,
  MAX_CONTROL_BYTES,
  readClose,
  writeFrame,
  type FrameEvent,
  type Opcode,
} from '../../app/broker/process/websocket/frame.ts';
import {
  acceptOf,
  readHandshake,
  readHandshakeAnswer,
} from '../../app/broker/process/websocket/handshake.ts';
import {
  createScrubbedFrames,
  type FrameFlow,
} from '../../app/broker/process/websocket/incoming.ts';
import {
  createCheckedFrames,
  createSearchedFrames,
} from '../../app/broker/process/websocket/outgoing.ts';
import { createTextCheck, cutText } from '../../app/broker/process/websocket/utf8.ts';
import { parseHost } from '../../app/policy/index.ts';
import { unwrap } from '../../app/kit/index.ts';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { textOf } from './streams.ts';

/** Exported by `ws`, left out of its types. */
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Writable };

type From = 'client' | 'server';
type Message = { readonly opcode: number; readonly payload: Buffer };
type Reading = {
  readonly messages: readonly Message[];
  readonly bad: number | undefined;
};

const SECRET = 'sk-real-0123456789/AB+';
const PLACEHOLDER = 'sk-fake-zyxwvutsrqponm';
const scrubber = createScrubber([{ secret: SECRET, placeholder: PLACEHOLDER }]);
const TRIPS = prepareNeedles(needlesOf({ secret: PLACEHOLDER, placeholder: '' }, 0));

/** Frames put together to messages and control frames, as an endpoint would. */
const readAll = (from: From, chunks: readonly Buffer[]): Reading => {
  const parser = createFrameParser({ from, reserved: 0 });
  const messages: Message[] = [];
  let open: { opcode: number; parts: Buffer[] } | undefined;
  const take = (event: FrameEvent): number | undefined => {
    if (event.type === 'bad') return event.failure.code;
    const { head } = event;
    if (event.type === 'control') messages.push({ opcode: head.opcode, payload: event.payload });
    if (event.type === 'begin') open ??= { opcode: head.message, parts: [] };
    if (event.type !== 'piece' || open === undefined) return undefined;
    open.parts.push(applyMask(event.wire, head.mask, event.at));
    if (!event.last || !head.fin) return undefined;
    messages.push({ opcode: open.opcode, payload: Buffer.concat(open.parts) });
    open = undefined;
    return undefined;
  };
  for (const chunk of chunks) {
    for (const event of parser.push(chunk)) {
      const bad = take(event);
      if (bad !== undefined) return { messages, bad };
    }
  }
  return { messages, bad: undefined };
};

/** The same bytes through the receiver of `ws`, which many servers use. */
const readWithWs = async (from: From, bytes: Buffer): Promise<Reading> => {
  const receiver = new Receiver({
    isServer: from === 'client',
    binaryType: 'nodebuffer',
    maxPayload: 2 ** 31 - 1,
  });
  const messages: Message[] = [];
  const note = (opcode: number, payload: Buffer): void => {
    messages.push({ opcode, payload: Buffer.from(payload) });
  };
  let bad: number | undefined;
  receiver.on('message', (data: Buffer, binary: boolean) => note(binary ? 2 : 1, data));
  receiver.on('ping', (data: Buffer) => note(9, data));
  receiver.on('pong', (data: Buffer) => note(10, data));
  receiver.on('conclude', (code: number, reason: Buffer) =>
    note(
      8,
      code === 1005
        ? Buffer.alloc(0)
        : Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]),
    ),
  );
  receiver.on('error', () => {
    bad = 1;
  });
  receiver.write(bytes);
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return { messages, bad };
};

const PAYLOADS = [
  '',
  'Hello',
  SECRET,
  PLACEHOLDER,
  '\u00fc\u20ac',
  'x'.repeat(126),
  SECRET.slice(0, 12),
  SECRET.slice(12),
] as const;

const frames = (random: Random, from: From): Buffer => {
  const parts: Buffer[] = [];
  let inside = false;
  for (let left = 1 + random.below(6); left > 0; left -= 1) {
    const control = random.oneIn(4);
    const fin = control || !random.oneIn(3);
    const opcode = control
      ? random.pick<Opcode>([8, 9, 10])
      : inside && !random.oneIn(12)
        ? 0
        : random.pick<Opcode>([1, 2]);
    let payload: Buffer = random.oneIn(5)
      ? random.bytes(random.below(200))
      : Buffer.from(random.pick(PAYLOADS));
    if (random.oneIn(200)) payload = Buffer.alloc(70_000, 'y');
    if (opcode === 8 && !random.oneIn(4)) {
      payload = Buffer.concat([
        Buffer.from([random.pick([3, 3, 4, 19]), random.word() & 255]),
        payload,
      ]);
    }
    if (control) payload = payload.subarray(0, 125);
    else inside = !fin;
    const mask = random.bytes(4);
    parts.push(
      ...writeFrame(
        { fin, opcode, ...((from === 'client') === random.oneIn(60) ? {} : { mask }) },
        payload,
      ),
    );
  }
  return Buffer.concat(parts);
};

const eventsOf = (from: From, chunks: readonly Buffer[], extended: boolean): readonly unknown[] => {
  const parser = createFrameParser({ from, reserved: extended ? 0x70 : 0 });
  const flat: unknown[] = [];
  let wire: Buffer[] = [];
  for (const chunk of chunks) {
    for (const event of parser.push(chunk)) {
      if (event.type !== 'piece') {
        flat.push(event.type === 'bad' ? event : { ...event, wire: Buffer.from(event.wire) });
        continue;
      }
      wire.push(Buffer.from(event.wire));
      if (!event.last) continue;
      flat.push(Buffer.concat(wire));
      wire = [];
    }
  }
  return [...flat, Buffer.concat(wire)];
};

const frameTarget = (from: From): Target =>
  parserTarget({
    name: `websocket-frames-${from}`,
    maxBytes: 80_000,
    caseMs: 3000,
    seeds: [
      from === 'client'
        ? Buffer.from('818537fa213d7f9f4d5158', 'hex')
        : Buffer.from('810548656c6c6f', 'hex'),
      Buffer.from('010348656c80026c6f', 'hex'),
      Buffer.from('880203e8', 'hex'),
      Buffer.from('827f8000000000000001', 'hex'),
      Buffer.from('827e0001', 'hex'),
    ],
    generate: (random) => frames(random, from),
    check: async (bytes, random) => {
      const extended = random.oneIn(4);
      const whole = eventsOf(from, [bytes], extended);
      const chunks =
        bytes.length > 4000 ? [bytes.subarray(0, 3000), bytes.subarray(3000)] : cut(bytes, random);
      mustEqual(eventsOf(from, chunks, extended), whole, 'frames depend on how the stream is cut');
      if (!random.oneIn(4)) return;
      const ours = readAll(from, [bytes]);
      const theirs = await readWithWs(from, bytes);
      // After a close frame nothing counts; texts that are no UTF-8 are another parser's business.
      const closed = ours.messages.findIndex(({ opcode }) => opcode === 8);
      const counted = closed < 0 ? ours.messages : ours.messages.slice(0, closed);
      const shown = theirs.messages.filter(({ opcode }) => opcode !== 8);
      const texts = counted.every(({ opcode, payload }) => opcode !== 1 || isUtf8(payload));
      if (!texts) {
        must(shown.length <= counted.length, '`ws` reads more messages');
        return;
      }
      // Where we refuse, `ws` may go on: it takes lengths in more bytes than they need.
      mustEqual(
        ours.bad === undefined ? shown : shown.slice(0, counted.length),
        counted,
        '`ws` reads other messages',
      );
    },
  });

type Passed = {
  readonly out: Buffer;
  readonly hits: number;
  readonly failed: number | undefined;
  readonly tripped: boolean;
};

const pass = (flow: FrameFlow, chunks: readonly Buffer[]): Passed => {
  const out: Buffer[] = [];
  let hits = 0;
  for (const chunk of chunks) {
    const step = flow.push(chunk);
    out.push(...step.out.map((part) => Buffer.from(part)));
    hits += step.hits;
    const failed = step.failed?.code;
    const tripped = step.tripped !== undefined;
    if (failed !== undefined || tripped) return { out: Buffer.concat(out), hits, failed, tripped };
    if (step.closed) {
      mustEqual(flow.push(Buffer.from('more')).out, [], 'something follows a close frame');
      break;
    }
  }
  return { out: Buffer.concat(out), hits, failed: undefined, tripped: false };
};

const contains = (needles: typeof TRIPS, bytes: Buffer): boolean => {
  const search = createSearch(needles);
  return search.push(bytes).hits.length + search.end().hits.length > 0;
};
const REAL = prepareNeedles(needlesOf({ secret: SECRET, placeholder: '' }, 0));

const scrubbed = parserTarget({
  name: 'websocket-scrubbed',
  maxBytes: 80_000,
  caseMs: 3000,
  seeds: [
    Buffer.concat(writeFrame({ fin: true, opcode: 1 }, Buffer.from(SECRET))),
    Buffer.concat([
      ...writeFrame({ fin: false, opcode: 1 }, Buffer.from(SECRET.slice(0, 9))),
      ...writeFrame({ fin: true, opcode: 0 }, Buffer.from(SECRET.slice(9))),
    ]),
    Buffer.concat(writeFrame({ fin: true, opcode: 8 }, Buffer.from(`\x03\xe8${SECRET}`, 'latin1'))),
  ],
  generate: (random) => frames(random, 'server'),
  check: (bytes, random) => {
    const whole = pass(
      createScrubbedFrames(() => scrubber),
      [bytes],
    );
    const inParts = pass(
      createScrubbedFrames(() => scrubber),
      cut(bytes.subarray(0, 6000), random),
    );
    const before = readAll('server', [bytes]);
    for (const { out } of [whole, inParts]) {
      const after = readAll('server', [out]);
      must(after.bad === undefined, 'it writes frames that are none');
      must(after.messages.length <= before.messages.length, 'it writes messages that nobody sent');
      for (const [at, { opcode, payload }] of after.messages.entries()) {
        const sent = before.messages[at];
        mustEqual(opcode, sent?.opcode, 'a message of another kind');
        must(!contains(REAL, payload), 'a secret comes through');
        must(opcode < 8 || payload.length <= MAX_CONTROL_BYTES, 'a control frame that is too long');
        must(opcode !== 1 || isUtf8(payload), 'a text that is no text');
      }
    }
    if (whole.hits > 0 || whole.failed !== undefined) return;
    const after = readAll('server', [whole.out]).messages;
    mustEqual(after, before.messages.slice(0, after.length), 'a message is changed without a find');
    if (bytes.length <= 6000) {
      mustEqual(
        readAll('server', [inParts.out]).messages,
        after,
        'messages depend on how the stream is cut',
      );
    }
  },
});

const searched = parserTarget({
  name: 'websocket-searched',
  maxBytes: 80_000,
  caseMs: 3000,
  seeds: [
    Buffer.concat(
      writeFrame(
        { fin: true, opcode: 1, mask: Buffer.from([1, 2, 3, 4]) },
        Buffer.from(PLACEHOLDER),
      ),
    ),
  ],
  generate: (random) => frames(random, 'client'),
  check: (bytes, random) => {
    const chunks = cut(bytes.subarray(0, 6000), random);
    const given = Buffer.concat(chunks);
    for (const parts of [[given], chunks]) {
      const { out, tripped } = pass(
        createSearchedFrames(() => createSearch(TRIPS)),
        parts,
      );
      must(given.subarray(0, out.length).equals(out), 'frames are changed in passing');
      for (const { payload, opcode } of readAll('client', [out]).messages) {
        must(!contains(TRIPS, payload), 'a placeholder goes out');
        must(opcode !== 1 || isUtf8(payload), 'a text that is no text');
      }
      const all = readAll('client', [given]);
      if (tripped) continue;
      if (all.bad === undefined && all.messages.every(({ payload }) => !contains(TRIPS, payload)))
        continue;
      must(out.length < given.length, 'nothing is stopped');
    }
    const checked = pass(createCheckedFrames('client', random.oneIn(2)), chunks);
    must(given.subarray(0, checked.out.length).equals(checked.out), 'checked frames are changed');
  },
});

const text = parserTarget({
  name: 'websocket-text',
  seeds: [
    'abc',
    '\xc3\xbc',
    '\xe2\x82\xac',
    '\xf0\x9f\x98\x80',
    '\xc0\xae',
    '\xed\xa0\x80',
    '\xf4\x90\x80\x80',
    '\xe2\x82',
  ],
  maxBytes: 300,
  generate: (random) =>
    Buffer.concat(
      Array.from({ length: 1 + random.below(6) }, () =>
        random.oneIn(3)
          ? random.bytes(random.below(4))
          : Buffer.from(random.pick(['a', '\u00fc', '\u20ac', '\u{1f600}'])),
      ),
    ),
  check: (bytes, random) => {
    const check = createTextCheck();
    const good = cut(bytes, random).every((chunk) => check.push(chunk)) && check.end();
    mustEqual(good, isUtf8(bytes), 'it takes other bytes for text than Node does');
    const most = random.below(bytes.length + 2);
    const short = cutText(bytes, most);
    must(
      short.length <= most && bytes.subarray(0, short.length).equals(short),
      'it cuts elsewhere',
    );
    if (isUtf8(bytes)) must(isUtf8(short), 'it cuts a character apart');
    const close = readClose(bytes, isUtf8);
    if (!close.ok) return;
    const code = close.value?.code ?? 1000;
    const known =
      (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) ||
      (code >= 3000 && code <= 4999);
    must(known && bytes.length !== 1, 'a close code that may not be sent');
  },
});

const HEADERS = [
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Version: 8',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Key: x',
  'Sec-WebSocket-Protocol: a, b',
  'Sec-WebSocket-Extensions: permessage-deflate',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Content-Length: 0',
  'Connection: close, upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'Sec-WebSocket-Protocol: a',
  'Sec-WebSocket-Protocol: z',
] as const;

const handshake = parserTarget({
  name: 'websocket-handshake',
  seeds: [HEADERS.join('\n')],
  generate: (random) =>
    Buffer.from(Array.from({ length: 3 + random.below(6) }, () => random.pick(HEADERS)).join('\n')),
  check: (bytes, random) => {
    const headers = textOf(bytes)
      .split('\n')
      .map((line): readonly [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trim()];
      });
    const to = { host: unwrap(parseHost('ws.example')), port: 443, tls: true };
    const version = random.pick<'h1' | 'h2'>(['h1', 'h2']);
    const request = {
      to,
      protocol: 'websocket',
      target: '/',
      headers,
      version,
      method: version === 'h1' ? 'GET' : 'CONNECT',
    } as const;
    const read = readHandshake(request);
    if (read.ok && version === 'h1') {
      mustEqual(Buffer.from(read.value.key ?? '', 'base64').length, 16, 'a key that is none');
    }
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    const status = version === 'h1' ? 101 : 200;
    const kept = readHandshakeAnswer(
      { key: version === 'h1' ? key : undefined, protocols: ['a'] },
      { status, headers },
      true,
      (words) => words,
    );
    if (!kept.ok) return;
    const values = (name: string): string[] =>
      kept.value.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
    must(
      values('sec-websocket-extensions').join('').replaceAll(/[\s,]/g, '') === '',
      'an extension comes through',
    );
    must(
      values('sec-websocket-protocol').every((value) => value.trim() === 'a'),
      'a protocol that was not offered',
    );
    if (version === 'h1') {
      mustEqual(values('upgrade'), ['websocket'], 'more than one upgrade');
      mustEqual(
        values('sec-websocket-accept').map((value) => value.trim()),
        [acceptOf(key)],
        'another accept',
      );
    }
  },
});

export const WEBSOCKET_TARGETS: readonly Target[] = [
  frameTarget('client'),
  frameTarget('server'),
  scrubbed,
  searched,
  text,
  handshake,
];
