import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CanonicalHost } from '../../../policy/index.ts';
import { readClientHello } from '../client-hello.ts';
import { parseAbsoluteTarget, parseConnectTarget } from './connect-target.ts';
import { againstPassing } from './pass-through.ts';
import { readInitialResponse, readMechanisms, readPostgresMessage } from './postgres-message.ts';
import {
  cancelRequest,
  MAX_STARTUP_BYTES,
  MAX_STARTUP_PARAMETERS,
  readStartup,
  sslRequest,
  startupMessage,
} from './postgres-startup.ts';
import {
  MAX_SOCKS_USER_CHARS,
  readSocks4Request,
  readSocksGreeting,
  readSocksLogin,
  readSocksRequest,
  SOCKS_REPLY,
} from './socks.ts';
import { readWebLike } from './web-like.ts';

const bytes = (...parts: (number | string)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))),
  );

describe('SOCKS', () => {
  it('reads greeting and login', () => {
    expect(readSocksGreeting(bytes(5, 2, 0, 2))).toEqual({
      type: 'greeting',
      methods: [0, 2],
      used: 4,
    });
    expect(readSocksGreeting(bytes(5, 2, 0))).toEqual({ type: 'more' });
    expect(readSocksGreeting(bytes(5, 0))).toMatchObject({ type: 'bad' });
    expect(readSocksGreeting(bytes(6))).toMatchObject({ type: 'bad' });
    expect(readSocksLogin(bytes(1, 2, 'me', 3, 'pwd', 'x'))).toEqual({
      type: 'login',
      user: 'me',
      password: 'pwd',
      used: 8,
    });
    expect(readSocksLogin(bytes(1, 2, 'me', 3, 'pw'))).toEqual({ type: 'more' });
  });

  it('reads requests for IPv4, IPv6 and names, in one canonical form', () => {
    expect(readSocksRequest(bytes(5, 1, 0, 1, 203, 0, 113, 7, 1, 187))).toEqual({
      type: 'request',
      target: { host: '203.0.113.7', port: 443 },
      user: '',
      used: 10,
    });
    const six = bytes(5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80);
    expect(readSocksRequest(six)).toMatchObject({ target: { host: '2001:db8::1', port: 80 } });
    const mapped = bytes(5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1, 0, 80);
    expect(readSocksRequest(mapped)).toMatchObject({ type: 'bad' });
    expect(readSocksRequest(bytes(5, 1, 0, 3, 9, 'Good.Test', 1, 187))).toMatchObject({
      target: { host: 'good.test', port: 443 },
      used: 16,
    });
    expect(readSocksRequest(bytes(5, 1, 0, 3, 9, 'Good.Test', 1))).toEqual({ type: 'more' });
  });

  it.each([
    ['BIND', bytes(5, 2, 0, 1, 1, 1, 1, 1, 0, 80), SOCKS_REPLY.commandRefused],
    ['UDP', bytes(5, 3, 0, 1, 0, 0, 0, 0, 0, 0), SOCKS_REPLY.commandRefused],
    [
      'an unknown sort of address',
      bytes(5, 1, 0, 9, 1, 1, 1, 1, 0, 80),
      SOCKS_REPLY.addressRefused,
    ],
    ['a name with a NUL', bytes(5, 1, 0, 3, 6, 'a.b\0.c', 0, 80), SOCKS_REPLY.addressRefused],
    ['an empty name', bytes(5, 1, 0, 3, 0, 0, 80), SOCKS_REPLY.addressRefused],
    ['port 0', bytes(5, 1, 0, 1, 1, 1, 1, 1, 0, 0), SOCKS_REPLY.failed],
    ['another version', bytes(4, 1, 0, 1, 1, 1, 1, 1, 0, 80), SOCKS_REPLY.failed],
  ])('refuses %s', (_what, request, reply) => {
    expect(readSocksRequest(request)).toMatchObject({ type: 'bad', reply });
  });

  it('reads SOCKS4 and 4a', () => {
    expect(readSocks4Request(bytes(4, 1, 1, 187, 203, 0, 113, 7, 'me', 0))).toEqual({
      type: 'request',
      target: { host: '203.0.113.7', port: 443 },
      user: 'me',
      used: 11,
    });
    expect(
      readSocks4Request(bytes(4, 1, 1, 187, 0, 0, 0, 9, 0, 'good.test', 0, 'x')),
    ).toMatchObject({
      target: { host: 'good.test' },
      used: 19,
    });
    expect(readSocks4Request(bytes(4, 1, 1, 187, 0, 0, 0, 9, 0, 'good.test'))).toEqual({
      type: 'more',
    });
    expect(readSocks4Request(bytes(4, 2, 1, 187, 1, 1, 1, 1, 0))).toMatchObject({ type: 'bad' });
    const long = bytes(4, 1, 1, 187, 1, 1, 1, 1, 'u'.repeat(MAX_SOCKS_USER_CHARS + 1));
    expect(readSocks4Request(long)).toMatchObject({ type: 'bad' });
    const fits = bytes(4, 1, 1, 187, 1, 1, 1, 1, 'u'.repeat(MAX_SOCKS_USER_CHARS), 0);
    expect(readSocks4Request(fits)).toMatchObject({ type: 'request' });
  });
});

describe('a proxy’s target', () => {
  it.each([
    ['Good.Test:443', 'good.test', 443],
    ['[2001:DB8::1]:8443', '2001:db8::1', 8443],
    ['0x7f.1:80', '127.0.0.1', 80],
  ])('of CONNECT %s is canonical', (text, host, port) => {
    expect(parseConnectTarget(text)).toEqual({ ok: true, value: { host, port } });
  });

  it.each([
    'good.test',
    'good.test:0',
    'good.test:65536',
    ':443',
    'a@b:443',
    'a b:443',
    'a\0b:443',
    'http://good.test:443',
    'good.test:443/x',
    `${'a'.repeat(600)}:443`,
  ])('of CONNECT is refused where it is %j', (text) => {
    expect(parseConnectTarget(text)).toMatchObject({ ok: false });
  });

  it('of a request is where its URL leads, over http alone', () => {
    expect(parseAbsoluteTarget('http://Good.Test/x?y')).toMatchObject({
      value: { host: 'good.test', port: 80 },
    });
    expect(parseAbsoluteTarget('HTTP://good.test:8080')).toMatchObject({ value: { port: 8080 } });
    expect(parseAbsoluteTarget('https://good.test/')).toMatchObject({
      error: { code: 'egress.not-tls' },
    });
    for (const url of [
      '/path',
      'ftp://good.test/',
      'http:///x',
      'http://u@good.test/',
      'http://good.test\\@x/',
    ]) {
      expect(parseAbsoluteTarget(url)).toMatchObject({ ok: false });
    }
  });
});

describe('PostgreSQL’s start-up', () => {
  it('is read as it was written', () => {
    const parameters = [
      ['user', 'me'],
      ['database', 'data'],
      ['options', ''],
    ] as const;
    const message = startupMessage(parameters);
    expect(readStartup(Buffer.concat([message, Buffer.from('more')]))).toEqual({
      type: 'read',
      startup: { type: 'startup', minor: 0, parameters },
      used: message.length,
    });
    expect(readStartup(sslRequest())).toMatchObject({ startup: { type: 'ssl' }, used: 8 });
    expect(readStartup(cancelRequest(7, -9))).toMatchObject({
      startup: { type: 'cancel', processId: 7, key: -9 },
      used: 16,
    });
  });

  const packet = (length: number, code: number, body: string): Buffer => {
    const head = Buffer.alloc(8);
    head.writeInt32BE(length, 0);
    head.writeUInt32BE(code, 4);
    return Buffer.concat([head, Buffer.from(body, 'latin1')]);
  };

  it.each([
    ['protocol 2', packet(20, 0x20000, 'user\0me\0\0\0\0\0')],
    ['a length below its own', packet(7, 0x30000, '')],
    ['a length past the limit', packet(MAX_STARTUP_BYTES + 1, 0x30000, '')],
    ['a negative length', packet(-1, 0x30000, '')],
    ['no end', packet(15, 0x30000, 'user\0me')],
    ['a name without a value', packet(14, 0x30000, 'user\0\0')],
    ['a parameter twice', packet(25, 0x30000, 'user\0me\0user\0you\0\0').subarray(0, 26)],
    ['bytes behind its end', packet(19, 0x30000, 'user\0me\0\0xx')],
    ['an SSL request that is longer', packet(9, 80_877_103, 'x')],
    ['a cancel request that is longer', packet(20, 80_877_102, '012345678901')],
  ])('with %s is refused', (_what, bytesOf) => {
    expect(readStartup(bytesOf)).toMatchObject({ type: 'bad' });
  });

  it('takes as many parameters as it may, and not one more', () => {
    const list = (count: number) =>
      Array.from({ length: count }, (_, index) => [`p${String(index)}`, 'v'] as const);
    expect(readStartup(startupMessage(list(MAX_STARTUP_PARAMETERS)))).toMatchObject({
      type: 'read',
    });
    expect(readStartup(startupMessage(list(MAX_STARTUP_PARAMETERS + 1)))).toMatchObject({
      type: 'bad',
    });
  });

  it('asks for more until it is whole, wherever it is cut', () => {
    const message = startupMessage([['user', 'me']]);
    for (let at = 0; at < message.length; at += 1) {
      expect(readStartup(message.subarray(0, at))).toEqual({ type: 'more' });
    }
  });
});

/** A real ClientHello as Node sends it. */
const realHello = (servername: string | undefined): Promise<Buffer> =>
  new Promise((resolve) => {
    const carrier = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer) => {
        resolve(chunk);
      },
    });
    connect({ socket: carrier, ...(servername === undefined ? {} : { servername }) }).on(
      'error',
      () => undefined,
    );
  });

/** The same with one extension more, at the end. */
const withExtension = (hello: Buffer, type: number, data: Buffer): Buffer => {
  const longer = Buffer.concat([hello, Buffer.alloc(4), data]);
  longer.writeUInt16BE(type, hello.length);
  longer.writeUInt16BE(data.length, hello.length + 2);
  const more = data.length + 4;
  longer.writeUInt16BE(hello.readUInt16BE(3) + more, 3);
  longer.writeUIntBE(hello.readUIntBE(6, 3) + more, 6, 3);
  const session = 9 + 2 + 32;
  const suites = session + 1 + (hello[session] ?? 0);
  const compression = suites + 2 + hello.readUInt16BE(suites);
  const extensions = compression + 1 + (hello[compression] ?? 0);
  longer.writeUInt16BE(hello.readUInt16BE(extensions) + more, extensions);
  return longer;
};

describe('a handshake with a host that is passed through', () => {
  const host = 'pinned.test' as CanonicalHost;
  const against = (hello: Buffer): string | undefined => {
    const reading = readClientHello(hello);
    return reading.type === 'hello' ? againstPassing(reading.hello, host)?.code : reading.type;
  };

  it('passes where it names the host in the clear, in any spelling', async () => {
    expect(against(await realHello('pinned.test'))).toBeUndefined();
    expect(against(await realHello('PINNED.test'))).toBeUndefined();
    const grease = withExtension(await realHello('pinned.test'), 0x0a0a, Buffer.from('x'));
    expect(against(grease)).toBeUndefined();
  });

  it('does not where it names another host, or none', async () => {
    expect(against(await realHello('other.test'))).toBe('egress.authority-mismatch');
    expect(against(await realHello(undefined))).toBe('egress.authority-mismatch');
  });

  it('does not where it carries an encrypted ClientHello, whatever name is in sight', async () => {
    const hello = withExtension(await realHello('pinned.test'), 0xfe0d, Buffer.alloc(64));
    expect(against(hello)).toBe('egress.encrypted-hello');
  });
});

describe('bytes that are nearly of the web', () => {
  it.each([
    ['\x16', 'web'],
    ['\r\n \x16', 'web'],
    ['GET / HTTP/1.1', 'web'],
    ['get\t/\tHTTP/1.0', 'web'],
    ['\nPOST /x http/2', 'web'],
    ['GET /x', 'web'],
    ['POST /x\r\n', 'web'],
    ['PRI  *\r\n', 'web'],
    ['DELETE http://a/\r\n', 'web'],
    ['GET key\n', 'other'],
    ['SET /key 1\r\n', 'other'],
    ['PING\r\n', 'other'],
    ['\0\0\0\x08', 'other'],
    ['\r\n', undefined],
    ['SSH-2.0-x', undefined],
    ['SSH-2.0-x\n', 'other'],
    ['', undefined],
  ] as const)('are told: %j', (text, reading) => {
    expect(readWebLike(Buffer.from(text, 'latin1'))).toBe(reading);
  });
});

describe('every parser of a wire', () => {
  const PARSERS = [
    readSocksGreeting,
    readSocksLogin,
    readSocksRequest,
    readSocks4Request,
    readStartup,
    readPostgresMessage,
    readInitialResponse,
    readMechanisms,
    readWebLike,
  ];

  it('says something of any bytes and never throws, nor reads past their end', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.constantFrom(...PARSERS),
        (input, parse) => {
          const result = parse(Buffer.from(input)) as { used?: number } | string | undefined;
          expect(typeof result === 'object' ? (result.used ?? 0) : 0).toBeLessThanOrEqual(
            input.length,
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('says something of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(typeof parseConnectTarget(text).ok).toBe('boolean');
        expect(typeof parseAbsoluteTarget(`http://${text}`).ok).toBe('boolean');
      }),
    );
  });
});
