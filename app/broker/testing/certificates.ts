import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { KEY_ALGORITHM } from '../authority.ts';
import { randomSerial } from '../certificate.ts';

/** A private authority for upstream stand-ins. */
export type TestAuthority = {
  readonly pem: string;
  readonly issue: (
    names: readonly string[],
  ) => Promise<{ readonly key: string; readonly cert: string }>;
};

const DAY_MS = 24 * 60 * 60 * 1000;

export const createTestAuthority = async (): Promise<TestAuthority> => {
  const keys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const dates = {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
  };
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: 'CN=Test authority',
    ...dates,
    keys,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  return {
    pem: `${root.toString('pem')}\n`,
    issue: async (names) => {
      const leafKeys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
      const leaf = await X509CertificateGenerator.create({
        serialNumber: randomSerial(),
        subject: 'CN=upstream',
        issuer: root.subject,
        ...dates,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: KEY_ALGORITHM,
        extensions: [
          new SubjectAlternativeNameExtension(
            names.map((value) => ({
              type: /^[0-9.]+$/.test(value) ? ('ip' as const) : ('dns' as const),
              value,
            })),
          ),
        ],
      });
      const key = await crypto.subtle.exportKey('pkcs8', leafKeys.privateKey);
      return { key: PemConverter.encode(key, 'PRIVATE KEY'), cert: `${leaf.toString('pem')}\n` };
    },
  };
};
