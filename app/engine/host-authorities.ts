import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';

/** Largest certificate file that is read. */
export const MAX_BUNDLE_BYTES = 8 * 1024 * 1024;

/** A certificate that this machine trusts beyond the public ones. */
export type HostAuthority = {
  readonly pem: string;
  readonly fingerprint: string;
  readonly subject: string;
};

/** The distributions' merged bundles: Debian, Fedora, SUSE, Alpine. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const LOCAL_FOLDERS = ['/usr/local/share/ca-certificates', '/etc/pki/ca-trust/source/anchors'];
/** What the distribution itself calls public: older roots in it are not "beyond the public ones". */
const PUBLIC_FOLDERS = ['/usr/share/ca-certificates/mozilla'];

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

const readText = (path: string): string => {
  try {
    const about = statSync(path);
    return about.isFile() && about.size <= MAX_BUNDLE_BYTES ? readFileSync(path, 'latin1') : '';
  } catch {
    // Absent or unreadable: nothing is trusted through it.
    return '';
  }
};

const filesBelow = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(crt|pem|cer)$/.test(name))
      .map((name) => join(folder, name))
      .toSorted();
  } catch {
    return [];
  }
};

const parse = (pem: string): HostAuthority | undefined => {
  try {
    const certificate = new X509Certificate(pem);
    return {
      pem: `${pem.replaceAll('\r', '').trim()}\n`,
      fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      subject: certificate.subject.replaceAll('\n', ', '),
    };
  } catch {
    return undefined;
  }
};

/** The certificates among `texts` whose DER fingerprint is in none of `known`, each once, ordered by fingerprint. */
export const selectAuthorities = (
  texts: readonly string[],
  known: readonly string[],
): readonly HostAuthority[] => {
  const publicOnes = new Set(
    known.flatMap((text) => text.match(PEM) ?? []).map((pem) => parse(pem)?.fingerprint),
  );
  const found = new Map<string, HostAuthority>();
  for (const pem of texts.flatMap((text) => text.match(PEM) ?? [])) {
    const authority = parse(pem);
    if (authority === undefined || publicOnes.has(authority.fingerprint)) continue;
    found.set(authority.fingerprint, authority);
  }
  return Array.from(found.values()).toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
};

/**
 * Certificates that this machine trusts beyond the public ones (company proxies): from
 * `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE`, the distribution's bundle and its folders for local ones.
 */
export const hostAuthorities = (
  env: Readonly<Record<string, string | undefined>>,
): readonly HostAuthority[] => {
  const named = [env['NODE_EXTRA_CA_CERTS'], env['SSL_CERT_FILE']].filter(
    (path) => path !== undefined,
  );
  const files = new Set([...named, ...BUNDLES, ...LOCAL_FOLDERS.flatMap(filesBelow)]);
  return selectAuthorities(Array.from(files, readText), [
    ...rootCertificates,
    ...PUBLIC_FOLDERS.flatMap(filesBelow).map(readText),
  ]);
};

/** The public authorities and this machine's own, as one PEM text. */
export const trustBundle = (authorities: readonly HostAuthority[]): string =>
  [...rootCertificates.map((pem) => `${pem.trim()}\n`), ...authorities.map(({ pem }) => pem)].join(
    '',
  );
