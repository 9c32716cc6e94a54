import { createHash } from 'node:crypto';
import { certificateParts } from '../certificate-parts.ts';
import { contextTag, oid, readDer, TAG, type DerValue } from '../der.ts';

/** The hash of RSASSA-PSS stands among its parameters (RFC 4055 3.1), SHA-1 where none does. */
const RSASSA_PSS = '1.2.840.113549.1.1.10';
const SHA_1 = 'sha1';

/** Hashes by the algorithm that uses them: RFC 8017 A.2.4, RFC 5758 3.2, and the hashes themselves (RFC 4055 2.1). */
const HASHES = new Map(
  (
    [
      ['1.2.840.113549.1.1.4', 'md5'],
      ['1.2.840.113549.1.1.5', SHA_1],
      ['1.2.840.113549.1.1.11', 'sha256'],
      ['1.2.840.113549.1.1.12', 'sha384'],
      ['1.2.840.113549.1.1.13', 'sha512'],
      ['1.2.840.10045.4.1', SHA_1],
      ['1.2.840.10045.4.3.2', 'sha256'],
      ['1.2.840.10045.4.3.3', 'sha384'],
      ['1.2.840.10045.4.3.4', 'sha512'],
      ['1.3.14.3.2.26', SHA_1],
      ['2.16.840.1.101.3.4.2.1', 'sha256'],
      ['2.16.840.1.101.3.4.2.2', 'sha384'],
      ['2.16.840.1.101.3.4.2.3', 'sha512'],
    ] as const
  ).map(([dotted, hash]) => [oid(dotted).toString('hex'), hash]),
);
const PSS = oid(RSASSA_PSS).toString('hex');
const HASH_PARAMETER = contextTag(0, true);

const hex = (value: DerValue | undefined): string => value?.whole.toString('hex') ?? '';

const pssHash = (parameters: DerValue | undefined): string | undefined => {
  const fields = parameters?.tag === TAG.sequence ? readDer(parameters.content) : undefined;
  if (fields === undefined) return undefined;
  const named = fields.find(({ tag }) => tag === HASH_PARAMETER);
  if (named === undefined) return SHA_1;
  const [algorithm] = readDer(named.content) ?? [];
  const [hash] = (algorithm === undefined ? undefined : readDer(algorithm.content)) ?? [];
  return HASHES.get(hex(hash));
};

/**
 * The hash that ties a login to the server's certificate, in DER (RFC 5929 4.1): with the certificate's
 * own hash, or SHA-256 where that is a broken one. Undefined where it is signed in a way that names none.
 */
export const serverEndPoint = (certificate: Buffer): Buffer | undefined => {
  const [algorithm, parameters] = certificateParts(certificate)?.signatureAlgorithm ?? [];
  const own = hex(algorithm) === PSS ? pssHash(parameters) : HASHES.get(hex(algorithm));
  if (own === undefined) return undefined;
  const chosen = own === 'md5' || own === SHA_1 ? 'sha256' : own;
  return createHash(chosen).update(certificate).digest();
};
