import { readDer, TAG, type DerValue } from './der.ts';

/** Parts of a certificate (RFC 5280 4.1) as they are encoded. */
export type CertificateParts = {
  /** A `Name`. */
  readonly subject: Buffer;
  /** The key's bits within its `SubjectPublicKeyInfo`. */
  readonly publicKey: Buffer;
  /** The values of the `AlgorithmIdentifier` that the certificate is signed with. */
  readonly signatureAlgorithm: readonly DerValue[];
};

/** The version stands first, where a certificate has one. */
const VERSION_TAG = 0xa0;

const within = (value: DerValue | undefined): readonly DerValue[] =>
  value?.tag === TAG.sequence ? (readDer(value.content) ?? []) : [];

/** Finds the parts of a certificate in DER; undefined where it is none. */
export const certificateParts = (certificate: Buffer): CertificateParts | undefined => {
  const [signed, algorithm] = within(readDer(certificate)?.[0]);
  const fields = within(signed);
  const [, , , , subject, keyInfo] = fields[0]?.tag === VERSION_TAG ? fields.slice(1) : fields;
  const [, key] = within(keyInfo);
  const signatureAlgorithm = within(algorithm);
  if (subject === undefined || key?.tag !== TAG.bitString || signatureAlgorithm.length === 0)
    return undefined;
  // The first octet of a bit string counts bits at its end; keys have none.
  return { subject: subject.whole, publicKey: key.content.subarray(1), signatureAlgorithm };
};
