import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { bitString, der, oid, sequence, TAG, unsigned } from '../der.ts';
import { serverEndPoint } from './server-end-point.ts';

type Algorithm = RsaHashedKeyGenParams | (EcKeyGenParams & { readonly hash: string });

const rsa = (name: string, hash: string): Algorithm => ({
  name,
  hash,
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
});

const certificateOf = async (
  algorithm: Algorithm | { readonly name: 'Ed25519' },
): Promise<Buffer> => {
  const keys = (await crypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=db.test',
    keys,
    signingAlgorithm: { ...algorithm, saltLength: 32 } as EcdsaParams | RsaPssParams,
  });
  return Buffer.from(certificate.rawData);
};

describe('the hash of a server’s certificate (RFC 5929 4.1)', () => {
  it.each<readonly [string, string, Algorithm]>([
    ['RSA with SHA-1', 'sha256', rsa('RSASSA-PKCS1-v1_5', 'SHA-1')],
    ['RSA with SHA-256', 'sha256', rsa('RSASSA-PKCS1-v1_5', 'SHA-256')],
    ['RSA with SHA-384', 'sha384', rsa('RSASSA-PKCS1-v1_5', 'SHA-384')],
    ['RSA with SHA-512', 'sha512', rsa('RSASSA-PKCS1-v1_5', 'SHA-512')],
    ['PSS with SHA-1', 'sha256', rsa('RSA-PSS', 'SHA-1')],
    ['PSS with SHA-256', 'sha256', rsa('RSA-PSS', 'SHA-256')],
    ['PSS with SHA-384', 'sha384', rsa('RSA-PSS', 'SHA-384')],
    ['PSS with SHA-512', 'sha512', rsa('RSA-PSS', 'SHA-512')],
    ['ECDSA with SHA-256', 'sha256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }],
    ['ECDSA with SHA-384', 'sha384', { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }],
    ['ECDSA with SHA-512', 'sha512', { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' }],
  ])('of a certificate with %s is %s', async (_name, hash, algorithm) => {
    const certificate = await certificateOf(algorithm);
    expect(serverEndPoint(certificate)).toEqual(createHash(hash).update(certificate).digest());
  });

  it('is not known where the signature names none', async () => {
    expect(serverEndPoint(await certificateOf({ name: 'Ed25519' }))).toBeUndefined();
    expect(serverEndPoint(Buffer.from('no certificate'))).toBeUndefined();
  });

  it('is SHA-256 for a PSS signature that leaves its hash out, which is SHA-1', () => {
    const empty = sequence();
    const keyInfo = sequence(empty, bitString(Buffer.from('key')));
    const signed = sequence(unsigned(Buffer.from([1])), empty, empty, empty, empty, keyInfo);
    const certificate = sequence(signed, sequence(oid('1.2.840.113549.1.1.10'), empty));
    expect(serverEndPoint(certificate)).toEqual(createHash('sha256').update(certificate).digest());
  });

  it('is not known where a PSS signature has a hash that nobody knows', async () => {
    const certificate = await certificateOf(rsa('RSA-PSS', 'SHA-256'));
    const sha256 = oid('2.16.840.1.101.3.4.2.1');
    const unknown = Buffer.from(certificate);
    for (let at = unknown.indexOf(sha256); at >= 0; at = unknown.indexOf(sha256, at + 1))
      unknown[at + sha256.length - 1] = 0x7f;
    expect(serverEndPoint(unknown)).toBeUndefined();
    expect(serverEndPoint(sequence(der(TAG.set), sequence()))).toBeUndefined();
  });
});
