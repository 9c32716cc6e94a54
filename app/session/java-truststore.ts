import { createHash } from 'node:crypto';

/** The first bytes and the version of the format (OpenJDK, `sun.security.provider.JavaKeyStore`). */
const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
/** Java’s own words: the digest at the end begins with the password and these. */
const SALT = 'Mighty Aphrodite';
/** The password of every distribution’s `cacerts`, known to all: the digest guards against damage only. */
export const TRUSTSTORE_PASSWORD = 'changeit';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

/** ASCII with its length, as `DataOutput.writeUTF` puts it. */
const text = (value: string): Buffer => {
  const bytes = Buffer.alloc(2 + value.length);
  bytes.writeUInt16BE(value.length);
  bytes.write(value, 2, 'ascii');
  return bytes;
};

/** Java’s passwords are digested as UTF-16, most significant byte first. */
const utf16 = (value: string): Buffer => Buffer.from(value, 'utf16le').swap16();

/**
 * A bundle of PEM certificates as a truststore that every Java reads (JKS): Java knows no PEM bundle, and
 * no variable that names one. `now` is what the entries say of their age.
 */
export const javaTruststore = (bundle: string, now: number): Buffer => {
  const certificates = Array.from(bundle.matchAll(CERTIFICATE), ([, base64 = '']) =>
    Buffer.from(base64, 'base64'),
  );
  const body = Buffer.concat([
    uint32(MAGIC),
    uint32(VERSION),
    uint32(certificates.length),
    ...certificates.flatMap((der, at) => [
      uint32(TRUSTED_CERTIFICATE),
      text(`glovebox-${String(at)}`),
      uint64(now),
      text('X.509'),
      uint32(der.length),
      der,
    ]),
  ]);
  const digest = createHash('sha1')
    .update(utf16(TRUSTSTORE_PASSWORD))
    .update(SALT, 'ascii')
    .update(body)
    .digest();
  return Buffer.concat([body, digest]);
};
