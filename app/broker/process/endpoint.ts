import { isIPv6 } from 'node:net';
import { foldMapped, formatAddress, parseAddress, parseHost } from '../../policy/enforce.ts';
import type { CanonicalHost } from '../../policy/index.ts';

/** An address and a port, the address canonical. */
export type Endpoint = { readonly address: CanonicalHost; readonly port: number };

const ENDPOINT = /^(\[[0-9a-f:.]{2,64}\]|[0-9.]{7,15}):([0-9]{1,5})$/i;

/** Reads `1.2.3.4:80` or `[2001:db8::1]:80`; names are not read. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const [, addressText, portText] = ENDPOINT.exec(text) ?? [];
  if (addressText === undefined) return undefined;
  const port = Number(portText);
  const bytes = parseAddress(addressText.replaceAll(/[[\]]/g, ''));
  if (bytes === undefined || port > 65_535) return undefined;
  // A socket of both families shows its IPv4 connections as mapped addresses: what left was IPv4.
  const address = parseHost(formatAddress(foldMapped(bytes)));
  if (!address.ok) return undefined;
  return { address: address.value, port };
};

/** Canonical text of what the kernel or Node says of a socket's end. */
export const endpointOf = (
  address: string | undefined,
  port: number | undefined,
): Endpoint | undefined => {
  if (address === undefined || port === undefined) return undefined;
  return parseEndpoint(`${isIPv6(address) ? `[${address}]` : address}:${String(port)}`);
};

const AF_INET = 2;
const AF_INET6 = 10;
/** Bytes of the longest socket address read here, a `sockaddr_in6`. */
export const SOCKADDR_BYTES = 28;

/** Reads a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)); undefined for anything else and for port 0. */
export const readSockaddr = (bytes: Buffer): Endpoint | undefined => {
  if (bytes.length < 8) return undefined;
  const family = bytes.readUInt16LE(0);
  const port = bytes.readUInt16BE(2);
  if (port === 0) return undefined;
  if (family === AF_INET) return endpointOf(bytes.subarray(4, 8).join('.'), port);
  if (family !== AF_INET6 || bytes.length < 24) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(8 + at * 2).toString(16));
  return endpointOf(groups.join(':'), port);
};
