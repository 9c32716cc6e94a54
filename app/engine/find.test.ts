import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createScope, ok, type Scope } from '../kit/index.ts';
import type { Candidate } from './address.ts';
import { engineTitle, findAmong } from './find.ts';

let folder: string;
let scope: Scope;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gb-find-'));
  scope = createScope('test');
});
afterEach(async () => {
  await scope.close();
  await rm(folder, { recursive: true, force: true });
});

type Version = Readonly<Record<string, unknown>>;

const listen = (server: Server, where: string | number): Promise<void> =>
  new Promise((resolve) => {
    scope.defer(
      () =>
        new Promise((done) => {
          server.closeAllConnections();
          server.close(() => done());
        }),
    );
    if (typeof where === 'string') server.listen(where, resolve);
    else server.listen(where, '127.0.0.1', resolve);
  });

const engineServer = (version: Version): Server =>
  createServer((request, response) => {
    if (request.url === '/_ping') response.end('OK');
    else if (request.url === '/version')
      response.setHeader('content-type', 'application/json').end(JSON.stringify(version));
    else response.writeHead(404).end('{}');
  });

const at = (from: string, path: string): Candidate => ({
  from,
  address: ok({ type: 'socket', path }),
});
const look = (...candidates: Candidate[]) =>
  findAmong(candidates, { installId: 'test', env: {}, imagesFolder: folder }, scope);

describe('finding an engine', () => {
  it('takes the first that answers and passes over what does not', async () => {
    const first = join(folder, 'first.sock');
    const second = join(folder, 'second.sock');
    await listen(
      engineServer({ Version: '5.6.0', Arch: 'arm64', Components: [{ Name: 'Podman Engine' }] }),
      first,
    );
    await listen(engineServer({ Version: '28.5.1', Arch: 'amd64' }), second);
    const found = await look(
      at('Docker', join(folder, 'absent.sock')),
      at('Podman', first),
      at('Docker', second),
    );
    expect(found.ok ? [found.value.title, found.value.address] : found.error).toEqual([
      'Podman 5.6',
      first,
    ]);
    expect(found.ok && (await found.value.ping())).toBe(true);
  });

  it('works over TCP, whatever this process’s own DOCKER_HOST says', async () => {
    const server = engineServer({ Version: '20.10.24+dfsg1', Arch: 'amd64' });
    await listen(server, 0);
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://192.0.2.1:1';
    try {
      const found = await look({
        from: 'DOCKER_HOST',
        address: ok({ type: 'tcp', host: '127.0.0.1', port, tls: undefined }),
      });
      expect(found.ok ? found.value.title : found.error).toBe('Docker 20.10');
      const socket = join(folder, 'engine.sock');
      await listen(engineServer({ Version: '28.0', Arch: 'amd64' }), socket);
      const other = await look(at('Docker', socket));
      expect(other.ok ? other.value.title : other.error).toBe('Docker 28.0');
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  });

  it('tells what was tried and why each place failed', async () => {
    const refused = join(folder, 'refused.sock');
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(refused, resolve);
    });
    // A socket file that nobody listens on any more.
    const stale = join(folder, 'stale.sock');
    await rename(refused, stale);
    await new Promise((resolve) => {
      server.close(resolve);
    });
    const odd = join(folder, 'odd.sock');
    await listen(engineServer({ nothing: 'of use' }), odd);
    const found = await look(
      at('Docker', join(folder, 'absent.sock')),
      at('Colima', stale),
      at('OrbStack', odd),
      {
        from: 'DOCKER_HOST (ssh://x)',
        address: { ok: false, error: { code: 'engine.not-found', message: 'uses ssh:' } },
      },
    );
    expect(found).toMatchObject({ ok: false, error: { code: 'engine.not-found' } });
    const message = found.ok ? '' : found.error.message;
    expect(message).toContain(`Docker at ${join(folder, 'absent.sock')}: no such socket`);
    expect(message).toContain(`Colima at ${stale}: nothing listens there`);
    expect(message).toContain(`OrbStack at ${odd}: `);
    expect(message).toContain('DOCKER_HOST (ssh://x): uses ssh:');
  });

  it('says that permission is missing', async ({ skip }) => {
    skip(process.getuid?.() === 0, 'root may open every socket');
    const path = join(folder, 'closed.sock');
    await listen(engineServer({ Version: '28.0', Arch: 'amd64' }), path);
    await chmod(path, 0);
    expect(await look(at('Docker', path))).toMatchObject({
      ok: false,
      error: { code: 'engine.no-permission' },
    });
  });

  it('gives up on a place that takes the connection and never answers', async () => {
    const path = join(folder, 'silent.sock');
    await listen(
      createServer(() => undefined),
      path,
    );
    const found = await look(at('Docker', path));
    expect(found.ok ? '' : found.error.message).toContain(`Docker at ${path}: no answer in time`);
  });

  it('takes no ordinary file for a socket', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    expect((await look(at('Docker', path))).ok).toBe(false);
  });
});

it('names engines by kind and two version numbers', () => {
  expect(engineTitle('28.5.1', ['Engine', 'containerd'])).toBe('Docker 28.5');
  expect(engineTitle('5.6.0', ['Podman Engine', 'Conmon'])).toBe('Podman 5.6');
  expect(engineTitle('dev', [])).toBe('Docker dev');
});
