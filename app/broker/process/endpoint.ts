import { isAddress, parseHost, type CanonicalHost } from '../../policy/index.ts';

/** An address and a port, the address canonical. */
export type Endpoint = { readonly address: CanonicalHost; readonly port: number };

const ENDPOINT = /^(\[[0-9a-f:.]{2,64}\]|[0-9.]{7,15}):([0-9]{1,5})$/i;

/** Reads `1.2.3.4:80` or `[2001:db8::1]:80`; names are not read. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const [, addressText, portText] = ENDPOINT.exec(text) ?? [];
  if (addressText === undefined) return undefined;
  const port = Number(portText);
  const address = parseHost(addressText);
  if (!address.ok || !isAddress(address.value) || port > 65_535) return undefined;
  return { address: address.value, port };
};
