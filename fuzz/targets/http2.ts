import { constants } from 'node:http2';
import { listenClearHttp2 } from '../../app/broker/testing/http2.ts';
import { listenPlain } from '../../app/broker/testing/setup.ts';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, type OpenTarget, type Target } from '../target.ts';
import {
  beyond,
  egressSince,
  HOST,
  openRig,
  send,
  SETTLE_MS,
  until,
  WAIT_MS,
} from './broker-rig.ts';
import { u24, u32, u8 } from './streams.ts';

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

export const HTTP2_TARGET: Target = {
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
