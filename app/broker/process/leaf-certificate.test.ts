import 'reflect-metadata';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { checkServerIdentity, connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate as OtherCertificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { createSessionAuthority, KEY_ALGORITHM } from '../authority.ts';
import { BACKDATE_MS } from '../certificate.ts';
import { readDer } from './der.ts';
import {
  DAY_MS,
  LEAF_DAYS,
  readLeafIssuer,
  writeLeaf,
  type LeafIssuer,
} from './leaf-certificate.ts';

const LABEL = 'a'.repeat(63);
const LONG_NAME = [LABEL, LABEL, LABEL, 'b'.repeat(61)].join('.');
const HOSTS = ['example.com', 'xn--bcher-kva.example', LONG_NAME, '192.0.2.1', '2001:db8::1'];

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
let authority: { readonly certificatePem: string; readonly privateKeyPem: string };
let issuer: LeafIssuer;

beforeAll(async () => {
  const made = await createSessionAuthority('abcdefghjkmn', Date.now());
  authority = {
    certificatePem: made.certificatePem,
    privateKeyPem: made.privateKeyPem.expose(),
  };
  issuer = readLeafIssuer(authority);
});

const leafFor = (host: string, now = Date.now()): string =>
  writeLeaf(issuer, publicKey, unwrap(parseHost(host)), now);

const signedPart = (certificate: Uint8Array): string =>
  readDer(readDer(Buffer.from(certificate))?.[0]?.content ?? Buffer.alloc(0))?.[0]?.whole.toString(
    'hex',
  ) ?? 'none';

/** The same certificate, as another writer makes it. */
const otherLeaf = async (host: string, now: number, serialNumber: string): Promise<Uint8Array> => {
  const root = new OtherCertificate(authority.certificatePem);
  const pkcs8 = PemConverter.decodeFirst(authority.privateKeyPem);
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, KEY_ALGORITHM, false, ['sign']);
  const leaf = await X509CertificateGenerator.create({
    serialNumber,
    subject: 'CN=Glovebox',
    issuer: root.subject,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + LEAF_DAYS * DAY_MS),
    publicKey: await crypto.subtle.importKey('spki', publicKey, KEY_ALGORITHM, true, ['verify']),
    signingKey,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        { type: /^[0-9.]+$|:/.test(host) ? 'ip' : 'dns', value: host },
      ]),
      await AuthorityKeyIdentifierExtension.create(await root.publicKey.export()),
    ],
  });
  return new Uint8Array(leaf.rawData);
};

describe.each(HOSTS)('the certificate for %s', (host) => {
  it.each([
    ['now', Date.now()],
    [
      'in the last second of two digits for the year',
      Date.UTC(2049, 11, 31, 23, 59, 59) - LEAF_DAYS * DAY_MS,
    ],
    ['across the end of two digits', Date.UTC(2049, 11, 31)],
    ['long after', Date.UTC(2061, 0, 1)],
  ])('is to the byte what another writer makes of the same, %s', async (_name, now) => {
    const ours = new X509Certificate(leafFor(host, now));
    const other = await otherLeaf(host, now, ours.serialNumber);
    expect(signedPart(ours.raw)).toBe(signedPart(other));
  });

  it('is valid for that host, now, and signed by the authority', () => {
    const leaf = new X509Certificate(leafFor(host));
    const root = new X509Certificate(authority.certificatePem);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.checkPrivateKey(keys.privateKey)).toBe(true);
    const isAddress = /^[0-9.]+$|:/.test(host);
    expect(isAddress ? leaf.checkIP(host) : leaf.checkHost(host)).toBe(host);
    expect(leaf.checkHost('other.example')).toBeUndefined();
    expect(leaf.checkIP('192.0.2.2')).toBeUndefined();
    expect(leaf.validFromDate.getTime()).toBeLessThanOrEqual(Date.now() - BACKDATE_MS);
    expect(Math.round((leaf.validToDate.getTime() - Date.now()) / DAY_MS)).toBe(LEAF_DAYS);
  });

  it('is taken in a handshake by who trusts the authority, and by nobody else', async () => {
    const server = createServer({ key, cert: leafFor(host) }, (socket) => socket.end('hello'));
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const outcome = (ca: string | undefined, name: string): Promise<string> =>
      new Promise((resolve) => {
        const socket: TLSSocket = connect(
          {
            port,
            host: '127.0.0.1',
            servername: '',
            ...(ca === undefined ? {} : { ca }),
            checkServerIdentity: (_connected, peer) => checkServerIdentity(name, peer),
          },
          () => resolve('taken'),
        );
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        socket.on('data', () => undefined);
        socket.on('close', () => resolve('closed'));
      });
    try {
      expect(await outcome(authority.certificatePem, host)).toBe('taken');
      expect(await outcome(authority.certificatePem, 'other.example')).toBe(
        'ERR_TLS_CERT_ALTNAME_INVALID',
      );
      expect(await outcome(undefined, host)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    } finally {
      server.close();
    }
  });
});

it('has a serial number of its own each time, positive and of at most twenty octets (RFC 5280 4.1.2.2)', () => {
  const serials = Array.from(
    { length: 200 },
    () => new X509Certificate(leafFor('a.test')).serialNumber,
  );
  expect(new Set(serials).size).toBe(200);
  for (const serial of serials) {
    expect(serial).toMatch(/^[0-9A-F]{1,40}$/);
    expect(Number.parseInt(serial.padStart(32, '0').slice(0, 2), 16)).toBeLessThan(0x80);
  }
});

it('is made by no authority that cannot be read', () => {
  const { certificatePem } = authority;
  expect(() => readLeafIssuer({ certificatePem, privateKeyPem: 'none' })).toThrow(/./);
  expect(() => readLeafIssuer({ ...authority, certificatePem: 'none' })).toThrow(/./);
});
