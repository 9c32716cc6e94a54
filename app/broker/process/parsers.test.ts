import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { connect } from 'node:tls';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../kit/index.ts';
import { cpuTimeMs } from '../../kit/testing/cpu-time.ts';
import { parseHost, type CanonicalHost } from '../../policy/index.ts';
import { dnsQuery } from '../testing/relay.ts';
import { MAX_CLIENT_HELLO_BYTES, readClientHello } from './client-hello.ts';
import { MAX_DNS_QUERY_BYTES, RCODE, readDnsQuery } from './dns-message.ts';
import { createDnsZone, isZoneAddress, ZONE_HOLD_MS } from './dns-zone.ts';
import { parseEndpoint, readSockaddr } from './endpoint.ts';
import { MAX_REQUEST_LINE_BYTES, sniff } from './sniff.ts';

/** The first bytes that Node's own TLS client sends. */
const captureHello = (options: object): Promise<Buffer> =>
  new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const client = connect({
        port: (server.address() as AddressInfo).port,
        host: '127.0.0.1',
        ...options,
      });
      client.on('error', () => undefined);
    });
  });

const record = (part: Buffer): Buffer =>
  Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);

const host = (text: string): CanonicalHost => {
  const parsed = parseHost(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value;
};

describe('readClientHello', () => {
  it('reads name and protocols of a real client, wherever it is cut', async () => {
    const bytes = await captureHello({
      servername: 'api.example.com',
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    const want = {
      type: 'hello',
      hello: { serverName: 'api.example.com', alpn: ['h2', 'http/1.1'], encrypted: false },
    };
    expect(readClientHello(bytes)).toEqual(want);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readClientHello(bytes.subarray(0, length))).toEqual({ type: 'more' });
    }
  });

  it('reads a message split over records', async () => {
    const bytes = await captureHello({ servername: 'api.example.com' });
    const body = bytes.subarray(5);
    const split = Buffer.concat([
      record(body.subarray(0, 3)),
      record(body.subarray(3, 90)),
      record(body.subarray(90)),
    ]);
    expect(readClientHello(split)).toMatchObject({ hello: { serverName: 'api.example.com' } });
  });

  it('refuses what is larger than its cap', () => {
    const large = Buffer.concat([
      Buffer.from([22, 3, 1, 64, 0, 1, 0, 255, 255]),
      Buffer.alloc(16_384 - 4),
    ]);
    expect(readClientHello(large)).toMatchObject({ type: 'bad' });
    expect(large.length).toBeLessThan(MAX_CLIENT_HELLO_BYTES);
  });

  it('reads records of one byte each in time proportional to their number', () => {
    const large = Buffer.concat([Buffer.from([1, 0, 0x75, 0x30]), Buffer.alloc(30_000)]);
    const wire = Buffer.concat(Array.from(large, (byte) => record(Buffer.from([byte]))));
    const spent = cpuTimeMs(() => {
      for (let round = 0; round < 200; round += 1)
        readClientHello(wire.subarray(0, MAX_CLIENT_HELLO_BYTES));
    });
    // Put together anew for each record, one reading took 5 milliseconds and more.
    expect(spent).toBeLessThan(800);
    expect(readClientHello(wire.subarray(0, MAX_CLIENT_HELLO_BYTES))).toEqual({ type: 'more' });
    const tooLarge = { type: 'bad', why: 'the ClientHello is too large' };
    expect(readClientHello(wire.subarray(0, MAX_CLIENT_HELLO_BYTES + 1))).toEqual(tooLarge);
    expect(readClientHello(wire)).toEqual(tooLarge);
  });

  it('never throws and never invents a name, whatever a byte is changed to', async () => {
    const bytes = await captureHello({ servername: 'api.example.com' });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }),
        (changes) => {
          const copy = Buffer.from(bytes);
          for (const [at, value] of changes) copy[at] = value;
          const reading = readClientHello(copy);
          const name = reading.type === 'hello' ? reading.hello.serverName : undefined;
          expect(name === undefined || copy.includes(name)).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        (noise) => void readClientHello(Buffer.concat([Buffer.from([22, 3, 1]), noise])),
      ),
      { numRuns: 2000 },
    );
  });
});

describe('sniff', () => {
  it('refuses a request line over the cap, however much of it comes at once', async () => {
    const line = `GET /${'a'.repeat(MAX_REQUEST_LINE_BYTES)} HTTP/1.1\r\n`;
    for (const chunks of [[line], [line.slice(0, 100), line.slice(100)]]) {
      const stream = new PassThrough({ highWaterMark: 100_000 });
      for (const chunk of chunks) stream.write(chunk);
      const found = await sniff(stream, createManualClock());
      expect(found).toEqual({ type: 'unknown', why: 'the first line does not end' });
    }
  });
});

describe('readDnsQuery', () => {
  it('reads name and type', () => {
    expect(readDnsQuery(dnsQuery('Api.Example.com', 28))).toMatchObject({
      type: 'query',
      query: { name: 'Api.Example.com', type: 'AAAA', internet: true },
    });
    expect(readDnsQuery(dnsQuery('', 1))).toMatchObject({ query: { name: '.' } });
    expect(readDnsQuery(dnsQuery('a', 999))).toMatchObject({ query: { type: 'TYPE999' } });
    expect(readDnsQuery(dnsQuery('a\0b', 1))).toMatchObject({ query: { name: 'a\\000b' } });
  });

  it.each([
    [
      'a compression pointer',
      Buffer.concat([dnsQuery('').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    ],
    ['two questions', Buffer.from(dnsQuery('a')).fill(2, 5, 6)],
    ['bytes behind the question', Buffer.concat([dnsQuery('a'), Buffer.from([0])])],
    ['a name past 255 bytes', dnsQuery(Array.from({ length: 5 }, () => 'x'.repeat(60)).join('.'))],
    ['too many bytes', Buffer.concat([dnsQuery('a'), Buffer.alloc(MAX_DNS_QUERY_BYTES)])],
  ])('refuses %s', (_what, bytes) => {
    expect(readDnsQuery(bytes)).toMatchObject({ type: 'bad', rcode: RCODE.formErr });
  });

  it('gives no answer to an answer', () => {
    const bytes = Buffer.from(dnsQuery('a'));
    bytes[2] = 0x81;
    expect(readDnsQuery(bytes)).toMatchObject({ type: 'bad', id: undefined });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (noise) => {
        expect(readDnsQuery(Buffer.from(noise))).toHaveProperty('type');
      }),
      { numRuns: 3000 },
    );
    const whole = dnsQuery('api.example.com');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const copy = Buffer.from(whole);
        copy[at] = value;
        expect(readDnsQuery(copy)).toHaveProperty('type');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the synthetic zone', () => {
  it('gives each name one address of its own', () => {
    const zone = createDnsZone(createManualClock(), 5);
    const names = Array.from({ length: 3000 }, (_, index) => host(`n${String(index)}.test`));
    const addresses = names.map((name) => zone.addressOf(name) ?? '');
    expect(new Set(addresses).size).toBe(3000);
    expect(addresses.every(isZoneAddress)).toBe(true);
    expect(names.every((name, index) => zone.nameOf(addresses[index] ?? '') === name)).toBe(true);
    expect(addresses.some((address) => /\.(0|255)$/.test(address))).toBe(false);
  });

  it('refuses past its cap, gives up the oldest once it is stale, and never a live one', () => {
    const clock = createManualClock();
    const zone = createDnsZone(clock, 0, 2);
    const first = zone.addressOf(host('a.test')) ?? '';
    const unpin = zone.pin(first);
    zone.addressOf(host('b.test'));
    expect(zone.addressOf(host('c.test'))).toBeUndefined();
    clock.advance(ZONE_HOLD_MS + 1);
    expect(zone.addressOf(host('c.test'))).toBeDefined();
    expect(zone.nameOf(first)).toBe('a.test');
    clock.advance(ZONE_HOLD_MS + 1);
    unpin();
    expect(zone.addressOf(host('d.test'))).toBeDefined();
    expect(zone.nameOf(first)).toBeUndefined();
    expect(zone.size()).toBe(2);
  });
});

describe('parseEndpoint', () => {
  it('reads addresses with ports, canonical, and no names', () => {
    expect(parseEndpoint('10.0.0.1:80')).toEqual({ address: '10.0.0.1', port: 80 });
    expect(parseEndpoint('[2001:DB8::1]:443')).toEqual({ address: '2001:db8::1', port: 443 });
    expect(parseEndpoint('[::ffff:127.0.0.1]:1')).toEqual({ address: '127.0.0.1', port: 1 });
    for (const text of ['host:80', '10.0.0.1', '10.0.0.1:99999', '', '[::1]', 'a'.repeat(1000)]) {
      expect(parseEndpoint(text)).toBeUndefined();
    }
  });
});

describe('readSockaddr', () => {
  it('reads both families', () => {
    const v4 = Buffer.from('020001bb5db8d8220000000000000000', 'hex');
    expect(readSockaddr(v4)).toEqual({ address: '93.184.216.34', port: 443 });
    const v6 = Buffer.from(
      `0a000050${'0'.repeat(8)}20010db8${'0'.repeat(22)}07${'0'.repeat(8)}`,
      'hex',
    );
    expect(readSockaddr(v6)).toEqual({ address: '2001:db8::7', port: 80 });
  });

  it('refuses what is cut, other families and port 0', () => {
    expect(readSockaddr(Buffer.alloc(7))).toBeUndefined();
    expect(readSockaddr(Buffer.from('0a0000500000000020010db800000000', 'hex'))).toBeUndefined();
    expect(readSockaddr(Buffer.from('010001bb5db8d8220000000000000000', 'hex'))).toBeUndefined();
    expect(readSockaddr(Buffer.from('020000005db8d8220000000000000000', 'hex'))).toBeUndefined();
  });
});
