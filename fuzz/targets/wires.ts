import { readSockaddr, parseEndpoint } from '../../app/broker/process/endpoint.ts';
import {
  MAX_SOCKS_USER_CHARS,
  readSocks4Request,
  readSocksGreeting,
  readSocksLogin,
  readSocksRequest,
} from '../../app/broker/process/wires/socks.ts';
import {
  authenticationMessage,
  initialResponse,
  MAX_LOGIN_MESSAGE_BYTES,
  postgresMessage,
  readAuthentication,
  readInitialResponse,
  readMechanisms,
  readPostgresMessage,
  errorText,
} from '../../app/broker/process/wires/postgres-message.ts';
import {
  cancelRequest,
  MAX_STARTUP_BYTES,
  readStartup,
  sslRequest,
  startupMessage,
} from '../../app/broker/process/wires/postgres-startup.ts';
import {
  createSaltedPasswords,
  createScramClient,
  createScramServer,
  SCRAM,
} from '../../app/broker/process/wires/scram.ts';
import { parseHost } from '../../app/policy/index.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { checkPrefixes, hostText, textOf, u16, u32, u8, vector, type Prefix } from './streams.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Turns a reading with `more` and `bad` into what `checkPrefixes` looks at. */
const prefixOf = (
  reading: { readonly type: string; readonly used?: number } & Readonly<Record<string, unknown>>,
): Prefix => {
  if (reading.type === 'more') return undefined;
  return { said: reading, ...(reading.used === undefined ? {} : { used: reading.used }) };
};

const socksRequest = (random: Random): Buffer => {
  const host = latin1(hostText(random));
  const place = random.pick([
    Buffer.concat([u8(1), random.bytes(4)]),
    Buffer.concat([u8(4), random.bytes(16)]),
    Buffer.concat([u8(3), vector(random, 1, host)]),
  ]);
  return Buffer.concat([
    u8(5),
    u8(random.pick([1, 1, 1, 2, 3])),
    u8(0),
    place,
    u16(random.below(65_536)),
  ]);
};

const socks4 = (random: Random): Buffer =>
  Buffer.concat([
    u8(4),
    u8(random.pick([1, 1, 1, 2])),
    u16(random.pick([443, 0, 65_535])),
    random.pick([Buffer.from([0, 0, 0, 1]), random.bytes(4), Buffer.alloc(4)]),
    latin1('u'.repeat(random.pick([0, 3, 255, 256]))),
    u8(0),
    random.oneIn(2) ? latin1(`${hostText(random)}\0`) : Buffer.alloc(0),
  ]);

/** A host that a parser let through is canonical, and is written once. */
export const mustBeCanonical = (host: string): void => {
  mustEqual(parseHost(host), { ok: true, value: host }, 'a host that is not canonical');
};

const socks = parserTarget({
  name: 'socks',
  seeds: [
    '\x05\x01\x00',
    '\x05\x02\x00\x02',
    '\x01\x01u\x01p',
    '\x05\x01\x00\x03\x0fapi.example.com\x01\xbb',
    '\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50',
    '\x04\x01\x00\x50\x00\x00\x00\x01u\x00api.example.com\x00',
  ],
  generate: (random) =>
    random.pick([
      () => socksRequest(random),
      () => socks4(random),
      () => Buffer.concat([u8(5), vector(random, 1, random.bytes(random.below(4)))]),
      () =>
        Buffer.concat([
          u8(1),
          vector(random, 1, random.bytes(random.below(9))),
          vector(random, 1, random.bytes(random.below(9))),
        ]),
    ])(),
  check: (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => prefixOf(readSocksGreeting(prefix)));
    checkPrefixes(bytes, random, (prefix) => prefixOf(readSocksLogin(prefix)));
    for (const read of [readSocksRequest, readSocks4Request]) {
      checkPrefixes(bytes, random, (prefix) => prefixOf(read(prefix)));
      const request = read(bytes);
      if (request.type !== 'request') continue;
      const { target, user } = request;
      mustBeCanonical(target.host);
      must(target.port >= 1 && target.port <= 65_535, 'a port that is none');
      must(bytes.includes(u16(target.port)), 'a port that was not asked for');
      must(user.length <= MAX_SOCKS_USER_CHARS, 'a user id over the limit');
    }
  },
});

const endpoint = parserTarget({
  name: 'endpoint',
  seeds: [
    '127.0.0.1:80',
    '[2001:db8::1]:443',
    '[::ffff:10.0.0.1]:22',
    Buffer.from('02000050c0a80001', 'hex'),
    Buffer.from('0a0001bb0000000020010db800000000000000000000000100000000', 'hex'),
    Buffer.from('0a0001bb0000000000000000000000000000ffff7f00000100000000', 'hex'),
  ],
  generate: (random) =>
    random.oneIn(2)
      ? latin1(`${hostText(random)}:${String(random.below(70_000))}`)
      : Buffer.concat([
          Buffer.from([random.pick([2, 10, 1]), 0]),
          u16(random.below(65_536)),
          random.bytes(random.pick([4, 12, 24])),
        ]),
  check: (bytes) => {
    for (const found of [parseEndpoint(textOf(bytes)), readSockaddr(bytes)]) {
      if (found === undefined) continue;
      mustBeCanonical(found.address);
      const { address, port } = found;
      const text = `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
      mustEqual(parseEndpoint(text), found, 'an end of a connection that reads otherwise again');
    }
    const address = readSockaddr(bytes);
    if (address === undefined) return;
    must(address.port === bytes.readUInt16BE(2), 'another port than the kernel said');
    if (bytes[0] === 2) {
      mustEqual(address.address, [...bytes.subarray(4, 8)].join('.'), 'another address');
    }
  },
});

const startup = (random: Random): Buffer => {
  const parameters = Array.from({ length: random.oneIn(20) ? 70 : random.below(5) }, (_, at) =>
    latin1(
      `${random.pick(['user', 'database', `p${String(at)}`, '_pq_.x', ''])}\0${random.pick(['me', '', 'a\xff'])}\0`,
    ),
  );
  const body = Buffer.concat([
    u32(random.pick([196_608, 196_608, 196_610, 131_072, 80_877_103, 80_877_102, 80_877_104])),
    ...parameters,
    random.oneIn(9) ? Buffer.alloc(0) : u8(0),
  ]);
  const lie = random.oneIn(10) ? random.pick([-1, 1, 4, 100_000]) : 0;
  return Buffer.concat([u32(body.length + 4 + lie), body, random.bytes(random.below(4))]);
};

const postgresStartup = parserTarget({
  name: 'postgres-startup',
  maxBytes: 12_000,
  seeds: [
    sslRequest(),
    cancelRequest(7, 9),
    startupMessage([
      ['user', 'me'],
      ['database', 'd'],
    ]),
    startupMessage([]),
  ],
  generate: startup,
  check: (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => {
      const reading = readStartup(prefix);
      // A head alone tells of a length: what was used may be more than was given until it has come.
      if (reading.type === 'read' && reading.used > prefix.length) return undefined;
      return prefixOf(reading);
    });
    const reading = readStartup(bytes);
    if (reading.type !== 'read') return;
    must(reading.used <= bytes.length, 'it uses what it was not given');
    must(reading.used <= MAX_STARTUP_BYTES, 'a packet over the limit');
    const { startup: read } = reading;
    if (read.type === 'startup') {
      const again = readStartup(startupMessage(read.parameters));
      must(again.type === 'read' && again.startup.type === 'startup', 'it does not read its own');
      mustEqual(again.startup.parameters, read.parameters, 'parameters that read otherwise again');
      const raw = bytes.subarray(8, reading.used);
      mustEqual(startupMessage(read.parameters).subarray(8), raw, 'bytes that mean nothing');
    } else if (read.type === 'cancel') {
      mustEqual(cancelRequest(read.processId, read.key), bytes.subarray(0, 16), 'another cancel');
    }
  },
});

const postgresMessages = parserTarget({
  name: 'postgres-message',
  maxBytes: 70_000,
  seeds: [
    authenticationMessage(10, latin1('SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0')),
    initialResponse('SCRAM-SHA-256', 'n,,n=,r=abcdefgh'),
    postgresMessage('E', latin1('SFATAL\0C28000\0Mno\0\0')),
    postgresMessage('p', latin1('secret\0')),
  ],
  generate: (random) =>
    postgresMessage(
      random.pick(['R', 'p', 'E', 'v', '\xff']),
      random.pick([
        () =>
          Buffer.concat([
            u32(random.pick([0, 3, 5, 10, 11, 12, -1])),
            random.bytes(random.below(30)),
          ]),
        () => latin1(`A\0B\0${random.pick(['', '\0'])}`),
        () => initialResponse('X', 'y'.repeat(random.below(5))).subarray(5),
      ])(),
    ),
  check: (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => {
      const reading = readPostgresMessage(prefix);
      if (reading.type === 'more') return undefined;
      return reading.type === 'bad'
        ? { said: reading }
        : { said: reading, used: reading.message.raw.length };
    });
    const reading = readPostgresMessage(bytes);
    const body = reading.type === 'read' ? reading.message.body : bytes;
    if (reading.type === 'read') {
      const { type, raw } = reading.message;
      must(body.length < MAX_LOGIN_MESSAGE_BYTES, 'a message over the limit');
      mustEqual(postgresMessage(type, body), raw, 'a message that is written otherwise');
    }
    const authentication = readAuthentication(body);
    if (authentication !== undefined) {
      const { kind, data } = authentication;
      mustEqual(authenticationMessage(kind, data).subarray(5), body, 'it is written otherwise');
    }
    const mechanisms = readMechanisms(body);
    if (mechanisms !== undefined) {
      mustEqual(latin1(`${mechanisms.join('\0')}\0\0`), body, 'mechanisms that were not offered');
    }
    const response = readInitialResponse(body);
    if (response !== undefined) {
      const written = initialResponse(response.mechanism, response.message).subarray(5);
      mustEqual(written, body, 'a first response that is written otherwise');
    }
    must(
      // oxlint-disable-next-line no-control-regex -- control characters are what may not be there
      !/[\u0000-\u001f\u007f]/.test(errorText(body)),
      'control characters in the words of an error',
    );
    must(errorText(body).length <= 200, 'an error that is too long for the record');
  },
});

const NONCE = 'fuzzfuzzfuzz';
const PASSWORD = 'pencil';
const SALTED = createSaltedPasswords(Buffer.alloc(16, 7));

const scram = parserTarget({
  name: 'scram',
  seeds: [
    'n,,n=,r=clientnonce\nc=biws,r=clientnoncefuzzfuzzfuzz,p=AAAA',
    'y,,n=,r=clientnonce\nr=fuzzfuzzfuzzmore,s=QSXCR+Q6sek8bf92,i=4096',
    'p=tls-server-end-point,,n=,r=clientnonce\nv=AAAA',
    `n,,n=,r=clientnonce\nr=${NONCE}x,s=AAAA,i=1000000`,
  ],
  caseMs: 3000,
  generate: (random) =>
    latin1(
      `${random.pick(['n', 'y', 'p=tls-server-end-point', ''])},${random.pick(['', '', 'a=x'])},n=${random.pick(['', 'me'])},r=${random.pick(['clientnonce', 'short', 'a,b', 'x'.repeat(600)])}\n${random.pick(['r', 'c', 'v'])}=${random.pick(['biws', `${NONCE}x`, ''])},s=${random.pick(['AAAA', '', '?'])},i=${String(random.pick([4096, 4095, 0, 10_000_000, -1]))},p=${random.bytes(32).toString('base64')}`,
    ),
  check: async (bytes) => {
    const [first = '', ...rest] = textOf(bytes).split('\n');
    const second = rest.join('\n');
    const server = createScramServer([PASSWORD], SCRAM, undefined, NONCE, SALTED);
    const answer = server.first(first);
    if (answer !== undefined) {
      must(answer.length < 4096 && !/[\r\n\0]/.test(answer), 'an answer that is no line');
      must(!answer.includes(PASSWORD), 'the answer tells the password');
    }
    // Guessing a proof is as likely as guessing 256 bits.
    mustEqual(await server.final(second), undefined, 'nonsense proves that it knows the password');
    const client = createScramClient(PASSWORD, undefined, false, NONCE);
    // Rounds are the server's to choose up to a cap; they cost time, so that few are tried here.
    const rounds = Number(/,i=([0-9]{1,9})/.exec(second)?.[1] ?? 0);
    if (rounds <= 20_000) {
      const final = await client.final(second);
      if (final !== undefined) {
        must(rounds >= 4096, 'too few rounds');
        must(!final.includes(PASSWORD), 'the proof tells the password');
      }
    }
    must(!client.verify(second), 'nonsense proves that the server knows the password');
  },
});

export const WIRE_TARGETS: readonly Target[] = [
  socks,
  endpoint,
  postgresStartup,
  postgresMessages,
  scram,
];
