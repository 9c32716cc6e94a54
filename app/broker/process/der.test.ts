import { assert, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { certificateParts } from './certificate-parts.ts';
import { bitString, contextTag, der, oid, readDer, sequence, TAG, time, unsigned } from './der.ts';

const hex = (bytes: Buffer): string => bytes.toString('hex');
const bytes = (text: string): Buffer => Buffer.from(text, 'hex');

describe('values in DER', () => {
  it.each([
    [0, '00'],
    [127, '7f'],
    [128, '8180'],
    [255, '81ff'],
    [256, '820100'],
    [65_535, '82ffff'],
    [65_536, '83010000'],
  ])('have their length in front: %i', (length, expected) => {
    const value = der(TAG.octetString, Buffer.alloc(length));
    expect(hex(value).slice(2, 2 + expected.length)).toBe(expected);
    expect(readDer(value)).toEqual([
      { tag: TAG.octetString, content: Buffer.alloc(length), whole: value },
    ]);
  });

  it.each([
    ['00', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['000001', '020101'],
    ['0000ff', '020200ff'],
    ['ffff', '020300ffff'],
  ])('are whole numbers, never negative, in the fewest octets: %s', (number, expected) => {
    expect(hex(unsigned(bytes(number)))).toBe(expected);
  });

  it.each([
    ['2.5.29.17', '0603551d11'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
    ['1.2.840.113549.1.1.11', '06092a864886f70d01010b'],
    ['2.16.840.1.101.3.4.2.1', '0609608648016503040201'],
    ['1.3.6.1.5.5.7.3.1', '06082b06010505070301'],
  ])('are object identifiers: %s', (dotted, expected) => {
    expect(hex(oid(dotted))).toBe(expected);
  });

  it.each([
    ['2026-11-22T06:05:04.999Z', '170d3236313132323036303530345a'],
    ['2049-12-31T23:59:59Z', '170d3439313233313233353935395a'],
    ['2050-01-01T00:00:00Z', '180f32303530303130313030303030305a'],
  ])('are moments (RFC 5280 4.1.2.5): %s', (at, expected) => {
    expect(hex(time(new Date(at)))).toBe(expected);
  });

  it('are bits, and others in a row', () => {
    expect(hex(bitString(bytes('80'), 7))).toBe('03020780');
    expect(hex(sequence(unsigned(bytes('01')), der(contextTag(2, false))))).toBe('30050201018200');
  });

  it.each([
    ['a tag alone', '30'],
    ['a length past the end', '300501'],
    ['a length without its octets', '3082'],
    ['a length without an end', '30800000'],
    ['a length of four octets', '308400000000'],
    ['a tag of several octets', '1f2a00'],
    ['something behind', '020101ff'],
  ])('are not read from %s', (_name, encoded) => {
    expect(readDer(bytes(encoded))).toBeUndefined();
  });

  it('are read or refused, whatever comes, and never beyond what is there', () => {
    assert(
      property(uint8Array({ maxLength: 64 }), (input) => {
        const wholes = readDer(Buffer.from(input))?.map(({ whole }) => whole);
        expect([undefined, hex(Buffer.from(input))]).toContain(
          wholes === undefined ? undefined : hex(Buffer.concat(wholes)),
        );
        certificateParts(der(TAG.sequence, sequence(Buffer.from(input)), sequence(oid('1.2.3'))));
      }),
      { numRuns: 2000 },
    );
  });
});

it.each([
  ['nothing', Buffer.alloc(0)],
  ['an empty sequence', sequence()],
  ['no sequence', der(TAG.octetString, sequence(sequence(), sequence()))],
  [
    'too few fields',
    sequence(sequence(unsigned(bytes('01'))), sequence(oid('1.2.3')), bitString(bytes('00'))),
  ],
])('a certificate has no parts in %s', (_name, encoded) => {
  expect(certificateParts(encoded)).toBeUndefined();
});
