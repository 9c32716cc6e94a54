import { unwrap } from '../../kit/index.ts';
import { buildGrant, parseHost, shapeOf, type CredentialGrant } from '../../policy/index.ts';
import { createCredentialBook, type CredentialBook } from '../process/credential-book.ts';
import type { HeaderPairs } from '../process/inject.ts';
import type { JudgedRequest } from '../process/mediate.ts';

/** A grant as a session would make it for this secret. */
export const grantFor = (kind: string, secret: string, hosts: readonly string[]): CredentialGrant =>
  unwrap(
    buildGrant({ name: `my-${kind}`, kind, hosts: [], addedAt: '' }, hosts, shapeOf(kind, secret)),
  );

export const bookOf = (grant: CredentialGrant, secret: string): CredentialBook =>
  createCredentialBook([{ grant, secret }]);

/** A judged request as the broker hands it to mediators. */
export const requestTo = (
  url: string,
  {
    method = 'GET',
    headers = [],
    bodyBytes = 0,
  }: { method?: string; headers?: HeaderPairs; bodyBytes?: number | undefined } = {},
): JudgedRequest => {
  const { hostname, port, protocol, host } = new URL(url);
  const authority = `${protocol}//${host}`;
  const target = url.slice(authority.length);
  return {
    to: {
      host: unwrap(parseHost(hostname)),
      port: port === '' ? 443 : Number(port),
      tls: protocol === 'https:',
    },
    method,
    target: target === '' ? '/' : target,
    headers: [['Host', host], ...headers],
    bodyBytes,
  };
};
