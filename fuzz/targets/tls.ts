import { createServer } from 'node:http';
import { Duplex, PassThrough } from 'node:stream';
import { TLSSocket, createSecureContext } from 'node:tls';
import { readClientHello } from '../../app/broker/process/client-hello.ts';
import { sniff, type Sniffed } from '../../app/broker/process/sniff.ts';
import { readWebLike } from '../../app/broker/process/wires/web-like.ts';
import { createManualClock } from '../../app/kit/index.ts';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { checkPrefixes, hostText, u16, u8, vector } from './streams.ts';

const extension = (random: Random): Buffer => {
  const type = random.pick([0, 0, 16, 16, 0xfe0d, 10, 13, 43, 51, random.below(65_536)]);
  const name = (): Buffer =>
    Buffer.concat([
      u8(random.oneIn(20) ? 1 : 0),
      vector(random, 2, Buffer.from(hostText(random), 'latin1')),
    ]);
  const body =
    type === 0
      ? vector(
          random,
          2,
          Buffer.concat(Array.from({ length: random.oneIn(8) ? random.below(3) : 1 }, name)),
        )
      : type === 16
        ? vector(
            random,
            2,
            Buffer.concat(
              Array.from({ length: random.oneIn(10) ? 40 : random.below(4) }, () =>
                vector(
                  random,
                  1,
                  Buffer.from(random.pick(['h2', 'http/1.1', '', 'x'.repeat(255)])),
                ),
              ),
            ),
          )
        : random.bytes(random.below(40));
  return Buffer.concat([u16(type), vector(random, 2, body)]);
};

const hello = (random: Random): Buffer => {
  const extensions = Buffer.concat(
    Array.from({ length: random.below(6) }, () => extension(random)),
  );
  const body = Buffer.concat([
    u16(random.pick([0x0303, 0x0301, 0x0304, 0])),
    random.bytes(random.oneIn(20) ? random.below(40) : 32),
    vector(random, 1, random.bytes(random.pick([0, 32, 33]))),
    vector(random, 2, random.bytes(random.pick([2, 4, 30, 31]))),
    vector(random, 1, random.bytes(random.pick([1, 0, 2]))),
    random.oneIn(10) ? Buffer.alloc(0) : vector(random, 2, extensions),
  ]);
  return Buffer.concat([u8(random.oneIn(30) ? 2 : 1), vector(random, 3, body)]);
};

/** A ClientHello, in one record or in many. */
const records = (random: Random): Buffer => {
  const message = hello(random);
  const most = random.pick([1, 3, 200, 16_384]);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += most) {
    const part = message.subarray(at, at + most);
    parts.push(
      Buffer.concat([u8(22), u16(random.pick([0x0301, 0x0303])), vector(random, 2, part)]),
    );
  }
  return Buffer.concat([...parts, random.oneIn(5) ? random.bytes(20) : Buffer.alloc(0)]);
};

/** What OpenSSL takes the server name for; undefined where it refuses the message or finds none. */
const openSslName = async (bytes: Buffer): Promise<{ name: string | undefined } | undefined> => {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const context = createSecureContext({});
  const seen = new Promise<{ name: string | undefined } | undefined>((resolve) => {
    const socket = new TLSSocket(stream, {
      isServer: true,
      secureContext: context,
      SNICallback: (name) => {
        resolve({ name });
        socket.destroy();
      },
    });
    socket.on('error', () => resolve(undefined));
    // Without a name Node does not ask; without a verdict the message was not whole.
    setTimeout(() => resolve(undefined), 5);
  });
  stream.push(bytes);
  const found = await seen;
  stream.destroy();
  return found;
};

/** Whoever judges the name of the hello must judge the one that a server would go by. */
const agreesWithOpenSsl = async (bytes: Buffer): Promise<void> => {
  const reading = readClientHello(bytes);
  const found = await openSslName(bytes);
  if (found?.name === undefined || found.name === '') return;
  if (reading.type !== 'hello') return;
  mustEqual(reading.hello.serverName, found.name, 'OpenSSL reads another server name');
};

const clientHello = parserTarget({
  name: 'client-hello',
  seeds: ['', '\x16', '\x16\x03\x01\x00\x00', '\x16\x03\x01\x00\x04\x01\x00\x00\x00'],
  generate: records,
  check: (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => {
      const reading = readClientHello(prefix);
      return reading.type === 'more' ? undefined : { said: reading };
    });
    const reading = readClientHello(bytes);
    if (reading.type === 'hello') {
      const { serverName, alpn } = reading.hello;
      must(serverName !== '' && !/[^!-~]/.test(serverName ?? ''), 'a name that is no name');
      must(alpn.length <= 32 && !alpn.includes(''), 'an ALPN list that is none');
    }
    return random.oneIn(16) || bytes.length < 8 ? agreesWithOpenSsl(bytes) : undefined;
  },
});

const requestLine = (random: Random): Buffer =>
  Buffer.from(
    `${random.pick(['GET', 'PRI', 'OPTIONS', 'x', 'M-SEARCH', 'A'.repeat(33), '\r\nGET', ' GET', 'G\0T'])}${random.pick([' ', '  ', '\t', ''])}${random.pick(['/', '*', '/a b', 'http://a/', '/'.repeat(30_000), '/\x80'])}${random.pick([' HTTP/1.1', ' HTTP/2.0', '', ' http/1.1', ' HTTP/', ' HTTP/1.1 '])}${random.pick(['\r\n', '\n', '\r', '', '\r\n\r\nSM\r\n\r\n'])}${'Host: a\r\n\r\n'.repeat(random.below(2))}`,
    'latin1',
  );

const sniffed = async (chunks: readonly Buffer[]): Promise<{ result: Sniffed; left: Buffer }> => {
  const stream = new PassThrough({ highWaterMark: 1024 * 1024 });
  const clock = createManualClock();
  let result: Sniffed | undefined;
  const waiting = sniff(stream, clock).then((found) => {
    result = found;
  });
  for (const chunk of chunks) {
    stream.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
    if (result !== undefined) break;
  }
  clock.advance(60_000);
  await waiting;
  const left: Buffer[] = [];
  for (let part = stream.read() as Buffer | null; part !== null;) {
    left.push(part);
    part = stream.read() as Buffer | null;
  }
  stream.destroy();
  return { result: result ?? { type: 'gone' }, left: Buffer.concat(left) };
};

const sniffTarget = parserTarget({
  name: 'sniff',
  seeds: [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'SSH-2.0-OpenSSH_9\r\n',
    '\x16\x03\x01',
    `GET ${'/'.repeat(30_000)} HTTP/1.1\r\n`,
  ],
  maxBytes: 40_000,
  caseMs: 2000,
  generate: (random) => (random.oneIn(2) ? records(random) : requestLine(random)),
  check: async (bytes, random) => {
    const whole = await sniffed([bytes]);
    // A step a chunk: single bytes only where there are few.
    const chunks = bytes.length > 2000 ? [] : cut(bytes, random);
    const parts = chunks.length > 0 ? chunks : [bytes.subarray(0, 25_000), bytes.subarray(25_000)];
    const cutUp = await sniffed(parts.filter(({ length }) => length > 0));
    mustEqual(cutUp.result, whole.result, 'the verdict depends on how the stream is cut');
    mustEqual(whole.left, bytes, 'what was read is not put back');
    must(bytes.indexOf(cutUp.left) === 0, 'what was read in parts is not put back');
    const { type } = whole.result;
    if (type === 'tls' || type === 'http' || type === 'http2') {
      mustEqual(readWebLike(bytes), 'web', 'what is web would pass for raw TCP');
    }
  },
});

/** Whether Node's server, at its most lenient, reads a request out of the bytes. */
const lenientServerTakes = async (bytes: Buffer): Promise<boolean> => {
  let taken = false;
  const server = createServer({ insecureHTTPParser: true, requireHostHeader: false }, () => {
    taken = true;
  });
  for (const event of ['upgrade', 'connect', 'checkContinue', 'checkExpectation']) {
    server.on(event, () => {
      taken = true;
    });
  }
  server.on('clientError', () => undefined);
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  server.emit('connection', stream);
  stream.push(bytes);
  stream.push('\r\n\r\n');
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  stream.destroy();
  server.close();
  return taken;
};

const webLike = parserTarget({
  name: 'web-like',
  seeds: [
    'GET / HTTP/1.1\r\n',
    'get /\n',
    'SSH-2.0-x\r\n',
    ' \r\n\tGET / HTTP/1.0\r\n',
    '\x16\x03',
  ],
  generate: (random) => (random.oneIn(4) ? records(random) : requestLine(random)),
  check: async (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => {
      const said = readWebLike(prefix);
      return said === undefined ? undefined : { said };
    });
    if (readWebLike(bytes) === 'other' && random.oneIn(8)) {
      must(!(await lenientServerTakes(bytes)), 'a lenient server takes raw bytes for a request');
    }
  },
});

/** What comes first on a connection. */
export const TLS_TARGETS: readonly Target[] = [clientHello, sniffTarget, webLike];
