/** An IP address as bytes in network order: 4 of them for IPv4, 16 for IPv6. */
export type AddressBytes = readonly number[];

const DECIMAL_OCTET = /^(0|[1-9][0-9]{0,2})$/;
const HEX_GROUP = /^[0-9a-f]{1,4}$/i;
const IPV6_GROUPS = 8;

/** Reads dotted IPv4 in its one canonical spelling; octal, hexadecimal, short and padded forms are not read. */
export const parseIpv4 = (text: string): AddressBytes | undefined => {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes: number[] = [];
  for (const part of parts) {
    if (!DECIMAL_OCTET.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    bytes.push(byte);
  }
  return bytes;
};

const parseGroups = (text: string): number[] | undefined => {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      // Dotted IPv4 stands only at the very end (RFC 4291 2.2.3).
      const four = index === parts.length - 1 ? parseIpv4(part) : undefined;
      if (four === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = four;
      groups.push(a * 256 + b, c * 256 + d);
    } else {
      if (!HEX_GROUP.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
};

/** Reads IPv6 text (RFC 4291 2.2) without brackets; zone ids are not read. */
export const parseIpv6 = (text: string): AddressBytes | undefined => {
  if (!text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [headText = '', tailText] = halves;
  // Before `::` a dotted part would not be at the end of the address.
  if (tailText !== undefined && headText.includes('.')) return undefined;
  const head = parseGroups(headText);
  const tail = tailText === undefined ? [] : parseGroups(tailText);
  if (head === undefined || tail === undefined) return undefined;
  const missing = IPV6_GROUPS - head.length - tail.length;
  if (tailText === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 255]);
};

/** Reads either family; `undefined` for anything that is not exactly an address. */
export const parseAddress = (text: string): AddressBytes | undefined =>
  text.includes(':') ? parseIpv6(text) : parseIpv4(text);

const hex = (groups: readonly number[]): string =>
  groups.map((group) => group.toString(16)).join(':');

/** The canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it, without brackets. */
export const formatAddress = (bytes: AddressBytes): string => {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from(
    { length: IPV6_GROUPS },
    (_, index) => (bytes[2 * index] ?? 0) * 256 + (bytes[2 * index + 1] ?? 0),
  );
  let best = { start: -1, length: 1 };
  let start = -1;
  for (let index = 0; index <= IPV6_GROUPS; index += 1) {
    if (groups[index] === 0) {
      if (start < 0) start = index;
    } else if (start >= 0) {
      if (index - start > best.length) best = { start, length: index - start };
      start = -1;
    }
  }
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
};

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

/** The IPv4 address inside an IPv4-mapped IPv6 one (`::ffff:a.b.c.d`), or the address as it is. */
export const foldMapped = (bytes: AddressBytes): AddressBytes =>
  bytes.length === 16 && MAPPED_PREFIX.every((byte, index) => bytes[index] === byte)
    ? bytes.slice(12)
    : bytes;

/** Whether the first `bits` bits of `bytes` are those of `prefix`. Families never mix. */
export const inBlock = (bytes: AddressBytes, prefix: AddressBytes, bits: number): boolean => {
  if (bytes.length !== prefix.length) return false;
  for (let index = 0; index * 8 < bits; index += 1) {
    const kept = Math.min(8, bits - index * 8);
    const mask = (0xff << (8 - kept)) & 0xff;
    if (((bytes[index] ?? 0) & mask) !== ((prefix[index] ?? 0) & mask)) return false;
  }
  return true;
};
