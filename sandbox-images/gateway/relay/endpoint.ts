import { isIPv6 } from 'node:net';

/** An address and port inside the sandbox's network. */
export type Endpoint = { readonly address: string; readonly port: number };

/** `address:port`, or `[address]:port` for IPv6, as authorities are written (RFC 3986 3.2.2). */
export const endpointText = ({ address, port }: Endpoint): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

export const ipv4Text = (bytes: Buffer): string => Array.from(bytes).join('.');

/** The shortest form of an IPv6 address (RFC 5952), as `URL` writes it. */
export const ipv6Text = (bytes: Buffer): string => {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
};
