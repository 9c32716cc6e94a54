import { createServer, type AddressInfo } from 'node:net';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { readStrictly, type StrictRequest } from '../reference/strict-requests.ts';
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

export const HTTP1_TARGET: Target = {
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
