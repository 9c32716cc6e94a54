import 'reflect-metadata'; // The certificate library's dependency container asks for it.
import * as x509 from '@peculiar/x509';

const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate with its key, both PEM. */
export type Identity = { readonly certificate: string; readonly key: string };

/** A private authority for stand-in servers: what `--upstream-ca` names in tests. */
export type TestAuthority = {
  readonly certificate: string;
  /** A server certificate for these DNS names and addresses. */
  readonly issue: (names: readonly string[]) => Promise<Identity>;
};

const pemKey = async (key: CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');

const isAddress = (name: string): boolean => /^[\d.]+$/.test(name) || name.includes(':');

export const createTestAuthority = async (title = 'Glovebox tests'): Promise<TestAuthority> => {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - DAY_MS);
  const notAfter = new Date(Date.now() + DAY_MS);
  const subject = `CN=${title} authority`;
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: subject,
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  return {
    certificate: root.toString('pem'),
    issue: async (names) => {
      const leafKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: crypto.randomUUID().replaceAll('-', ''),
        subject: `CN=${names[0] ?? 'stand-in'}`,
        issuer: subject,
        notBefore,
        notAfter,
        signingAlgorithm: ALGORITHM,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            names.map((name) => ({
              type: isAddress(name) ? ('ip' as const) : ('dns' as const),
              value: name,
            })),
          ),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ],
      });
      return { certificate: leaf.toString('pem'), key: await pemKey(leafKeys.privateKey) };
    },
  };
};
