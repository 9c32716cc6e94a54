import { describe, expect, test } from 'vitest';
import { holds, judgeName, type ContentTest } from './name-rules.ts';

describe('judgeName', () => {
  test.each([
    '.env',
    '.ENV',
    '.env.local',
    '.env.production',
    '.env.example.local',
    'a/b/c/d/.env',
    '.npmrc',
    '.netrc',
    '_netrc',
    '.pypirc',
    '.git-credentials',
    '.pgpass',
    '.htpasswd',
    '.vault-token',
    'id_rsa',
    'ID_ED25519',
    'keys/store.p12',
    'x.pfx',
    'x.jks',
    'x.keystore',
    'x.PPK',
    'terraform.tfstate',
    'terraform.tfstate.backup',
    'terraform.tfstate.1712345678.backup',
    'prod.tfstate',
    'kubeconfig',
    'kubeconfig-prod',
    '.kube/config',
    '.docker/config.json',
    'application_default_credentials.json',
    'sub/.git/credentials',
  ])('hides the file %s by its name', (path) => {
    expect(judgeName(path, 'file')?.type).toBe('hide');
  });

  test.each(['.aws', '.azure', '.ssh', '.gnupg', '.config/gcloud', 'x/.AWS'])(
    'hides the folder %s',
    (path) => {
      expect(judgeName(path, 'directory')?.type).toBe('hide');
      expect(judgeName(path, 'symlink')?.type).toBe('hide');
    },
  );

  test.each([
    '.env.example',
    '.env.sample',
    '.env.template',
    '.env.dist',
    '.env.defaults',
    '.ENV.EXAMPLE',
    '.env.local.example',
    '.env.d.ts',
    'env',
    'environment.ts',
    'src/.envoy',
    'id_rsa.pub',
    'config',
    'kube/config',
    'docker/config.json',
    'package.json',
    'main.tf',
    'README.md',
  ])('leaves %s alone', (path) => {
    expect(judgeName(path, 'file')?.type).not.toBe('hide');
  });

  test('a link of a secret name is hidden like a file', () => {
    expect(judgeName('a/.env', 'symlink')?.type).toBe('hide');
    expect(judgeName('a/.env.example', 'symlink')).toBeUndefined();
  });

  test.each([
    ['server.pem', 'private-key'],
    ['tls.key', 'private-key'],
    ['id_work', 'private-key'],
    ['.envrc', 'assignment'],
    ['prod.env', 'assignment'],
    ['x.tfvars', 'assignment'],
    ['.yarnrc.yml', 'token'],
    ['credentials.json', 'token'],
    ['gcp-service-account.json', 'service-account'],
  ])('reads %s to decide', (path, expected) => {
    expect(judgeName(path, 'file')).toMatchObject({ type: 'read', test: expected });
  });
});

describe('holds', () => {
  const key = ['-----BEGIN ', 'OPENSSH PRIVATE KEY-----\nxyz'].join('');
  test.each<[ContentTest, string, boolean]>([
    ['private-key', key, true],
    ['private-key', '-----BEGIN CERTIFICATE-----\nxyz', false],
    ['private-key', '-----BEGIN PUBLIC KEY-----\nxyz', false],
    ['assignment', 'export API_TOKEN=s3cr3tvalue99', true],
    ['assignment', 'db_password = "hunter2hunter2"', true],
    ['assignment', 'use flake\nPATH_add bin', false],
    ['assignment', 'export API_TOKEN=$(pass show token)', false],
    ['assignment', 'export API_TOKEN=changeme', false],
    ['assignment', 'region = "eu-west-1"', false],
    ['token', 'npmAuthToken: "abc123def456"', true],
    ['token', 'npmAuthToken: "${NPM_TOKEN}"', false],
    ['token', 'nodeLinker: node-modules', false],
    ['service-account', '{"type": "service_account"}', true],
    ['service-account', '{"type": "module"}', false],
    ['password', '<password>abc</password>', true],
    ['password', '<password>${env.PW}</password>', false],
  ])('%s in %j: %s', (kind, text, expected) => {
    expect(holds(kind, text)).toBe(expected);
  });
});
