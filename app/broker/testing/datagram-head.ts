import { HEAD_BYTES } from '../process/datagram-head.ts';

const UDP = 17;

/** What the gateway shows of a refused datagram (RFC 791, RFC 8200, RFC 768): from port 5000, of so many bytes. */
export const datagramHead = (
  from: readonly number[],
  to: readonly number[],
  port: number,
  bytes: number,
): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  const isIpv4 = from.length === 4;
  const offset = isIpv4 ? 20 : 40;
  head[0] = isIpv4 ? 0x45 : 0x60;
  head[isIpv4 ? 9 : 6] = UDP;
  head.set(from, isIpv4 ? 12 : 8);
  head.set(to, isIpv4 ? 16 : 24);
  head.writeUInt16BE(5000, offset);
  head.writeUInt16BE(port, offset + 2);
  head.writeUInt16BE(bytes + 8, offset + 4);
  return head;
};
