import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { Secret } from '../kit/index.ts';
import { BACKDATE_MS, randomSerial } from './certificate.ts';
import type { SessionAuthority } from './port.ts';

/** How long a session authority is valid, in days: longer than any session, short enough to be worthless later. */
export const AUTHORITY_DAYS = 30;
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Makes a session's own authority: EC P-256, may sign leaves only, never written anywhere. */
export const createSessionAuthority = async (
  session: string,
  now: number,
): Promise<SessionAuthority> => {
  const keys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `CN=Glovebox session ${session}`,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + AUTHORITY_DAYS * 24 * 60 * 60 * 1000),
    keys,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: new Secret(`${PemConverter.encode(key, 'PRIVATE KEY')}\n`),
  };
};
