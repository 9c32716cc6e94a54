import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCertificates, checkDisk, checkHome, checkNode } from './doctor.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'glovebox-doctor-'));
  await writeFile(
    join(folder, 'ca.pem'),
    '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n',
  );
  await writeFile(join(folder, 'empty.pem'), 'nothing');
});
afterAll(() => rm(folder, { recursive: true }));

describe('doctor', () => {
  it('wants Node 24', () => {
    expect(checkNode('v24.21.0').state).toBe('fine');
    expect(checkNode('v20.1.0').state).toBe('broken');
    expect(checkNode('nonsense').state).toBe('broken');
  });

  it('looks into every file that a certificate variable names', () => {
    expect(checkCertificates({})).toMatchObject([{ state: 'fine' }]);
    expect(
      checkCertificates({
        NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
        SSL_CERT_FILE: join(folder, 'empty.pem'),
      }),
    ).toMatchObject([{ state: 'fine' }, { state: 'weak' }]);
    expect(checkCertificates({ SSL_CERT_FILE: join(folder, 'missing') })).toMatchObject([
      { state: 'weak' },
    ]);
  });

  it('finds a home that is not there', async () => {
    expect((await checkHome(folder)).state).toBe('fine');
    expect(await checkHome(join(folder, 'missing'))).toMatchObject({
      state: 'broken',
      code: 'host.home',
    });
  });

  it('measures the disk', async () => {
    expect((await checkDisk(folder)).words).toMatch(/^[0-9]+\.[0-9] GiB free/);
  });
});
