import { createHash } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { javaTruststore, TRUSTSTORE_PASSWORD } from './java-truststore.ts';

const bundle = rootCertificates.join('\n');

describe('the bundle as Java reads it', () => {
  it('holds every certificate, and the digest that Java checks', () => {
    const store = javaTruststore(bundle, Date.UTC(2026, 0));
    expect(store.readUInt32BE(8)).toBe(rootCertificates.length);
    for (const pem of rootCertificates) {
      const der = Buffer.from(pem.replaceAll(/-----[A-Z ]+-----/g, ''), 'base64');
      expect(store.includes(der)).toBe(true);
    }
    const digest = createHash('sha1')
      .update(Buffer.from(Array.from(TRUSTSTORE_PASSWORD, (letter) => `\0${letter}`).join('')))
      .update('Mighty Aphrodite')
      .update(store.subarray(0, -20))
      .digest();
    expect(store.subarray(-20)).toEqual(digest);
  });
});
