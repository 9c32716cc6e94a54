import { readdirSync, readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { constants } from 'node:http2';
import { forkProcess } from '../../app/broker/index.ts';
import { listenClearHttp2 } from '../../app/broker/testing/http2.ts';
import { HEAD_BYTES, parseDatagram } from '../../app/broker/process/datagram-head.ts';
import { datagramHead } from '../../app/broker/testing/datagram-head.ts';
import { connectRelay, dnsQuery } from '../../app/broker/testing/relay.ts';
import { createRig, listenPlain, type Rig } from '../../app/broker/testing/setup.ts';
import type { EgressDraft } from '../../app/contract/index.ts';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { readStrictly, type StrictRequest } from '../reference/strict-requests.ts';
import { must, mustEqual, type OpenTarget, type Target } from '../target.ts';
import { u24, u32, u8 } from './streams.ts';

/** Targets that need the running broker: a process of its own, a relay, and a server behind it. */

const HOST = 'api.test';
/** How long a case waits for what has to come, in milliseconds. */
const WAIT_MS = 8000;
/** How long a connection may stay open after the last byte before the program gives up, in milliseconds. */
const PATIENCE_MS = 150;
/** Descriptors and megabytes that the broker process may have more than at first, once all is quiet. */
// A connection whose program only ended its side is closed after two minutes.
const MORE_DESCRIPTORS = 700;
const MORE_MEGABYTES = 400;

/** How long the broker process may take to give back what broken connections held, in milliseconds. */
const SETTLE_MS = 25_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const until = async (test: () => boolean, ms: number): Promise<boolean> => {
  const end = performance.now() + ms;
  while (!test()) {
    if (performance.now() > end) return false;
    await pause(2);
  }
  return true;
};

const egressSince = (rig: Rig, from: number): readonly EgressDraft[] =>
  rig.events.slice(from).filter((event): event is EgressDraft => event.kind === 'egress');

type Watched = { readonly rig: Rig; readonly mustLive: () => Promise<void> };

/** A rig whose process is watched: its life, its descriptors and its memory. */
const openRig = async (resolve: readonly string[], allow: readonly string[]): Promise<Watched> => {
  let pid = 0;
  const rig = await createRig({
    allow,
    resolve,
    start: {
      spawn: (entry, env) => {
        const child = forkProcess(entry, env);
        pid = child.pid ?? 0;
        return child;
      },
    },
  });
  const descriptors = (): number => readdirSync(`/proc/${String(pid)}/fd`).length;
  const megabytes = (): number =>
    Number(
      /VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0,
    ) / 1024;
  const first = [descriptors(), megabytes()] as const;
  return {
    rig,
    mustLive: async () => {
      must(
        rig.states.every((state) => state === 'linked' || state === 'ready' || state === 'running'),
        `the broker is ${rig.states.join()}`,
      );
      // Connections that stopped in the middle wait for their time to be over.
      await until(() => descriptors() <= first[0] + MORE_DESCRIPTORS, SETTLE_MS);
      const now = [descriptors(), megabytes()] as const;
      must(now[0] <= first[0] + MORE_DESCRIPTORS, `${String(now[0])} descriptors are open`);
      must(now[1] <= first[1] + MORE_MEGABYTES, `${String(now[1])} MB are in use`);
    },
  };
};

/** Sends bytes as a program would, and waits until the connection is over or nothing more can come. */
const send = async (
  socket: Socket,
  chunks: readonly Buffer[],
  quiet: () => boolean,
): Promise<void> => {
  let over = false;
  socket.on('error', () => undefined);
  socket.once('close', () => {
    over = true;
  });
  socket.resume();
  for (const chunk of chunks) {
    if (over || !socket.writable) break;
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await until(() => over || quiet(), PATIENCE_MS);
  socket.destroy();
};

const HEAD_FIELDS = [
  'Host: api.test',
  'Host: api.test:80',
  'Host: other.test',
  'host: api.test',
  'Host : api.test',
  'Host:\tapi.test',
  'Content-Length: 5',
  'Content-Length: 05',
  'Content-Length: +5',
  'Content-Length: 5,5',
  'Content-Length: 5 ',
  'Content-Length: 0x5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: ',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'X: a\r\n b',
  'X: a\rContent-Length: 5',
  'X: a\nContent-Length: 5',
  'X\0: y',
  'Connection: close',
  'Connection: content-length',
  'Connection: keep-alive, host',
  'Expect: 100-continue',
  'Upgrade: h2c',
  'TE: trailers',
  'Trailer: X',
  'Keep-Alive: timeout=5',
  ': empty',
  ' X: folded',
  'X: \x80\xff',
] as const;

const BODIES = [
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '5;ext=1\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  'ffffffffffffffff5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhelloXX0\r\n\r\n',
  '0\r\nX: y\r\n\r\n',
  '0\r\nContent-Length: 9\r\n\r\n',
  '-1\r\n',
  '5;a="\r\n0\r\n\r\n"\r\nhello\r\n0\r\n\r\n',
  '00000005\r\nhello\r\n000\r\n\r\n',
  '5\r\nhello\r\n0\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n',
  '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n',
] as const;

const request = (random: Random): string => {
  const method = random.pick([
    'GET',
    'POST',
    'POST',
    'PUT',
    'HEAD',
    'get',
    'TRACE',
    'CONNECT',
    'P OST',
    'M-SEARCH',
  ]);
  const target = random.pick([
    '/a',
    '/b?c',
    '*',
    'http://api.test/d',
    'http://other.test/',
    '/a/../b',
    '/%2e%2e/x',
    '/a b',
    '//x',
    '/\x80',
  ]);
  const version = random.pick([
    'HTTP/1.1',
    'HTTP/1.1',
    'HTTP/1.1',
    'HTTP/1.1',
    'HTTP/1.0',
    'HTTP/2.0',
    'HTTP/1.1 ',
    'http/1.1',
    'HTTP/1.10',
    '',
  ]);
  const fields: string[] = random.oneIn(9) ? [] : ['Host: api.test'];
  const body = random.pick(BODIES);
  // Mostly a framing that fits, so that requests come through and the next one has its turn.
  if (/^[0-9]+\r\n/.test(body)) fields.push('Transfer-Encoding: chunked');
  else if (body !== '' && !random.oneIn(6)) fields.push(`Content-Length: ${String(body.length)}`);
  for (let left = random.pick([0, 0, 1, 2]); left > 0; left -= 1)
    fields.push(random.pick(HEAD_FIELDS));
  const lineEnd = random.oneIn(15) ? random.pick(['\n', '\r', '\r\r\n']) : '\r\n';
  return `${random.oneIn(15) ? '\r\n' : ''}${method} ${target} ${version}${lineEnd}${fields.join(lineEnd)}${lineEnd}${lineEnd}${body}`;
};

/** The multiset difference: what `one` has that `other` has not. */
const beyond = (one: readonly string[], other: readonly string[]): readonly string[] => {
  const left = [...other];
  return one.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
};

const openHttp1 = async (): Promise<OpenTarget> => {
  const received: Buffer[][] = [];
  const answers: StrictRequest[] = [];
  // A server that believes nothing: it answers whole requests of the strictest form, and keeps all bytes.
  const server = createServer((socket) => {
    const bytes: Buffer[] = [];
    let answered = 0;
    received.push(bytes);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      bytes.push(chunk);
      const { requests, odd } = readStrictly(Buffer.concat(bytes));
      const whole = requests.filter((one) => one.whole);
      for (const one of whole.slice(answered)) {
        answers.push(one);
        const body = one.method === 'HEAD' ? '' : 'ok';
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${body}`);
      }
      answered = whole.length;
      if (odd !== undefined) socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { rig, mustLive } = await openRig([`${HOST}:80:127.0.0.1:${String(port)}`], [HOST]);
  const address = await rig.relay.addressOf(HOST);
  return {
    check: async (bytes, random) => {
      // Kept connections of earlier cases stay: what comes on them now counts from here on.
      for (const parts of received) {
        // What was told as a failure once is not told again.
        if (readStrictly(Buffer.concat(parts)).odd !== undefined) parts.length = 0;
      }
      const before = received.map((parts) => Buffer.concat(parts));
      const from = rig.events.length;
      const chunks = bytes.length > 3000 ? [bytes] : cut(bytes, random);
      await send(rig.relay.open(`${address}:80`), chunks, () => false);
      const seen = received.flatMap((parts, at) => {
        const reading = readStrictly(Buffer.concat(parts));
        const known = readStrictly(before[at] ?? Buffer.alloc(0)).requests.length;
        must(reading.odd === undefined, `the server got ${String(reading.odd)}`);
        return reading.requests.slice(known);
      });
      for (const { host } of seen)
        must(/^api\.test\.?(?::80)?$/i.test(host), `the server is asked for ${host}`);
      const words = (requests: readonly StrictRequest[]): readonly string[] =>
        requests.map(({ method, target }) => `${method} ${target}`);
      const recorded = (verdicts: readonly string[]): readonly string[] =>
        egressSince(rig, from)
          .filter(({ verdict }) => verdicts.includes(verdict))
          .map(
            ({ method, path }) =>
              `${String(method)} ${String(path).replace(/^http:\/\/api\.test(?::80)?(?=\/)/i, '')}`,
          );
      // One that broke off on its way is told as refused; one that came whole was allowed.
      const missing = (): readonly string[] => [
        ...beyond(words(seen), recorded(['allowed', 'denied'])),
        ...beyond(words(seen.filter(({ whole }) => whole)), recorded(['allowed'])),
      ];
      await until(() => missing().length === 0, WAIT_MS);
      mustEqual(missing(), [], 'the server saw requests that are not on the record');
      await mustLive();
    },
    close: async () => {
      await rig.close();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
};

const http1: Target = {
  name: 'http1',
  maxBytes: 16_384,
  caseMs: SETTLE_MS + 5000,
  seeds: [
    'GET /a HTTP/1.1\r\nHost: api.test\r\n\r\n',
    'POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: api.test\r\n\r\n',
    'POST /a HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: api.test\r\n\r\n',
    'POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n',
  ].map((text) => Buffer.from(text, 'latin1')),
  generate: (random) =>
    Buffer.from(
      Array.from({ length: 1 + random.below(3) }, () => request(random)).join(''),
      'latin1',
    ),
  open: openHttp1,
};

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const frame = (type: number, flags: number, stream: number, body: Buffer): Buffer =>
  Buffer.concat([u24(body.length), u8(type), u8(flags), u32(stream), body]);

const field = (name: string, value: string): Buffer =>
  Buffer.concat([
    u8(0),
    u8(name.length & 127),
    Buffer.from(name, 'latin1'),
    u8(value.length & 127),
    Buffer.from(value, 'latin1'),
  ]);

const headerBlock = (random: Random): Buffer => {
  const fields = [
    field(':method', random.pick(['GET', 'POST', 'CONNECT', 'TRACE'])),
    field(':scheme', random.pick(['http', 'http', 'https'])),
    field(':path', random.pick(['/a', '/b', '/../x', '', '/\x80'])),
    field(':authority', random.pick(['api.test', 'api.test', 'other.test', ''])),
  ];
  const more = [
    () => field('content-length', random.pick(['0', '5', '-1'])),
    () => field('transfer-encoding', 'chunked'),
    () => field('Host', 'x'),
    () => field('host', random.pick(['api.test', 'other.test'])),
    () => field('x', 'a\r\nb: c'),
    () => field(':path', '/twice'),
    () => field('te', 'gzip'),
    () => field('connection', 'close'),
    // A table entry that is not there, a size that may not be, a string that does not end.
    () => u8(0xff),
    () => Buffer.from([0x3f, 0xff, 0xff, 0x7f]),
    () => Buffer.from([0x40, 0x7f, 0xff, 0x01]),
    () => random.bytes(random.below(12)),
  ] as const;
  for (let left = random.pick([0, 0, 0, 1, 2]); left > 0; left -= 1)
    fields.push(random.pick(more)());
  if (random.oneIn(12)) fields.reverse();
  return Buffer.concat(fields);
};

const http2Frames = (random: Random): Buffer => {
  const parts: Buffer[] = [
    random.oneIn(30) ? PREFACE.subarray(0, 20) : PREFACE,
    frame(4, 0, 0, Buffer.alloc(0)),
  ];
  let stream = 1;
  for (let left = 1 + random.below(8); left > 0; left -= 1) {
    const on = random.oneIn(12) ? random.pick([0, 2, 1, 0x7fff_ffff]) : stream;
    const make = random.pick([
      () => {
        const block = headerBlock(random);
        const ends = random.oneIn(2) ? 1 : 0;
        const half = random.below(block.length);
        const made = random.oneIn(4)
          ? Buffer.concat([
              frame(1, ends, on, block.subarray(0, half)),
              frame(9, random.oneIn(6) ? 0 : 4, on, block.subarray(half)),
            ])
          : frame(1, 4 | ends, on, block);
        stream += ends === 1 || random.oneIn(3) ? 2 : 0;
        return made;
      },
      () => frame(0, random.pick([0, 1, 8, 9]), on, random.bytes(random.below(40))),
      () => frame(3, 0, on, u32(random.below(16))),
      () =>
        frame(
          4,
          random.below(2),
          0,
          Buffer.concat([u8(0), u8(random.below(9)), u32(random.word())]),
        ),
      () => frame(6, random.below(2), 0, random.bytes(random.pick([8, 8, 7]))),
      () => frame(8, 0, random.pick([0, on]), u32(random.pick([0, 1, 65_535, 0x7fff_ffff]))),
      () => frame(2, 0, on, random.bytes(5)),
      () => frame(7, 0, 0, Buffer.concat([u32(0), u32(0)])),
      () => frame(5, 4, on, random.bytes(9)),
      () => frame(random.below(256), random.below(256), on, random.bytes(random.below(20))),
      () =>
        Buffer.concat(
          Array.from({ length: 40 }, (_, at) =>
            Buffer.concat([
              frame(1, 5, stream + at * 2, headerBlock(random)),
              frame(3, 0, stream + at * 2, u32(8)),
            ]),
          ),
        ),
    ] as const);
    parts.push(make());
  }
  return Buffer.concat(parts);
};

const openHttp2 = async (): Promise<OpenTarget> => {
  const seen: string[] = [];
  const upstream = await listenClearHttp2((stream, headers) => {
    seen.push(`${String(headers[':method'])} ${String(headers[':path'])}`);
    must(
      headers[':authority'] === undefined || headers[':authority'] === HOST,
      'another authority',
    );
    stream.resume();
    stream.respond({ ':status': 200 });
    stream.end('ok');
  });
  const other = await listenPlain((_request, response) => response.end('alive'));
  const { rig, mustLive } = await openRig(
    [
      `${HOST}:80:127.0.0.1:${String(upstream.port)}`,
      `canary.test:80:127.0.0.1:${String(other.port)}`,
    ],
    [HOST, 'canary.test'],
  );
  const address = await rig.relay.addressOf(HOST);
  const canary = await rig.tcp('canary.test', 80);
  let heard = '';
  canary.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  // Spoken on, it may wait longer for its next request than a connection that says nothing may wait at all.
  canary.write('GET / HTTP/1.1\r\nHost: canary.test\r\n\r\n');
  must(await until(() => heard.includes('alive'), WAIT_MS), 'the canary is not served');
  let cases = 0;
  return {
    check: async (bytes, random) => {
      const from = rig.events.length;
      const known = seen.length;
      const chunks = bytes.length > 3000 ? [bytes] : cut(bytes, random);
      await send(rig.relay.open(`${address}:80`), chunks, () => false);
      const asked = (): readonly string[] => seen.slice(known);
      const recorded = (): readonly string[] =>
        egressSince(rig, from).map(({ method, path }) => `${String(method)} ${String(path)}`);
      await until(() => beyond(asked(), recorded()).length === 0, WAIT_MS);
      mustEqual(
        beyond(asked(), recorded()),
        [],
        'the server saw requests that are not on the record',
      );
      cases += 1;
      if (cases % 25 !== 1) return;
      // A connection that was there before all this goes on.
      heard = '';
      canary.write('GET / HTTP/1.1\r\nHost: canary.test\r\n\r\n');
      must(await until(() => heard.includes('alive'), WAIT_MS), 'another connection suffers');
      await mustLive();
    },
    close: async () => {
      canary.destroy();
      await rig.close();
      await upstream.close();
      await other.close();
    },
  };
};

const http2: Target = {
  name: 'http2',
  maxBytes: 20_000,
  caseMs: SETTLE_MS + 5000,
  seeds: [
    PREFACE,
    Buffer.concat([
      PREFACE,
      frame(4, 0, 0, Buffer.alloc(0)),
      frame(
        1,
        5,
        1,
        Buffer.concat([
          field(':method', 'GET'),
          field(':scheme', 'http'),
          field(':path', '/a'),
          field(':authority', HOST),
        ]),
      ),
    ]),
    Buffer.concat([
      PREFACE,
      frame(
        4,
        0,
        0,
        Buffer.concat([u8(0), u8(constants.NGHTTP2_SETTINGS_HEADER_TABLE_SIZE), u32(0xffff_ffff)]),
      ),
    ]),
  ],
  generate: http2Frames,
  open: openHttp2,
};

/** What the first byte of a case says of the rest. */
const WAYS = ['heads over the link', 'a DNS datagram', 'a DNS connection'] as const;

/** Says everything on a DNS connection and waits until it is over, or quiet. */
const sayOnConnection = async (port: number, chunks: readonly Buffer[]): Promise<void> => {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  await send(socket, chunks, () => false);
};

const sayInDatagram = async (port: number, bytes: Buffer): Promise<void> => {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.send(bytes, port, '127.0.0.1', resolve);
  });
  socket.close();
};

const openLink = async (): Promise<OpenTarget> => {
  const { rig, mustLive } = await openRig([], [HOST]);
  return {
    check: async (bytes, random) => {
      const way = (bytes[0] ?? 0) % WAYS.length;
      const body = bytes.subarray(1);
      const from = rig.events.length;
      if (way === 0) {
        const flows = new Set<string>();
        for (let at = 0; at + HEAD_BYTES <= body.length; at += HEAD_BYTES) {
          const datagram = parseDatagram(body.subarray(at, at + HEAD_BYTES));
          if (datagram !== undefined) flows.add(datagram.destination.address);
        }
        // A link of its own each time: what is left of a head must not meet the next case.
        const relay = await connectRelay(rig.folder);
        for (const part of cut(body, random)) relay.link.write(part);
        relay.link.end();
        const missing = (): readonly string[] =>
          beyond(
            Array.from(flows),
            egressSince(rig, from)
              .filter(({ scheme }) => scheme === 'udp')
              .map(({ host }) => host),
          );
        await until(() => missing().length === 0, WAIT_MS);
        mustEqual(missing(), [], 'refused datagrams that are not recorded');
        relay.close();
      } else if (way === 1) {
        await sayInDatagram(rig.relay.dns.datagrams, body);
      } else {
        await sayOnConnection(rig.relay.dns.connections, cut(body, random));
      }
      must((await rig.relay.addressOf(HOST)).startsWith('198.'), 'no name is answered any more');
      await mustLive();
    },
    close: () => rig.close(),
  };
};

/** Refused datagrams of IPv4, of IPv6, and of IPv4 with all the options it can have. */
const HEADS = [
  datagramHead([8, 8, 8, 8], [1, 2, 3, 4], 5353, 5),
  datagramHead(Array(16).fill(0x20), Array(16).fill(0x21), 443, 1),
  Buffer.concat([u8(0x4f), datagramHead([8, 8, 8, 8], [1, 2, 3, 4], 5353, 5).subarray(1)]),
] as const;

const link: Target = {
  name: 'link',
  maxBytes: 6000,
  caseMs: SETTLE_MS + 5000,
  seeds: [
    Buffer.concat([u8(0), ...HEADS]),
    Buffer.concat([u8(1), dnsQuery(HOST)]),
    Buffer.concat([u8(1), dnsQuery(HOST).subarray(0, 14)]),
    Buffer.concat([u8(2), u8(0), u8(dnsQuery(HOST).length), dnsQuery(HOST)]),
    Buffer.concat([u8(2), u8(0xff), u8(0xff), dnsQuery(HOST)]),
  ],
  generate: (random) => {
    const query = dnsQuery(random.pick([HOST, 'a.b', '']), random.pick([1, 28, 255]));
    const message = random.oneIn(3) ? query.subarray(0, random.below(query.length)) : query;
    const framed = Buffer.concat([u8(0), u8(random.oneIn(4) ? 255 : message.length), message]);
    const rest = random.pick([
      () => Buffer.concat(Array.from({ length: random.below(9) }, () => random.pick(HEADS))),
      () => message,
      () => Buffer.concat(Array.from({ length: 1 + random.below(40) }, () => framed)),
      () => random.bytes(random.below(300)),
    ] as const);
    return Buffer.concat([u8(random.below(WAYS.length)), rest()]);
  },
  open: openLink,
};

export const BROKER_TARGETS: readonly Target[] = [http1, http2, link];
