import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressText, engineCandidates, parseEngineHost } from './address.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'gb-address-'));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const writeContext = async (name: string, host: string): Promise<void> => {
  const id = createHash('sha256').update(name).digest('hex');
  await mkdir(join(home, '.docker/contexts/meta', id), { recursive: true });
  await writeFile(
    join(home, '.docker/contexts/meta', id, 'meta.json'),
    JSON.stringify({
      Name: name,
      Metadata: {},
      Endpoints: { docker: { Host: host, SkipTLSVerify: false } },
    }),
  );
};

describe('an engine address', () => {
  it.each([
    ['unix:///run/x.sock', '/run/x.sock'],
    ['tcp://127.0.0.1:2375', 'http://127.0.0.1:2375'],
    ['tcp://engine.example', 'http://engine.example:2375'],
    ['localhost:4243', 'http://localhost:4243'],
    ['tcp://[::1]:2375', 'http://::1:2375'],
  ])('%s is read as %s', (text, expected) => {
    const address = parseEngineHost(text, undefined);
    expect(address.ok ? addressText(address.value) : address.error.message).toBe(expected);
  });

  it.each(['unix://relative', 'ssh://host', 'npipe:////./pipe/x', 'tcp://', 'fd://'])(
    '%s is refused',
    (text) => {
      expect(parseEngineHost(text, undefined).ok).toBe(false);
    },
  );
});

describe('where to look', () => {
  it('begins with DOCKER_HOST, then the context, then the usual sockets', async () => {
    await writeContext('work', 'unix:///work.sock');
    await writeFile(join(home, '.docker/config.json'), '{"currentContext":"work","auths":{}}');
    const found = engineCandidates(
      { HOME: home, DOCKER_HOST: 'unix:///mine.sock', XDG_RUNTIME_DIR: '/run/user/7' },
      7,
    );
    expect(found.map(({ address }) => (address.ok ? addressText(address.value) : ''))).toEqual([
      '/mine.sock',
      '/work.sock',
      '/var/run/docker.sock',
      '/run/user/7/docker.sock',
      '/run/user/7/podman/podman.sock',
      '/run/podman/podman.sock',
      join(home, '.colima/default/docker.sock'),
      join(home, '.config/colima/default/docker.sock'),
      join(home, '.orbstack/run/docker.sock'),
      join(home, '.docker/run/docker.sock'),
      join(home, '.docker/desktop/docker.sock'),
      join(home, '.local/share/containers/podman/machine/podman.sock'),
    ]);
  });

  it('takes DOCKER_CONTEXT over the stored choice', async () => {
    await writeContext('other', 'tcp://10.0.0.1:2375');
    await writeFile(join(home, '.docker/config.json'), '{"currentContext":"work"}');
    const [first] = engineCandidates({ HOME: home, DOCKER_CONTEXT: 'other' }, 7);
    expect(first).toMatchObject({ from: 'Docker context other', address: { ok: true } });
  });

  it('says that a chosen context is broken instead of passing over it silently', async () => {
    await mkdir(join(home, '.docker'));
    await writeFile(join(home, '.docker/config.json'), '{"currentContext":"gone"}');
    expect(engineCandidates({ HOME: home }, 7)[0]).toMatchObject({
      from: 'Docker context gone',
      address: { ok: false },
    });
  });

  it('never falls back to a plain connection where TLS was asked for', () => {
    const [first] = engineCandidates(
      { HOME: home, DOCKER_HOST: 'tcp://engine.example:2376', DOCKER_TLS_VERIFY: '1' },
      7,
    );
    expect(first?.address).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining('wants TLS') },
    });
  });

  it('reads the TLS files that the variables name', async () => {
    for (const name of ['ca.pem', 'cert.pem', 'key.pem']) await writeFile(join(home, name), name);
    const [first] = engineCandidates(
      {
        HOME: home,
        DOCKER_HOST: 'tcp://engine.example',
        DOCKER_TLS_VERIFY: '1',
        DOCKER_CERT_PATH: home,
      },
      7,
    );
    expect(first?.address).toEqual({
      ok: true,
      value: {
        type: 'tcp',
        host: 'engine.example',
        port: 2376,
        tls: { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' },
      },
    });
  });
});
