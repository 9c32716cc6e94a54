/**
 * Values in DER (ITU-T X.690), as certificates are made of them: enough to write one, and to find the
 * parts of one that OpenSSL has read.
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of a context-specific tag, of a primitive value or of one that is made of others. */
export const contextTag = (number: number, constructed: boolean): number =>
  (constructed ? 0xa0 : 0x80) | number;

const lengthOctets = (length: number): Buffer => {
  if (length < 0x80) return Buffer.from([length]);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from([0x80 | octets.length, ...octets]);
};

/** One value: its tag, its length, and what it is made of. */
export const der = (tag: number, ...content: readonly Buffer[]): Buffer => {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), lengthOctets(length), ...content]);
};

export const sequence = (...content: readonly Buffer[]): Buffer => der(TAG.sequence, ...content);

/** A whole number that is not negative, from its bytes, most significant first. */
export const unsigned = (bytes: Uint8Array): Buffer => {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : Buffer.from(bytes.subarray(first));
  const sign = (digits[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : [];
  return der(TAG.integer, ...sign, digits);
};

/** Bits, the last `unused` of which do not count. */
export const bitString = (bytes: Buffer, unused = 0): Buffer =>
  der(TAG.bitString, Buffer.from([unused]), bytes);

const base128 = (arc: number): number[] => {
  const octets = [arc & 0x7f];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
    octets.unshift(0x80 | (rest & 0x7f));
  return octets;
};

/** An object identifier from its dotted form. */
export const oid = (dotted: string): Buffer => {
  const [root = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  return der(TAG.oid, Buffer.from([root * 40 + second, ...arcs].flatMap(base128)));
};

/** A moment, to the second, as certificates have it: two digits of the year until 2049, four after (RFC 5280 4.1.2.5). */
export const time = (at: Date): Buffer => {
  const digits = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return at.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(digits.slice(2)))
    : der(TAG.generalizedTime, Buffer.from(digits));
};

/** A value that was read: its tag, what it is made of, and all of it. */
export type DerValue = { readonly tag: number; readonly content: Buffer; readonly whole: Buffer };

/** Most octets of a length: certificates are far smaller. */
export const MAX_LENGTH_OCTETS = 3;

const readOne = (bytes: Buffer): DerValue | undefined => {
  const [tag, first] = bytes;
  // Tags above 30 take more than an octet; no certificate has one.
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const start = 2 + octets;
  if ((first >= 0x80 && octets === 0) || octets > MAX_LENGTH_OCTETS || bytes.length < start)
    return undefined;
  const length = octets === 0 ? first : bytes.readUIntBE(2, octets);
  const end = start + length;
  return end > bytes.length
    ? undefined
    : { tag, content: bytes.subarray(start, end), whole: bytes.subarray(0, end) };
};

/** The values that stand one after the other in these bytes, to their end; undefined where they are no DER. */
export const readDer = (bytes: Buffer): readonly DerValue[] | undefined => {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const value = readOne(bytes.subarray(at));
    if (value === undefined) return undefined;
    values.push(value);
    at += value.whole.length;
  }
  return values;
};
