import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_PIPELINED_REQUESTS } from './process/serve-http1.ts';
import { createTestAuthority } from './testing/certificates.ts';
import {
  createRig,
  listenPlain,
  listenTls,
  SECRET,
  type Rig,
  type Upstream,
} from './testing/setup.ts';

type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  body: Buffer;
  port: number;
};

const OTHER_SECRET = 'sk-ant-api03-other0123456789other0123456789';

/** An upstream that does what the path says and remembers what it saw. */
const createEcho = () => {
  const seen: Seen[] = [];
  /** Has a stream of events say its next one, for each of them. */
  const nextEvent: (() => void)[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { url = '', method = '' } = request;
    const record: Seen = {
      method,
      url,
      headers: request.rawHeaders,
      body: Buffer.alloc(0),
      port: request.socket.remotePort ?? 0,
    };
    seen.push(record);
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      record.body = Buffer.concat(parts);
    });
    request.on('error', () => undefined);
    const path = url.split('?')[0];
    const key = String(request.headers['x-api-key'] ?? request.headers.authorization ?? '');
    if (path === '/early') {
      response.writeHead(413).end('too much');
      return;
    }
    if (path === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let count = 0;
      const next = (): void => {
        response.write(`data: ${String((count += 1))} ${key}\n\n`);
        if (count === 3) response.end();
      };
      nextEvent.push(next);
      next();
      return;
    }
    if (path === '/stall') {
      response.writeHead(200, { 'x-first': 'yes' });
      response.flushHeaders();
      return;
    }
    if (path === '/break') {
      response.writeHead(200, { 'content-length': '100000' });
      response.write('some');
      setTimeout(() => response.destroy(), 30);
      return;
    }
    request.on('end', () => {
      if (path === '/odd-reason') {
        request.socket.end(
          'HTTP/1.1 200 \u00e9\u0001\r\nTrailer: x\r\nContent-Length: 2\r\n\r\nok',
        );
      } else if (path === '/announced') {
        request.socket.end('HTTP/1.1 200 OK\r\nTrailer: x\r\nContent-Length: 2\r\n\r\nok');
      } else if (path === '/redirect') {
        response
          .writeHead(302, {
            location: 'http://169.254.169.254/latest',
            'alt-svc': 'h3=":443"',
            'x-echo': key,
          })
          .end();
      } else if (path === '/gzip') {
        response
          .writeHead(200, { 'content-encoding': 'gzip', etag: '"1"' })
          .end(gzipSync(`zipped ${key}`));
      } else if (path === '/odd') {
        response.writeHead(200, { 'content-encoding': 'compress' }).end('?');
      } else if (path === '/split') {
        const half = Math.floor(key.length / 2);
        response.write(`{"echo":"${key.slice(0, half)}`);
        setTimeout(() => response.end(`${key.slice(half)}"}`), 40);
      } else if (path === '/trailers') {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': key });
        response.end();
      } else if (path === '/base64') {
        response.end(Buffer.from(`a${key}b`).toString('base64'));
      } else if (path === '/binary') {
        response.writeHead(200, {
          'content-type': 'application/octet-stream',
          'content-length': String(record.body.length),
        });
        response.end(record.body);
      } else {
        response
          .writeHead(200, { 'x-echo': key, 'content-length': String(6 + key.length) })
          .end(`hello ${key}`);
      }
    });
  };
  return { seen, nextEvent, listener };
};

const get = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: other.test\r\nX-Api-Key: ${path.slice(1)}=${more}\r\n\r\n`;

const encoded = (key: string): string =>
  Array.from(key, (char) => `%${char.charCodeAt(0).toString(16)}`).join('');

describe('what is allowed', () => {
  let rig: Rig;
  let upstream: Upstream;
  let plain: Upstream;
  const echo = createEcho();
  const last = (): Seen => {
    const found = echo.seen.at(-1);
    if (found === undefined) throw new Error('the upstream saw nothing');
    return found;
  };
  const placeholder = (index: number): string => rig.grants[index]?.placeholder ?? '';
  const header = (name: string): string | undefined => {
    const { headers } = last();
    const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
    return at < 0 ? undefined : headers[at + 1];
  };

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(authority, ['api.test', 'other.test'], echo.listener);
    plain = await listenPlain(echo.listener);
    rig = await createRig({
      authority,
      allow: ['api.test', 'other.test'],
      resolve: [
        `api.test:443:127.0.0.1:${String(upstream.port)}`,
        `other.test:443:127.0.0.1:${String(upstream.port)}`,
        `api.test:80:127.0.0.1:${String(plain.port)}`,
      ],
      grants: [
        { kind: 'bearer', hosts: ['api.test:443'] },
        { kind: 'anthropic', hosts: ['api.test'], secret: OTHER_SECRET },
        { kind: 'github', hosts: ['api.test'], secret: 'ghp_realrealrealrealreal0123456789abcd' },
      ],
      program: { pid: 7, command: ['curl', 'x'] },
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
    await plain.close();
  });

  it('swaps a bearer token and scrubs its echo in header and body', async () => {
    const answer = await rig.fetch('https://api.test/v1/x?y=1', {
      headers: { authorization: `Bearer ${placeholder(0)}` },
    });
    expect(header('authorization')).toBe(`Bearer ${SECRET}`);
    expect(answer.text).toBe(`hello Bearer ${placeholder(0)}`);
    expect(answer.headers['x-echo']).toBe(`Bearer ${placeholder(0)}`);
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    const [record] = await rig.egress(1);
    expect(record).toMatchObject({
      verdict: 'allowed',
      rule: '--allow api.test',
      host: 'api.test',
      port: 443,
      method: 'GET',
      path: '/v1/x?y=1',
      status: 200,
      credential: 'cred-0',
      scrubbed: 2,
      firstSeen: true,
      address: '127.0.0.1',
      inspected: true,
      protocol: 'h1',
      program: { pid: 7, command: ['curl', 'x'] },
    });
    await rig.until(
      () => rig.events.some((event) => event.kind === 'credential' && event.op === 'used'),
      'the first use',
    );
  });

  it('swaps x-api-key and Basic passwords', async () => {
    await rig.fetch('https://api.test/', { headers: { 'X-Api-Key': placeholder(1) } });
    expect(header('x-api-key')).toBe(OTHER_SECRET);
    const basic = Buffer.from(`x-access-token:${placeholder(2)}`).toString('base64');
    const answer = await rig.fetch('https://api.test/', {
      headers: { authorization: `Basic ${basic}` },
    });
    const sent = Buffer.from((header('authorization') ?? '').slice(6), 'base64').toString();
    expect(sent).toBe('x-access-token:ghp_realrealrealrealreal0123456789abcd');
    expect(answer.text).not.toContain(header('authorization')?.slice(6));
  });

  it('keeps connections alive at both ends', async () => {
    const socket = await rig.tls('other.test');
    const ask = (path: string): Promise<string> =>
      new Promise((resolve) => {
        socket.once('data', (part: Buffer) => resolve(part.toString()));
        socket.write(`GET ${path} HTTP/1.1\r\nHost: other.test\r\n\r\n`);
      });
    expect(await ask('/one')).toMatch(/^HTTP\/1\.1 200/);
    const port = last().port;
    expect(await ask('/two')).toMatch(/^HTTP\/1\.1 200/);
    expect(last()).toMatchObject({ url: '/two', port });
    socket.destroy();
  });

  it('answers pipelined requests in order', async () => {
    const socket = await rig.tls('other.test');
    const text = await new Promise<string>((resolve) => {
      let all = '';
      socket.on('data', (part: Buffer) => {
        all += part.toString();
        if (all.endsWith('third=3')) resolve(all);
      });
      socket.write(get('/first', '1') + get('/second', '2') + get('/third', '3'));
    });
    expect(text.match(/hello \w+=\d/g)).toEqual([
      'hello first=1',
      'hello second=2',
      'hello third=3',
    ]);
    socket.destroy();
  });

  it('passes each event of a stream on as it comes, scrubbed', async () => {
    const socket = await rig.tls('api.test');
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString();
    });
    socket.write(`GET /events HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: ${placeholder(1)}\r\n\r\n`);
    // The server says the next one only when the one before has come through.
    await rig.until(() => text.includes('data: 1'), 'the first');
    // Under way for long enough to be seen live.
    await rig.until(() => rig.opened.some(({ path }) => path === '/events'), 'its notice');
    echo.nextEvent[0]?.();
    await rig.until(() => text.includes('data: 2'), 'the second');
    echo.nextEvent[0]?.();
    await rig.until(() => text.endsWith('0\r\n\r\n'), 'the end');
    expect(text).not.toContain(OTHER_SECRET);
    expect(text.match(/data: \d/g)).toEqual(['data: 1', 'data: 2', 'data: 3']);
    socket.destroy();
  });

  it('passes the header section on before a body that stalls', async () => {
    const socket = await rig.tls('api.test');
    const text = await new Promise<string>((resolve) => {
      socket.once('data', (part: Buffer) => resolve(part.toString()));
      socket.write('GET /stall HTTP/1.1\r\nHost: api.test\r\n\r\n');
    });
    expect(text).toMatch(/^HTTP\/1\.1 200 .*x-first: yes/s);
    socket.destroy();
    await rig.until(
      () => rig.events.some((event) => event.kind === 'egress' && event.code === 'egress.aborted'),
      'the aborted record',
    );
  });

  it('scrubs a secret that is split over chunks, in trailers, in base64 and under gzip', async () => {
    const headers = { authorization: `Bearer ${placeholder(0)}` };
    expect((await rig.fetch('https://api.test/split', { headers })).text).toBe(
      `{"echo":"Bearer ${placeholder(0)}"}`,
    );
    const trailers = await rig.fetch('https://api.test/trailers', { headers });
    expect(trailers.trailers['x-sum']).toBe(`Bearer ${placeholder(0)}`);
    const base64 = (await rig.fetch('https://api.test/base64', { headers })).text;
    expect(Buffer.from(base64, 'base64').toString()).not.toContain(SECRET.slice(4, -4));
    const zipped = await rig.fetch('https://api.test/gzip', {
      headers: { ...headers, 'accept-encoding': 'gzip' },
    });
    expect(header('accept-encoding')).toBe('identity');
    expect(zipped.headers['content-encoding']).toBeUndefined();
    expect(zipped.headers.etag).toBeUndefined();
    expect(zipped.text).toBe(`zipped Bearer ${placeholder(0)}`);
    const odd = await rig.fetch('https://api.test/odd', { headers });
    expect([odd.status, odd.headers['glovebox-code']]).toEqual([502, 'scrub.unreadable']);
  });

  it('asks for whole answers where a credential goes along', async () => {
    await rig.fetch('https://api.test/', {
      headers: { 'x-api-key': placeholder(1), range: 'bytes=0-10', 'if-range': '"1"' },
    });
    expect([header('range'), header('if-range')]).toEqual([undefined, undefined]);
    await rig.fetch('https://other.test/', { headers: { range: 'bytes=0-10' } });
    expect(header('range')).toBe('bytes=0-10');
  });

  it('carries a large upload and the same bytes back', async () => {
    const body = randomBytes(24 * 1024 * 1024);
    const answer = await rig.fetch('https://other.test/binary', { method: 'POST', body });
    expect(last().body.equals(body)).toBe(true);
    expect(answer.body.equals(body)).toBe(true);
    const find = () =>
      rig.events.findLast((event) => event.kind === 'egress' && event.path === '/binary');
    await rig.until(() => find() !== undefined, 'the record');
    const record = find();
    expect(record).toMatchObject({ bytesOut: body.length, bytesIn: body.length, status: 200 });
  });

  it('passes an early answer on while the upload goes on', async () => {
    const answer = await rig.fetch('https://other.test/early', {
      method: 'POST',
      body: Buffer.alloc(3 * 1024 * 1024),
    });
    expect([answer.status, answer.text]).toEqual([413, 'too much']);
  });

  it('leaves redirects to the program and drops Alt-Svc', async () => {
    const answer = await rig.fetch('https://api.test/redirect', {
      headers: { 'x-api-key': placeholder(1) },
    });
    expect(answer.status).toBe(302);
    expect(answer.headers.location).toBe('http://169.254.169.254/latest');
    expect(answer.headers['alt-svc']).toBeUndefined();
    expect(answer.headers['x-echo']).toBe(placeholder(1));
  });

  it('strips hop-by-hop fields, those that Connection names among them', async () => {
    await rig.fetch('https://other.test/', {
      headers: {
        connection: 'x-private, authorization',
        'x-private': '1',
        authorization: 'Bearer own',
        'proxy-authorization': 'x',
        te: 'gzip',
      },
    });
    expect([header('x-private'), header('proxy-authorization'), header('te')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(header('authorization')).toBe('Bearer own');
  });

  it('passes 100-continue and half-closed requests', async () => {
    const socket = await rig.tls('other.test');
    const text = await new Promise<string>((resolve) => {
      let all = '';
      socket.on('data', (part: Buffer) => {
        all += part.toString();
        if (all.includes('100 Continue') && !all.includes('hello')) socket.write('abcd');
        if (all.includes('hello')) resolve(all);
      });
      socket.write(
        'POST / HTTP/1.1\r\nHost: other.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n',
      );
    });
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
    expect(last().body.toString()).toBe('abcd');
    socket.destroy();
    const plainly = await rig.tcp('api.test', 80);
    const half = await new Promise<string>((resolve) => {
      let all = '';
      plainly.on('data', (part: Buffer) => (all += part.toString()));
      plainly.on('end', () => resolve(all));
      plainly.end('GET /half HTTP/1.1\r\nHost: api.test\r\n\r\n');
    });
    expect(half).toContain('hello');
  });

  it('breaks off where the server broke off', async () => {
    await expect(rig.fetch('https://other.test/break')).rejects.toThrow(/ECONNRESET/);
    await rig.until(
      () =>
        rig.events.some(
          (event) => event.kind === 'egress' && event.code === 'egress.upstream-broke',
        ),
      'the record',
    );
  });

  it('forwards plain HTTP to an allowed host, without credentials', async () => {
    const answer = await rig.fetch('http://api.test/plain');
    expect(answer.text).toBe('hello ');
    const before = echo.seen.length;
    const refused = await rig.fetch('http://api.test/plain', {
      headers: { 'x-api-key': placeholder(1) },
    });
    expect([refused.status, refused.headers['glovebox-code']]).toEqual([403, 'grant.cleartext']);
    expect(echo.seen.length).toBe(before);
  });

  it.each<[string, (key: string) => { path?: string; headers?: Record<string, string> }]>([
    ['another header', (key) => ({ headers: { cookie: `k=${key}` } })],
    ['the header of another kind', (key) => ({ headers: { 'x-goog-api-key': key } })],
    ['a header name', (key) => ({ headers: { [key]: 'x' } })],
    ['a query', (key) => ({ path: `/?k=${key}` })],
    ['a percent-encoded path', (key) => ({ path: `/${encoded(key)}` })],
    [
      'a query that is encoded twice',
      (key) => ({ path: `/?k=${encodeURIComponent(encoded(key))}` }),
    ],
    [
      'Basic of a kind without it',
      (key) => ({ headers: { authorization: `Basic ${btoa(`u:${key}`)}` } }),
    ],
  ])('trips over a placeholder in %s', async (_where, make) => {
    const before = echo.seen.length;
    const code = 'grant.wrong-place';
    const { path = '/', headers = {} } = make(placeholder(1));
    const answer = await rig.fetch(`https://api.test${path}`, { headers });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, code]);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code } });
    expect(echo.seen.length).toBe(before);
    await rig.until(
      () =>
        rig.events.some(
          (event) => event.kind === 'credential' && event.op === 'tripped' && event.code === code,
        ),
      'the tripwire',
    );
  });

  it('trips at a host that was not granted, in headers, Basic and bodies', async () => {
    const before = echo.seen.length;
    const basic = Buffer.from(`u:${placeholder(1)}`).toString('base64');
    for (const headers of [{ 'x-api-key': placeholder(1) }, { authorization: `Basic ${basic}` }]) {
      const answer = await rig.fetch('https://other.test/', { headers });
      expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'grant.wrong-host']);
    }
    expect(echo.seen.length).toBe(before);
    const body = Buffer.concat([
      Buffer.alloc(300_000, 'x'),
      Buffer.from(placeholder(0)),
      Buffer.alloc(300_000, 'y'),
    ]);
    const answer = await rig.fetch('https://other.test/upload', { method: 'POST', body });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'grant.wrong-host']);
    await rig.until(
      () =>
        rig.events.some(
          (event) =>
            event.kind === 'credential' && event.op === 'tripped' && event.host === 'other.test',
        ),
      'the tripwire',
    );
    expect(Buffer.concat(echo.seen.map((one) => one.body)).includes(placeholder(0))).toBe(false);
  });

  it('ends a connection only when all of it has arrived', async () => {
    const stream = rig.relay.open(`${await rig.relay.addressOf('api.test')}:80`);
    const body = 'x'.repeat(3_000_000);
    let broken = false;
    let bytes = 0;
    stream.on('error', () => {
      broken = true;
    });
    stream.write(
      `POST /binary HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
    );
    await new Promise((resolve) => {
      stream.on('data', (part: Buffer) => (bytes += part.length));
      stream.on('end', resolve);
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(broken).toBe(false);
    expect(bytes).toBeGreaterThan(body.length);
    stream.end();
    await new Promise((resolve) => stream.on('close', resolve));
    expect(broken).toBe(false);
  });

  it('passes nothing on that follows a refusal on the same connection', async () => {
    const socket = await rig.tls('api.test');
    socket.write(`GET /?k=${placeholder(1)} HTTP/1.1\r\nHost: api.test\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.write('GET /after HTTP/1.1\r\nHost: api.test\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(echo.seen.filter(({ url }) => url === '/after')).toEqual([]);
    socket.destroy();
  });

  it('refuses more requests at once on one connection than its cap', async () => {
    const socket = await rig.tls('api.test');
    socket.write(
      'GET /stall HTTP/1.1\r\nHost: api.test\r\n\r\n'.repeat(MAX_PIPELINED_REQUESTS + 1),
    );
    await rig.until(
      () => rig.events.some((event) => event.kind === 'egress' && event.code === 'egress.too-many'),
      'the record',
    );
    expect(echo.seen.filter(({ url }) => url === '/stall').length).toBeLessThanOrEqual(
      MAX_PIPELINED_REQUESTS + 1,
    );
    socket.destroy();
  });

  it('survives answers that cannot be written again', async () => {
    const odd = await rig.fetch('https://other.test/odd-reason');
    expect([odd.status, odd.text]).toEqual([200, 'ok']);
    expect((await rig.fetch('https://other.test/announced')).text).toBe('ok');
    const announced = { method: 'POST', headers: { trailer: 'x' }, body: 'abc' };
    expect((await rig.fetch('https://other.test/', announced)).status).toBe(200);
    expect(rig.states).toEqual([]);
  });

  it('never lets a secret into a record', () => {
    const records = JSON.stringify([rig.events, rig.opened]);
    for (const secret of [SECRET, OTHER_SECRET]) expect(records).not.toContain(secret);
  });
});
