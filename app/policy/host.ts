import { MAX_HOST_CHARS } from '../contract/bounds.ts';
import { fail, ok, type Brand, type Result } from '../kit/index.ts';
import { foldMapped, formatAddress, parseIpv6 } from './address.ts';

/**
 * A host in its one canonical form: lower case, IDNA to ASCII, no trailing dot, no control characters;
 * addresses in their standard spelling (odd IPv4 forms folded to dotted IPv4). Minted by `parseHost` only.
 */
export type CanonicalHost = Brand<string, 'CanonicalHost'>;

/** Most characters of one label (RFC 1035 2.3.4). */
export const MAX_LABEL_CHARS = 63;
/** Most characters read before IDNA, which may make a name shorter or longer. */
export const MAX_RAW_HOST_CHARS = 1024;

// Underscores are no RFC 1123 host names but are in use, and mean nothing to a URL.
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;
// What a URL would take for the end of the host, its userinfo or its port; and what it would strip or decode.
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const NEVER_IN_A_NAME = /[\u0000-\u0020\u007f-\u00a0%/\\?#@:[\]<>^|"`{}\u2028\u2029]/;

const refuse = (why: string): Result<CanonicalHost> =>
  fail('egress.bad-host', `The host ${why}.`, 'Give a plain host name or address.');

const parseBracketedOrBareIpv6 = (text: string): Result<CanonicalHost> => {
  const inner = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const bytes = parseIpv6(inner);
  if (bytes === undefined) return refuse('is neither a name nor an IPv6 address');
  // Two spellings of one address would be two hosts to rules; nobody needs this one.
  if (foldMapped(bytes) !== bytes) return refuse('is an IPv4 address written as IPv6');
  return ok(formatAddress(bytes) as CanonicalHost);
};

const urlHost = (text: string): string | undefined => {
  try {
    return new URL(`http://${text}/`).hostname;
  } catch {
    // The platform's parser says no; its words add nothing a user could act on.
    return undefined;
  }
};

/**
 * The one canonical form of a host, before every decision. Names go through the URL standard's host
 * parser (IDNA to ASCII, lower case, odd IPv4 spellings to dotted IPv4); IPv6 comes with or without
 * brackets and goes without; one trailing dot is dropped.
 * Refused with `egress.bad-host`: IPv4-mapped IPv6, and anything with control characters, spaces, percent signs, ports,
 * userinfo, zone ids, empty or over-long labels. `parseHost` of its own result changes nothing.
 */
export const parseHost = (text: string): Result<CanonicalHost> => {
  if (text === '') return refuse('is empty');
  if (text.length > MAX_RAW_HOST_CHARS) return refuse('is too long');
  if (text.startsWith('[') || text.includes(':')) return parseBracketedOrBareIpv6(text);
  if (NEVER_IN_A_NAME.test(text)) return refuse('has characters that no name has');
  const parsed = urlHost(text);
  if (parsed === undefined || parsed === '') return refuse('is not a valid name');
  const host = parsed.endsWith('.') ? parsed.slice(0, -1) : parsed;
  if (host.length > MAX_HOST_CHARS) return refuse('is too long');
  for (const label of host.split('.')) {
    if (label.length > MAX_LABEL_CHARS) return refuse('has a part that is too long');
    if (!LABEL.test(label)) return refuse('has a part that no name has');
  }
  return ok(host as CanonicalHost);
};
