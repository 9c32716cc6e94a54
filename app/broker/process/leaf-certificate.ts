import { createHash, createPrivateKey, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { parseAddress } from '../../policy/enforce.ts';
import type { CanonicalHost } from '../../policy/index.ts';
import { BACKDATE_MS, randomSerial } from '../certificate.ts';
import { certificateParts } from './certificate-parts.ts';
import { bitString, contextTag, der, oid, sequence, TAG, time, unsigned } from './der.ts';

/** How long a leaf is valid, in days. A session that lives longer gets new ones. */
export const LEAF_DAYS = 7;
export const DAY_MS = 24 * 60 * 60 * 1000;

/** Who signs leaves: a session's own authority, EC P-256. */
export type LeafIssuer = {
  /** Its name, DER. */
  readonly name: Buffer;
  readonly keyId: Buffer;
  readonly privateKey: KeyObject;
};

/** Reads the session's authority; throws where its certificate or its key is none. */
export const readLeafIssuer = (authority: {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}): LeafIssuer => {
  const parts = certificateParts(new X509Certificate(authority.certificatePem).raw);
  if (parts === undefined) throw new Error('the authority’s certificate cannot be read');
  return {
    name: parts.subject,
    // RFC 5280 4.2.1.2, method 1, as the authority's own certificate has it.
    keyId: createHash('sha1').update(parts.publicKey).digest(),
    privateKey: createPrivateKey(authority.privateKeyPem),
  };
};

/** ecdsa-with-SHA256 (RFC 5758 3.2). */
const SIGNATURE_ALGORITHM = sequence(oid('1.2.840.10045.4.3.2'));
/** The name stands in the SAN alone: a common name is cut at 64 characters and read by nobody. */
const SUBJECT = sequence(
  der(TAG.set, sequence(oid('2.5.4.3'), der(TAG.printableString, Buffer.from('Glovebox')))),
);
/** The third. */
const VERSION = der(contextTag(0, true), unsigned(Buffer.from([2])));
const TRUE = der(TAG.boolean, Buffer.from([0xff]));

const extension = (dotted: string, value: Buffer, critical = false): Buffer =>
  sequence(oid(dotted), ...(critical ? [TRUE] : []), der(TAG.octetString, value));

/** No authority. */
const BASIC_CONSTRAINTS = extension('2.5.29.19', sequence(), true);
/** digitalSignature is the first bit. */
const KEY_USAGE = extension('2.5.29.15', bitString(Buffer.from([0x80]), 7), true);
/** serverAuth. */
const EXTENDED_KEY_USAGE = extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1')));

const GENERAL_NAME = { dns: contextTag(2, false), ip: contextTag(7, false) };
const alternativeName = (host: CanonicalHost): Buffer => {
  const address = parseAddress(host);
  const name =
    address === undefined
      ? der(GENERAL_NAME.dns, Buffer.from(host, 'latin1'))
      : der(GENERAL_NAME.ip, Buffer.from(address));
  return extension('2.5.29.17', sequence(name));
};

/**
 * Writes the certificate (RFC 5280) of a server that stands for `host` inside, in PEM. `publicKey` is
 * the server's, a `SubjectPublicKeyInfo` in DER.
 */
export const writeLeaf = (
  issuer: LeafIssuer,
  publicKey: Buffer,
  host: CanonicalHost,
  now: number,
): string => {
  const signed = sequence(
    VERSION,
    unsigned(Buffer.from(randomSerial(), 'hex')),
    SIGNATURE_ALGORITHM,
    issuer.name,
    sequence(time(new Date(now - BACKDATE_MS)), time(new Date(now + LEAF_DAYS * DAY_MS))),
    SUBJECT,
    publicKey,
    der(
      contextTag(3, true),
      sequence(
        BASIC_CONSTRAINTS,
        KEY_USAGE,
        EXTENDED_KEY_USAGE,
        alternativeName(host),
        extension('2.5.29.35', sequence(der(contextTag(0, false), issuer.keyId))),
      ),
    ),
  );
  const signature = sign('sha256', signed, issuer.privateKey);
  const certificate = sequence(signed, SIGNATURE_ALGORITHM, bitString(signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
};
