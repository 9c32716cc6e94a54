import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';

/** Where the distributions keep the bundle of authorities that the host trusts. */
export const SYSTEM_BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Largest bundle that is read, in bytes. */
export const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM text, one each, in a form that compares equal for equal ones. */
export const certificatesIn = (pem: string): string[] =>
  (pem.match(CERTIFICATE) ?? []).map((block) => `${block.replaceAll('\r', '').trim()}\n`);

const readBundle = async (path: string): Promise<string[]> => {
  try {
    const bytes = await readFile(path);
    return bytes.length > MAX_BUNDLE_BYTES ? [] : certificatesIn(bytes.toString('latin1'));
  } catch {
    // A bundle that is not there adds nothing; fewer authorities mean fewer servers trusted, never more.
    return [];
  }
};

const body = (certificate: string): string => certificate.replaceAll(/\s/g, '');

/**
 * Every authority that this host trusts for TLS: Node's public ones, then the further ones of
 * `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE` and the distribution's bundle (company proxies among them).
 */
export const readHostAuthorities = async (
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> => {
  const paths = [env['NODE_EXTRA_CA_CERTS'], env['SSL_CERT_FILE'], ...SYSTEM_BUNDLES];
  const found = await Promise.all(
    paths.filter((path): path is string => path !== undefined && path !== '').map(readBundle),
  );
  return uniqueCertificates([...rootCertificates, ...found.flat()]);
};

/** Drops repeats; keeps order. */
export const uniqueCertificates = (certificates: readonly string[]): string[] => {
  const seen = new Map<string, string>();
  for (const certificate of certificates) {
    const key = body(certificate);
    if (!seen.has(key)) seen.set(key, `${certificate.trim()}\n`);
  }
  return Array.from(seen.values());
};
