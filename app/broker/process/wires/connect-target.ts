import { fail, ok, type Result } from '../../../kit/index.ts';
import { parseHost } from '../../../policy/enforce.ts';
import type { CanonicalHost } from '../../../policy/index.ts';
import type { Refusal } from '../refuse.ts';

/** Longest target of a CONNECT, in characters. */
export const MAX_CONNECT_TARGET_CHARS = 512;

export type ProxyTarget = { readonly host: CanonicalHost; readonly port: number };

const refuse = (message: string): Result<never, Refusal> => fail('egress.bad-host', message);

const AUTHORITY = /^(\[[^\]]*\]|[^:[\]@/?#\\]*)(?::([0-9]{1,5}))?$/;

const readAuthority = (
  text: string,
  defaultPort: number | undefined,
): Result<ProxyTarget, Refusal> => {
  const [, hostText, portText] = AUTHORITY.exec(text) ?? [];
  if (hostText === undefined || hostText === '') {
    return refuse('The target is not written HOST:PORT.');
  }
  const host = parseHost(hostText);
  if (!host.ok) return refuse('The target names no valid host.');
  const port = portText === undefined ? defaultPort : Number(portText);
  if (port === undefined) return refuse('The target names no port.');
  if (port < 1 || port > 65_535) return refuse('The target’s port is not from 1 to 65535.');
  return ok({ host: host.value, port });
};

/** Reads the authority-form target of a CONNECT request (RFC 9112 3.2.3): host and port, both needed. */
export const parseConnectTarget = (text: string): Result<ProxyTarget, Refusal> =>
  text.length > MAX_CONNECT_TARGET_CHARS
    ? refuse('The target is too long.')
    : readAuthority(text, undefined);

const ABSOLUTE = /^([a-z][a-z0-9+.-]{0,31}):\/\/([^/?#]*)/i;

/**
 * Reads where an absolute-form target leads (RFC 9112 3.2.2). Only `http`: a proxy that was asked for
 * an `https` URL would see in the clear what the program believes to be encrypted.
 */
export const parseAbsoluteTarget = (url: string): Result<ProxyTarget, Refusal> => {
  const [, scheme, authority] = ABSOLUTE.exec(url) ?? [];
  if (scheme === undefined || authority === undefined) {
    return fail(
      'egress.bad-request',
      'The request to the proxy names no server.',
      'A proxy needs the whole URL: GET http://HOST/PATH.',
    );
  }
  if (scheme.toLowerCase() === 'https') {
    return fail(
      'egress.not-tls',
      'An https URL was asked of the proxy in the clear.',
      'Open a tunnel with CONNECT, or connect without a proxy.',
    );
  }
  if (scheme.toLowerCase() !== 'http') {
    return fail('egress.bad-request', 'The proxy serves http URLs and tunnels, nothing else.');
  }
  return readAuthority(authority, 80);
};
