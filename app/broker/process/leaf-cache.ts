import 'reflect-metadata';
import { isIP } from 'node:net';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from 'node:tls';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { CanonicalHost } from '../../policy/index.ts';
import { BACKDATE_MS, KEY_ALGORITHM, randomSerial } from '../authority.ts';

/** Most leaf certificates kept; the one used longest ago goes first. */
export const MAX_LEAVES = 512;
/** How long a leaf is valid, in days. A session that lives longer gets new ones. */
export const LEAF_DAYS = 7;
const INSIDE_CIPHERS = `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS}`;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Certificates for the hosts that the sandbox asks for, minted by the session's authority on first use. */
export type LeafCache = {
  readonly contextFor: (host: CanonicalHost) => Promise<SecureContext>;
  readonly size: () => number;
};

export const createLeafCache = async (
  authority: { readonly certificatePem: string; readonly privateKeyPem: string },
  now: () => number,
  maxLeaves: number = MAX_LEAVES,
): Promise<LeafCache> => {
  const issuer = new X509Certificate(authority.certificatePem);
  const signingKey = await crypto.subtle.importKey(
    'pkcs8',
    PemConverter.decodeFirst(authority.privateKeyPem),
    KEY_ALGORITHM,
    false,
    ['sign'],
  );
  const authorityKey = await AuthorityKeyIdentifierExtension.create(
    await issuer.publicKey.export(),
  );
  // One key for all leaves of this process: it proves nothing to anyone but this session's sandbox.
  const leafKeys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const keyPem = PemConverter.encode(
    await crypto.subtle.exportKey('pkcs8', leafKeys.privateKey),
    'PRIVATE KEY',
  );

  const mint = async (host: CanonicalHost): Promise<SecureContext> => {
    const address = isIP(host) !== 0;
    const certificate = await X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      // The name stands in the SAN alone: a common name is cut at 64 characters and read by nobody.
      subject: 'CN=Glovebox',
      issuer: issuer.subject,
      notBefore: new Date(now() - BACKDATE_MS),
      notAfter: new Date(now() + LEAF_DAYS * DAY_MS),
      publicKey: leafKeys.publicKey,
      signingKey,
      signingAlgorithm: KEY_ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([{ type: address ? 'ip' : 'dns', value: host }]),
        authorityKey,
      ],
    });
    return createSecureContext({
      key: keyPem,
      cert: `${certificate.toString('pem')}\n${authority.certificatePem}`,
      minVersion: 'TLSv1.2',
      // Both ends are on one machine: the cheapest of the strong ones first.
      ciphers: INSIDE_CIPHERS,
    });
  };

  const leaves = new Map<CanonicalHost, { made: number; context: Promise<SecureContext> }>();
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
      context.catch(() => leaves.delete(host));
      for (const oldest of leaves.keys()) {
        if (leaves.size <= maxLeaves) break;
        leaves.delete(oldest);
      }
      return context;
    },
    size: () => leaves.size,
  };
};
