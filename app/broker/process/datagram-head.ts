import { endpointOf, type Endpoint } from './endpoint.ts';

/** Bytes of a refused datagram that the gateway shows, from its IP header on (`HEAD_BYTES` in gateway.h). */
export const HEAD_BYTES = 80;

const UDP = 17;
const UDP_HEADER_BYTES = 8;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;

export type Datagram = {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** Payload bytes, as the UDP header says. */
  readonly bytes: number;
};

const ipv4Text = (bytes: Buffer): string => bytes.join('.');

const ipv6Text = (bytes: Buffer): string =>
  Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(':');

const datagram = (from: string, to: string, head: Buffer, offset: number): Datagram | undefined => {
  const source = endpointOf(from, head.readUInt16BE(offset));
  const destination = endpointOf(to, head.readUInt16BE(offset + 2));
  if (source === undefined || destination === undefined) return undefined;
  const bytes = Math.max(0, head.readUInt16BE(offset + 4) - UDP_HEADER_BYTES);
  return { source, destination, bytes };
};

/** Reads an IPv4 (RFC 791) or IPv6 (RFC 8200) packet's head; undefined where it shows no UDP header. */
export const parseDatagram = (head: Buffer): Datagram | undefined => {
  const [first = 0] = head;
  const family = first >> 4;
  if (family === 4) {
    const offset = (first & 15) * 4;
    if (offset < IPV4_HEADER_BYTES || head.length < offset + UDP_HEADER_BYTES) return undefined;
    if (head[9] !== UDP) return undefined;
    return datagram(ipv4Text(head.subarray(12, 16)), ipv4Text(head.subarray(16, 20)), head, offset);
  }
  if (family !== 6 || head.length < IPV6_HEADER_BYTES + UDP_HEADER_BYTES) return undefined;
  if (head[6] !== UDP) return undefined;
  const [from, to] = [ipv6Text(head.subarray(8, 24)), ipv6Text(head.subarray(24, 40))];
  return datagram(from, to, head, IPV6_HEADER_BYTES);
};
