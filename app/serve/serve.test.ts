import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect, type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { MAX_MESSAGE_JSON_CHARS, type Wire } from '../contract/index.ts';
import {
  createManualClock,
  createScope,
  unwrap,
  type ManualClock,
  type Scope,
} from '../kit/index.ts';
import { LINK_LIFETIME_MS, MAX_BROWSERS } from './gate.ts';
import { MAX_SOCKETS, startServe, type Serving } from './serve.ts';
import { PING_EVERY_MS } from './socket-wire.ts';

let scope: Scope;
let clock: ManualClock;
let folder: string;
let serving: Serving;
let wires: Wire[];
let received: string[];

const PAGE = '<!doctype html><script type="module" src="/assets/a-1.js"></script>';

beforeEach(async () => {
  scope = createScope('test');
  clock = createManualClock();
  wires = [];
  received = [];
  folder = await mkdtemp(join(tmpdir(), 'glovebox-serve-'));
  const assets = join(folder, 'window');
  await mkdir(join(assets, 'assets'), { recursive: true });
  await writeFile(join(assets, 'index.html'), PAGE);
  await writeFile(join(assets, 'assets', 'a-1.js'), 'export {};');
  await writeFile(join(assets, 'icon.svg'), '<svg/>');
  await writeFile(join(assets, 'assets', 'a-1.js.map'), '{}');
  await writeFile(join(folder, 'secret.json'), '{"secret":1}');
  await symlink(join(folder, 'secret.json'), join(assets, 'link.json'));
  serving = unwrap(
    await startServe(
      {
        assetsFolder: assets,
        host: {
          serve: (wire) => {
            wires.push(wire);
            wire.onMessage((message) => {
              received.push(message);
              wire.send(`echo ${message}`);
            });
          },
        },
      },
      { clock },
      scope,
    ),
  );
});
afterEach(async () => {
  await scope.close();
  await rm(folder, { recursive: true });
});

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

const ask = (
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port: serving.port, path, method, headers, agent: false },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString('utf8'),
          });
        });
      },
    );
    request.on('error', reject);
    request.end();
  });

/** Bytes as they are, for what Node's client would not send. */
const askRaw = (text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(serving.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (part) => {
      answer += part.toString('utf8');
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });

const linkPath = (url = serving.url): string => new URL(url).pathname;
const cookieOf = (answer: Answer): string => {
  const [cookie] = answer.headers['set-cookie'] ?? [];
  return cookie?.split(';')[0] ?? '';
};
const enter = async (): Promise<string> => cookieOf(await ask(linkPath(serving.renew())));
const own = (): string => `http://127.0.0.1:${serving.port}`;

const open = (
  headers: Record<string, string>,
  path = '/ws',
): Promise<{ socket?: WebSocket; status?: number }> =>
  new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${serving.port}${path}`, { headers });
    scope.defer(() => socket.terminate());
    socket.on('open', () => resolve({ socket }));
    socket.on('unexpected-response', (_request, response) => {
      resolve({ status: response.statusCode ?? 0 });
    });
    socket.on('error', () => undefined);
  });

describe('the way in', () => {
  it('exchanges the link’s token for a strict cookie and leads to the window', async () => {
    const entered = await ask(linkPath());
    expect(entered.status).toBe(303);
    expect(entered.headers['location']).toBe('/');
    expect(entered.headers['set-cookie']?.[0]).toMatch(
      new RegExp(`^glovebox-${serving.port}=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=/$`),
    );
    const window = await ask('/', { headers: { cookie: cookieOf(entered) } });
    expect(window.status).toBe(200);
    expect(window.headers['content-type']).toBe('text/html; charset=utf-8');
  });

  it('takes the token once only', async () => {
    expect((await ask(linkPath())).status).toBe(303);
    const again = await ask(linkPath());
    expect(again.status).toBe(403);
    expect(again.body).toContain('used already');
    expect(again.headers['set-cookie']).toBeUndefined();
  });

  it('does not spend the token on a HEAD', async () => {
    expect((await ask(linkPath(), { method: 'HEAD' })).status).toBe(403);
    expect((await ask(linkPath())).status).toBe(303);
  });

  it('voids the old link when a new one is made, and any link after its time', async () => {
    const old = linkPath();
    const fresh = serving.renew();
    expect((await ask(old)).status).toBe(403);
    clock.advance(LINK_LIFETIME_MS + 1);
    expect((await ask(linkPath(fresh))).status).toBe(403);
    expect((await ask(linkPath(serving.renew()))).status).toBe(303);
  });

  it.each(['/enter/', '/enter/x', `/enter/${'A'.repeat(43)}`, '/enter/%00'])(
    'refuses %s in words',
    async (path) => {
      const refused = await ask(path);
      expect(refused.status).toBe(403);
      expect(refused.body).toContain('has not been let in');
    },
  );

  it('refuses everything without the right cookie', async () => {
    const cookie = await enter();
    for (const path of ['/', '/assets/a-1.js', '/icon.svg', '/nothing']) {
      expect((await ask(path)).status).toBe(403);
      expect((await ask(path, { headers: { cookie: `${cookie}x` } })).status).toBe(403);
      expect((await ask(path, { headers: { cookie: cookie.replace(/=.*/, '=') } })).status).toBe(
        403,
      );
    }
    const twice = `${cookie}; ${cookie.replace(/=.*/, '=other')}`;
    expect((await ask('/', { headers: { cookie: twice } })).status).toBe(403);
  });

  it('leads on by a page where the link was opened from another site', async () => {
    const entered = await ask(linkPath(), { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(entered.status).toBe(200);
    expect(entered.body).toContain('http-equiv="refresh"');
    expect(cookieOf(entered)).not.toBe('');
  });

  it('puts the oldest browser out when there are too many', async () => {
    const first = await enter();
    for (let i = 1; i < MAX_BROWSERS; i += 1) await enter();
    expect((await ask('/', { headers: { cookie: first } })).status).toBe(200);
    await enter();
    expect((await ask('/', { headers: { cookie: first } })).status).toBe(403);
  });
});

describe('requests', () => {
  it.each(['evil.example', '127.0.0.1', 'localhost', '127.0.0.1:1', '[::1]', '0.0.0.0', '127.1'])(
    'refuses the host %s even with the cookie',
    async (host) => {
      const cookie = await enter();
      const refused = await ask('/', { headers: { host, cookie } });
      expect(refused.status).toBe(403);
      expect(refused.body).toContain('own address');
    },
  );

  it('answers localhost with its port too', async () => {
    const cookie = await enter();
    const answer = await ask('/', { headers: { host: `localhost:${serving.port}`, cookie } });
    expect(answer.status).toBe(200);
  });

  it('refuses two Host headers', async () => {
    const cookie = await enter();
    const host = `Host: 127.0.0.1:${serving.port}\r\n`;
    const raw = await askRaw(
      `GET / HTTP/1.1\r\n${host}${host}Cookie: ${cookie}\r\nConnection: close\r\n\r\n`,
    );
    expect(raw).toMatch(/^HTTP\/1\.1 40[03]/);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('refuses %s', async (method) => {
    const cookie = await enter();
    const refused = await ask('/', { method, headers: { cookie } });
    expect(refused.status).toBe(405);
    expect(refused.headers['allow']).toBe('GET, HEAD');
  });

  it('serves the listed files with exact types and nothing else', async () => {
    const headers = { cookie: await enter() };
    const script = await ask('/assets/a-1.js', { headers });
    expect(script.body).toBe('export {};');
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect((await ask('/icon.svg', { headers })).headers['content-type']).toBe(
      'image/svg+xml; charset=utf-8',
    );
    for (const path of [
      '/index.html',
      '/assets/',
      '/assets',
      '/assets/a-1.js.map',
      '/link.json',
      '/../secret.json',
      '/assets/../../secret.json',
      '/..%2fsecret.json',
      '/%2e%2e/secret.json',
      '/assets/%61-1.js',
      '//assets/a-1.js',
      '/assets//a-1.js',
      '/assets\\a-1.js',
      '/missing/route',
      `http://127.0.0.1:${serving.port}/assets/a-1.js`,
    ]) {
      expect([path, (await ask(path, { headers })).status]).toEqual([path, 404]);
    }
  });

  it('carries the security headers on every answer', async () => {
    const headers = { cookie: await enter() };
    for (const answer of [
      await ask('/', { headers }),
      await ask('/assets/a-1.js', { headers }),
      await ask('/missing', { headers }),
      await ask('/'),
      await ask(linkPath(serving.renew())),
    ]) {
      const policy = String(answer.headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*/);
      expect(answer.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(answer.headers['permissions-policy']).toContain('camera=()');
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('never has the page stored, and lets only hashed files be', async () => {
    const headers = { cookie: await enter() };
    const caching = async (path: string) => (await ask(path, { headers })).headers['cache-control'];
    expect(await caching('/')).toBe('no-store');
    expect(await caching('/icon.svg')).toBe('no-cache');
    expect(await caching('/assets/a-1.js')).toContain('immutable');
  });

  it('listens on loopback only and says so when the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const taken = await startServe(
      { assetsFolder: join(folder, 'window'), port, host: { serve: () => undefined } },
      { clock },
      scope,
    );
    expect(taken).toMatchObject({ ok: false, error: { code: 'serve.failed' } });
    other.close();
    const elsewhere = connect(serving.port, '127.0.0.2');
    await expect(
      new Promise((resolve, reject) => {
        elsewhere.on('connect', resolve);
        elsewhere.on('error', reject);
      }),
    ).rejects.toThrow('ECONNREFUSED');
  });

  it('says what to do when the window was not built', async () => {
    const result = await startServe(
      { assetsFolder: join(folder, 'nowhere'), host: { serve: () => undefined } },
      { clock },
      scope,
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'window.missing' } });
  });
});

describe('the WebSocket', () => {
  it('carries text both ways for the page that holds the cookie', async () => {
    const { socket } = await open({ cookie: await enter(), origin: own() });
    const answered = new Promise((resolve) =>
      socket?.once('message', (data: Buffer) => resolve(data.toString('utf8'))),
    );
    socket?.send('hé');
    expect(await answered).toBe('echo hé');
    expect(socket?.extensions).toBe('');
  });

  it('refuses a missing or wrong cookie, origin, host or path', async () => {
    const cookie = await enter();
    const origin = own();
    expect((await open({ origin })).status).toBe(403);
    expect((await open({ cookie: `${cookie}x`, origin })).status).toBe(403);
    expect((await open({ cookie })).status).toBe(403);
    for (const wrong of [
      'null',
      'http://evil.example',
      'http://127.0.0.1:1',
      `https://127.0.0.1:${serving.port}`,
      `http://localhost:${serving.port}`,
      `${origin}/`,
    ]) {
      expect([wrong, (await open({ cookie, origin: wrong })).status]).toEqual([wrong, 403]);
    }
    const rebound = `evil.example:${serving.port}`;
    expect((await open({ cookie, host: rebound, origin: `http://${rebound}` })).status).toBe(403);
    expect((await open({ cookie, origin }, '/other')).status).toBe(404);
    expect((await open({ cookie, origin }, '/ws?x')).status).toBe(404);
    expect(wires).toHaveLength(0);
  });

  it('closes on binary and on oversized messages', async () => {
    const cookie = await enter();
    for (const [message, code] of [
      [Buffer.from('x'), 1003],
      ['x'.repeat(MAX_MESSAGE_JSON_CHARS + 1), 1009],
    ] as const) {
      const { socket } = await open({ cookie, origin: own() });
      const closed = new Promise((resolve) => socket?.once('close', (status) => resolve(status)));
      socket?.send(message);
      expect(await closed).toBe(code);
    }
    expect(received).toHaveLength(0);
  });

  it('takes no more windows than its cap', async () => {
    const cookie = await enter();
    for (let i = 0; i < MAX_SOCKETS; i += 1) {
      expect((await open({ cookie, origin: own() })).socket).toBeDefined();
    }
    expect((await open({ cookie, origin: own() })).status).toBe(503);
  });

  it('tells the host when the browser is gone, silently or not', async () => {
    const cookie = await enter();
    const { socket } = await open({ cookie, origin: own() });
    const closed = new Promise<void>((resolve) => wires[0]?.onClose(resolve));
    socket?.close();
    await closed;
    const { socket: silent } = await open({ cookie, origin: own() });
    silent?.pause();
    const gone = new Promise<void>((resolve) => wires[1]?.onClose(resolve));
    clock.advance(PING_EVERY_MS);
    clock.advance(PING_EVERY_MS);
    await expect(gone).resolves.toBeUndefined();
  });

  it('ends with its scope', async () => {
    const { socket } = await open({ cookie: await enter(), origin: own() });
    const closed = new Promise((resolve) => socket?.once('close', resolve));
    await scope.close();
    await closed;
    await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
  });
});
