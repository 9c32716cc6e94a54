import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, inBlock, parseAddress } from './address.ts';
import { parseHost } from './host.ts';
import { isAddress, judgeAddress, REFUSED_BLOCKS } from './judge-address.ts';

const refused = (address: string, own?: readonly string[]): boolean => {
  const judged = judgeAddress(address, own);
  if (!judged.ok && judged.error.code !== 'egress.private-address')
    throw new Error(judged.error.code);
  return !judged.ok;
};

const bytesIn = (prefix: readonly number[], bits: number) =>
  fc.uint8Array({ minLength: prefix.length, maxLength: prefix.length }).map((random) =>
    prefix.map((byte, index) => {
      const kept = Math.max(0, Math.min(8, bits - index * 8));
      const mask = (0xff << (8 - kept)) & 0xff;
      return (byte & mask) | ((random[index] ?? 0) & ~mask & 0xff);
    }),
  );

describe('judgeAddress', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2606:4700:4700::1111',
    '2a00:1450::1',
  ])('lets %s through', (address) => {
    expect(refused(address)).toBe(false);
  });

  it.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.7',
    '203.0.113.7',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::2',
    '::7f00:1',
    '::808:808',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '::ffff:0:7f00:1',
    '64:ff9b::808:808',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2001:10::1',
    '2001:1f:ffff::1',
    '2001:20::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:808:808::1',
    '3fff::1',
    '4000::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'febf::1',
    'fec0::1',
    'ff02::1',
    'ffff::',
  ])('refuses %s', (address) => {
    expect(refused(address)).toBe(true);
  });

  it.each([
    '',
    'localhost',
    '0x8080808',
    '8.8.8',
    '8.8.8.08',
    '008.8.8.8',
    '8.8.8.8 ',
    ' 8.8.8.8',
    '8.8.8.8\n',
    '8.8.8.8.',
    '8.8.8.8/32',
    '134744072',
    '[2606:4700::1]',
    '2606:4700::1%eth0',
    '2606:4700::1::',
    '8.8.8.-8',
    '8.8.8.1e1',
    '８.8.8.8',
  ])('refuses %j, which is not canonical text', (address) => {
    expect(refused(address)).toBe(true);
  });

  it('refuses the machine’s own addresses in any spelling', () => {
    const own = ['93.184.216.34', '2606:4700:0::00aa', 'fe80::1%eth0'];
    expect(refused('93.184.216.34', own)).toBe(true);
    expect(refused('2606:4700::aa', own)).toBe(true);
    expect(refused('93.184.216.35', own)).toBe(false);
    expect(refused('93.184.216.34', ['::ffff:93.184.216.34'])).toBe(true);
    expect(refused('93.184.216.35', ['not an address'])).toBe(true);
  });

  it('refuses every address of every block', () => {
    for (const [block] of REFUSED_BLOCKS) {
      const [base = '', bits = ''] = block.split('/');
      const prefix = parseAddress(base) ?? [];
      fc.assert(
        fc.property(bytesIn(prefix, Number(bits)), (bytes) => {
          expect(inBlock(bytes, prefix, Number(bits))).toBe(true);
          expect(refused(formatAddress(bytes))).toBe(true);
        }),
        { numRuns: 60 },
      );
    }
  });

  it('refuses IPv4 in every IPv6 form that carries it', () => {
    fc.assert(
      fc.property(fc.ipV4(), (four) => {
        const [a = 0, b = 0, c = 0, d = 0] = four.split('.').map(Number);
        const [high, low] = [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
        for (const form of [
          `::ffff:${four}`,
          `::${four}`,
          `::ffff:0:${four}`,
          `64:ff9b::${four}`,
          `64:ff9b:1::${four}`,
          `2002:${high}:${low}::1`,
          `2001::${high}:${low}`,
          `2a00:1450:1:2:0:5efe:${four}`,
          `2a00:1450:1:2:200:5efe:${high}:${low}`,
        ]) {
          expect(refused(form)).toBe(true);
        }
      }),
    );
  });

  it('refuses an inner address in whatever spelling a URL allows', () => {
    const inner = fc.oneof(
      fc.constantFrom('169.254.169.254', '127.0.0.1', '0.0.0.0', '100.100.100.200'),
      bytesIn([10, 0, 0, 0], 8).map((bytes) => bytes.join('.')),
      bytesIn([127, 0, 0, 0], 8).map((bytes) => bytes.join('.')),
      bytesIn([192, 168, 0, 0], 16).map((bytes) => bytes.join('.')),
    );
    const inBase = (value: number, base: number, zeros: number): string => {
      if (base === 16) return `0x${'0'.repeat(zeros)}${value.toString(16)}`;
      return base === 8 ? `0${'0'.repeat(zeros)}${value.toString(8)}` : String(value);
    };
    const wide = (text: string): string =>
      text.replaceAll(/[0-9a-fx]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0xfee0));
    fc.assert(
      fc.property(
        inner,
        // How many bytes the last part takes in, and in which base each part is written.
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.constantFrom(8, 10, 16), { minLength: 4, maxLength: 4 }),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom('', '.', '\u3002'),
        fc.boolean(),
        (address, last, bases, zeros, end, fullWidth) => {
          const bytes = address.split('.').map(Number);
          const tail = bytes.slice(4 - last).reduce((sum, byte) => sum * 256 + byte, 0);
          const spelt = [...bytes.slice(0, 4 - last), tail]
            .map((part, index) => inBase(part, bases[index] ?? 10, zeros))
            .join('.');
          const host = parseHost(`${fullWidth ? wide(spelt) : spelt}${end}`);
          expect(host).toEqual({ ok: true, value: address });
          expect(refused(address)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.oneof(bytesIn([0, 0, 0, 0], 0), bytesIn(Array(16).fill(0), 0)), (bytes) => {
        const text = formatAddress(bytes);
        expect(parseAddress(text)).toEqual(bytes);
        expect(isAddress(text)).toBe(true);
      }),
    );
  });
});
