import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostAuthorities, selectAuthorities, trustBundle } from './host-authorities.ts';

let folder: string;
let own: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gb-ca-'));
  const file = join(folder, 'own.crt');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=Our company',
      '-days',
      '2',
      '-keyout',
      join(folder, 'key'),
      '-out',
      file,
    ],
    { stdio: 'ignore' },
  );
  own = await readFile(file, 'utf8');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const [publicOne = '', publicTwo = ''] = rootCertificates;

const has = (env: Record<string, string>): boolean =>
  hostAuthorities(env).some(({ subject }) => subject === 'CN=Our company');

describe('this machine’s own authorities', () => {
  it('are those that are not public, each once', () => {
    const found = selectAuthorities(
      [publicOne, `${own}\n${publicTwo}`, own.replaceAll('\n', '\r\n')],
      rootCertificates,
    );
    expect(found.map(({ subject }) => subject)).toEqual(['CN=Our company']);
    expect(found[0]?.pem).toBe(own);
  });

  it('are compared by what they are, not by how they are written', () => {
    const wrapped = publicOne
      .replace(/\n(?!-)/g, '')
      .replace('CERTIFICATE-----', 'CERTIFICATE-----\n');
    expect(selectAuthorities([wrapped], rootCertificates)).toEqual([]);
  });

  it('are never what cannot be read as a certificate', () => {
    const broken = own.replace(/[A-Za-z0-9+/]{20}/, 'AAAAAAAAAAAAAAAAAAAA');
    expect(selectAuthorities(['no certificate', broken.slice(0, 80)], [])).toEqual([]);
  });

  it('come from the files that the variables name', async () => {
    const file = join(folder, 'extra.pem');
    await writeFile(file, own);
    expect(has({ NODE_EXTRA_CA_CERTS: file })).toBe(true);
    expect(has({ SSL_CERT_FILE: file })).toBe(true);
    expect(has({ SSL_CERT_FILE: join(folder, 'absent') })).toBe(false);
  });

  it('do not bring back public roots that have lost their place', () => {
    const subjects = hostAuthorities({})
      .map(({ subject }) => subject)
      .join('\n');
    expect(subjects).not.toMatch(/TrustCor|E-Tugra|Hongkong Post/);
  });

  it('stand in one bundle with the public ones', () => {
    const bundle = trustBundle(selectAuthorities([own], rootCertificates));
    expect(bundle.match(/BEGIN CERTIFICATE/g)).toHaveLength(rootCertificates.length + 1);
    expect(bundle.endsWith(own)).toBe(true);
  });
});
