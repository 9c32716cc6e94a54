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
import type { SessionAuthority } from './port.ts';

/** How long a session authority is valid, in days: longer than any session, short enough to be worthless later. */
export const AUTHORITY_DAYS = 30;
/** Certificates begin this long ago, for clocks inside that are a little behind. */
export const BACKDATE_MS = 60 * 60 * 1000;

export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Sixteen random bytes as hex, positive (RFC 5280 4.1.2.2). */
export const randomSerial = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString('hex');
};

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
