import { fail, ok, type Result } from '../kit/index.ts';
import { parseHost } from './host.ts';
import { parsePort, splitHostPort } from './host-rule.ts';
import { isAddress } from './judge-address.ts';

/** `HOST:PORT:ADDRESS[:PORT]`: this destination leads to that address, even a private one, and only this destination. */
export type ResolveRule = {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly addressPort: number;
};

/** Port of a resolver that names none. */
export const DNS_PORT = 53;

const parseEndpoint = (
  text: string,
  defaultPort: number,
): Result<{ readonly address: string; readonly port: number }> => {
  const split = splitHostPort(text);
  const address = parseHost(split.host);
  if (!address.ok) return address;
  if (!isAddress(address.value)) {
    return fail('policy.invalid', `${address.value} is a name where an address is needed.`);
  }
  const port = split.port === undefined ? ok(defaultPort) : parsePort(split.port);
  return port.ok ? ok({ address: address.value, port: port.value }) : port;
};

/** Reads `HOST:PORT:ADDRESS[:PORT]`; IPv6 in brackets, or bare at the end. The host is exact and comes out canonical. */
export const parseResolve = (text: string): Result<ResolveRule> => {
  const match = /^(\[[^\]]*\]|[^:[\]]+):([0-9]+):(.+)$/s.exec(text);
  const [, hostText, portText, endpointText] = match ?? [];
  if (hostText === undefined || portText === undefined || endpointText === undefined) {
    return fail('policy.invalid', 'A resolve rule is written HOST:PORT:ADDRESS[:PORT].');
  }
  const host = parseHost(hostText);
  if (!host.ok) return host;
  const port = parsePort(portText);
  if (!port.ok) return port;
  const endpoint = parseEndpoint(endpointText, port.value);
  if (!endpoint.ok) return endpoint;
  return ok({
    host: host.value,
    port: port.value,
    address: endpoint.value.address,
    addressPort: endpoint.value.port,
  });
};

/** Reads `ADDRESS[:PORT]` of the resolver that the broker asks; port 53 where none is given. */
export const parseResolver = (
  text: string,
): Result<{ readonly address: string; readonly port: number }> => parseEndpoint(text, DNS_PORT);
