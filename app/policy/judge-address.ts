import { fail, ok, type Result } from '../kit/index.ts';
import { formatAddress, foldMapped, inBlock, parseAddress, type AddressBytes } from './address.ts';

/**
 * Addresses that no session reaches by itself, with what they are. Sources: the IANA IPv4 and IPv6
 * special-purpose address registries, RFC 6890, and the metadata services of the large clouds.
 * The first match names the reason, so narrower blocks come first.
 */
export const REFUSED_BLOCKS: readonly (readonly [block: string, what: string])[] = [
  ['169.254.169.254/32', 'a cloud metadata service'],
  ['169.254.170.2/32', 'a container metadata service'],
  ['100.100.100.200/32', 'a cloud metadata service'],
  ['168.63.129.16/32', 'a cloud platform service'],
  ['192.0.0.192/32', 'a cloud metadata service'],
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'a private network'],
  ['100.64.0.0/10', 'a carrier’s shared network'],
  ['127.0.0.0/8', 'this machine'],
  ['169.254.0.0/16', 'a link-local address'],
  ['172.16.0.0/12', 'a private network'],
  ['192.0.0.0/24', 'reserved for protocols'],
  ['192.0.2.0/24', 'a documentation address'],
  ['192.31.196.0/24', 'an AS112 sink'],
  ['192.52.193.0/24', 'a multicast relay'],
  ['192.88.99.0/24', 'a 6to4 relay'],
  ['192.168.0.0/16', 'a private network'],
  ['192.175.48.0/24', 'an AS112 sink'],
  ['198.18.0.0/15', 'a benchmarking network'],
  ['198.51.100.0/24', 'a documentation address'],
  ['203.0.113.0/24', 'a documentation address'],
  ['224.0.0.0/4', 'a multicast address'],
  ['255.255.255.255/32', 'the broadcast address'],
  ['240.0.0.0/4', 'a reserved address'],
  ['fd00:ec2::254/128', 'a cloud metadata service'],
  ['fd20:ce::254/128', 'a cloud metadata service'],
  ['::/128', 'the unspecified address'],
  ['::1/128', 'this machine'],
  ['::ffff:0:0/96', 'an IPv4 address written as IPv6'],
  ['::ffff:0:0:0/96', 'a translated IPv4 address'],
  ['::/96', 'an IPv4 address written as IPv6'],
  ['64:ff9b::/96', 'a translated IPv4 address'],
  ['64:ff9b:1::/48', 'a translated IPv4 address'],
  ['100::/64', 'a discard address'],
  ['100:0:0:1::/64', 'a discard address'],
  ['2001::/32', 'a Teredo tunnel'],
  ['2001:10::/28', 'an overlay identifier'],
  ['2001:20::/28', 'an overlay identifier'],
  ['2001::/23', 'reserved for protocols'],
  ['2001:db8::/32', 'a documentation address'],
  ['2002::/16', 'a 6to4 tunnel'],
  ['2620:4f:8000::/48', 'an AS112 sink'],
  ['3fff::/20', 'a documentation address'],
  ['5f00::/16', 'a segment routing identifier'],
  ['fc00::/7', 'a private network'],
  ['fe80::/10', 'a link-local address'],
  ['fec0::/10', 'a site-local address'],
  ['ff00::/8', 'a multicast address'],
];

const parseBlock = ([block, what]: readonly [string, string]): {
  readonly prefix: AddressBytes;
  readonly bits: number;
  readonly what: string;
} => {
  const [address = '', bits = ''] = block.split('/');
  const prefix = parseAddress(address);
  if (prefix === undefined) throw new Error(`${block} is not an address block`);
  return { prefix, bits: Number(bits), what };
};

const BLOCKS = REFUSED_BLOCKS.map(parseBlock);

/** The only part of IPv6 given out so far (RFC 4291 2.4, IANA): what lies outside is no public server. */
const GLOBAL_UNICAST = { prefix: parseBlock(['2000::/3', '']).prefix, bits: 3 };

/** The end of an ISATAP address in front of its IPv4 part (RFC 5214 6.1): such addresses are tunnels into IPv4. */
const ISATAP = [
  [0x00, 0x00, 0x5e, 0xfe],
  [0x02, 0x00, 0x5e, 0xfe],
];
const isIsatap = (bytes: AddressBytes): boolean =>
  ISATAP.some((middle) => middle.every((byte, index) => bytes[8 + index] === byte));

const NAME_IT = 'Name the destination with --resolve HOST:PORT:ADDRESS if you mean it.';

const bare = (address: string): string => address.split('%')[0] ?? '';

const same = (one: AddressBytes, other: AddressBytes): boolean =>
  one.length === other.length && one.every((byte, index) => other[index] === byte);

/**
 * Whether a resolved address may be dialled: public, and none of `ownAddresses` (the host's own).
 * Takes the canonical text only; what it cannot read it refuses. IPv6 forms that carry an IPv4
 * address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) are refused whole, whatever they carry.
 */
export const judgeAddress = (
  address: string,
  ownAddresses: readonly string[] = [],
): Result<void> => {
  const refuse = (what: string): Result<void> =>
    fail('egress.private-address', `${address} is ${what}.`, NAME_IT);
  const bytes = parseAddress(address);
  if (bytes === undefined) {
    return fail('egress.private-address', 'What the name leads to is not an address.');
  }
  const block = BLOCKS.find(({ prefix, bits }) => inBlock(bytes, prefix, bits));
  if (block !== undefined) return refuse(block.what);
  if (bytes.length === 16 && isIsatap(bytes)) return refuse('an ISATAP tunnel');
  if (bytes.length === 16 && !inBlock(bytes, GLOBAL_UNICAST.prefix, GLOBAL_UNICAST.bits)) {
    return refuse('outside the public IPv6 space');
  }
  for (const own of ownAddresses) {
    const ownBytes = parseAddress(bare(own));
    // An own address nobody can read could be any address.
    if (ownBytes === undefined) return refuse('not known to be foreign');
    if (same(foldMapped(ownBytes), bytes)) return refuse('this machine’s own address');
  }
  return ok(undefined);
};

/** Whether the text is an IP address in canonical spelling (as `parseHost` mints them). */
export const isAddress = (host: string): boolean => {
  const bytes = parseAddress(host);
  return bytes !== undefined && formatAddress(bytes) === host;
};
