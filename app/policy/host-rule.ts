import { fail, ok, type Result } from '../kit/index.ts';
import { isAddress } from './judge-address.ts';
import { parseHost, type CanonicalHost } from './host.ts';

/** One host pattern with an optional port; without a port, 443 and 80. */
export type HostRule = {
  readonly type: 'exact' | 'suffix';
  /** For `suffix`, the part behind `*.`; it never matches the bare suffix itself. */
  readonly host: CanonicalHost;
  readonly port: number | undefined;
};

/** Ports of a rule that names none. */
export const DEFAULT_PORTS: readonly number[] = [443, 80];

const PORT = /^[0-9]{1,5}$/;

/** A port number from decimal text: 1 to 65535. */
export const parsePort = (text: string): Result<number> => {
  const port = PORT.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535
    ? ok(port)
    : fail('policy.invalid', 'The port is not a number from 1 to 65535.');
};

/** Splits `HOST[:PORT]` where HOST may be `[v6]` or bare IPv6 (then without a port). Parses neither part. */
export const splitHostPort = (
  text: string,
): { readonly host: string; readonly port: string | undefined } => {
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    const rest = text.slice(end + 1);
    if (end > 0 && rest.startsWith(':'))
      return { host: text.slice(0, end + 1), port: rest.slice(1) };
    return { host: text, port: undefined };
  }
  const colon = text.indexOf(':');
  if (colon < 0 || colon !== text.lastIndexOf(':')) return { host: text, port: undefined };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
};

/**
 * Reads `HOST`, `HOST:PORT`, `*.suffix[:PORT]`, `[v6][:PORT]`. A wildcard stands for whole labels in
 * front and needs two labels behind it: `*` and `*.com` are refused, they would name half the world.
 */
export const parseHostRule = (text: string): Result<HostRule> => {
  if (text.includes('://')) {
    return fail(
      'egress.bad-host',
      'A rule names a host, not a URL.',
      'Leave out the scheme and the path.',
    );
  }
  const split = splitHostPort(text);
  const port = split.port === undefined ? ok(undefined) : parsePort(split.port);
  if (!port.ok) return port;
  const wildcard = split.host.startsWith('*');
  if (wildcard && !split.host.startsWith('*.')) {
    return fail('policy.invalid', 'A wildcard stands for whole labels: *.example.com.');
  }
  const host = parseHost(wildcard ? split.host.slice(2) : split.host);
  if (!host.ok) return host;
  if (wildcard && (isAddress(host.value) || !host.value.includes('.'))) {
    return fail('policy.invalid', 'A wildcard needs at least two labels behind it: *.example.com.');
  }
  return ok({ type: wildcard ? 'suffix' : 'exact', host: host.value, port: port.value });
};

/** The rule as the user would write it; `parseHostRule` reads it back. */
export const formatHostRule = (rule: HostRule): string => {
  const host = rule.host.includes(':') ? `[${rule.host}]` : rule.host;
  const pattern = rule.type === 'suffix' ? `*.${host}` : host;
  return rule.port === undefined ? pattern : `${pattern}:${rule.port}`;
};

/** Whether the rule names this destination. A suffix matches subdomains at any depth, never itself, never an address. */
export const matchesHostRule = (rule: HostRule, host: CanonicalHost, port: number): boolean => {
  const portFits = rule.port === undefined ? DEFAULT_PORTS.includes(port) : rule.port === port;
  if (!portFits) return false;
  return rule.type === 'exact' ? host === rule.host : host.endsWith(`.${rule.host}`);
};

/** Whether some destination fits both rules. */
export const overlappingRules = (one: HostRule, other: HostRule): boolean => {
  const ports = (rule: HostRule): readonly number[] =>
    rule.port === undefined ? DEFAULT_PORTS : [rule.port];
  if (!ports(one).some((port) => ports(other).includes(port))) return false;
  const names = (rule: HostRule): string => (rule.type === 'suffix' ? `.${rule.host}` : rule.host);
  const within = (inner: HostRule, outer: HostRule): boolean =>
    outer.type === 'exact'
      ? inner.type === 'exact' && inner.host === outer.host
      : names(inner).endsWith(names(outer));
  return within(one, other) || within(other, one);
};
