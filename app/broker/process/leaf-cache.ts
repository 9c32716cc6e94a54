import { generateKeyPairSync } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from 'node:tls';
import type { CanonicalHost } from '../../policy/index.ts';
import { DAY_MS, LEAF_DAYS, readLeafIssuer, writeLeaf } from './leaf-certificate.ts';

/** Most leaf certificates kept; the one used longest ago goes first. */
export const MAX_LEAVES = 512;
const INSIDE_CIPHERS = `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS}`;

/** Certificates for the hosts that the sandbox asks for, minted by the session's authority on first use. */
export type LeafCache = {
  readonly contextFor: (host: CanonicalHost) => SecureContext;
  readonly size: () => number;
};

export const createLeafCache = (
  authority: { readonly certificatePem: string; readonly privateKeyPem: string },
  now: () => number,
  maxLeaves: number = MAX_LEAVES,
): LeafCache => {
  const issuer = readLeafIssuer(authority);
  // One key for all leaves of this process: it proves nothing to anyone but this session's sandbox.
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });

  const mint = (host: CanonicalHost): SecureContext =>
    createSecureContext({
      key,
      cert: `${writeLeaf(issuer, publicKey, host, now())}${authority.certificatePem}`,
      minVersion: 'TLSv1.2',
      // Both ends are on one machine: the cheapest of the strong ones first.
      ciphers: INSIDE_CIPHERS,
    });

  const leaves = new Map<CanonicalHost, { made: number; context: SecureContext }>();
  return {
    contextFor: (host) => {
      const known = leaves.get(host);
      leaves.delete(host);
      if (known !== undefined && now() - known.made < (LEAF_DAYS * DAY_MS) / 2) {
        leaves.set(host, known);
        return known.context;
      }
      const context = mint(host);
      leaves.set(host, { made: now(), context });
      for (const oldest of leaves.keys()) {
        if (leaves.size <= maxLeaves) break;
        leaves.delete(oldest);
      }
      return context;
    },
    size: () => leaves.size,
  };
};
