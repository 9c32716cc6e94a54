import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, listenTls, type Rig, type Upstream } from './testing/setup.ts';

const SECRETS = {
  query: 'query-secret/0123456789+x',
  path: '123456:path-secret-ABCDEF',
  json: 'json-secret-"quoted"-0123',
  form: 'form secret & 0123456789',
  narrow: 'narrow-secret-0123456789',
} as const;

describe('credentials in queries, paths and bodies', () => {
  const seen: { url: string; body: string; headers: readonly string[] }[] = [];
  let upstream: Upstream;
  let rig: Rig;
  const placeholders = (): Record<keyof typeof SECRETS, string> => {
    const [query, path, json, form, narrow] = rig.grants.map(({ placeholder }) => placeholder);
    if (query === undefined || path === undefined || json === undefined) throw new Error('grants');
    return { query, path, json, form: String(form), narrow: String(narrow) };
  };

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const echo = (request: IncomingMessage, response: ServerResponse): void => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString();
        seen.push({ url: request.url ?? '', body, headers: request.rawHeaders });
        response.end(JSON.stringify({ url: request.url, body, headers: request.rawHeaders }));
      });
    };
    upstream = await listenTls(authority, ['api.test'], echo);
    rig = await createRig({
      authority,
      resolve: [`api.test:443:127.0.0.1:${String(upstream.port)}`],
      allow: ['api.test'],
      grants: [
        { kind: 'query:key', hosts: ['api.test'], secret: SECRETS.query },
        { kind: 'path:bot', hosts: ['api.test'], secret: SECRETS.path },
        { kind: 'json:/auth/token', hosts: ['api.test'], secret: SECRETS.json },
        { kind: 'form:client_secret', hosts: ['api.test'], secret: SECRETS.form },
        {
          kind: 'bearer',
          hosts: ['api.test'],
          secret: SECRETS.narrow,
          methods: ['GET', 'POST'],
          paths: ['/v1/*'],
        },
      ],
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  const last = () => seen.at(-1);
  const unechoed = (text: string): void => {
    for (const secret of Object.values(SECRETS)) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(encodeURIComponent(secret));
      expect(text).not.toContain(JSON.stringify(secret).slice(1, -1));
    }
  };

  it('reach the server and come back as placeholders', async () => {
    const { query, path } = placeholders();
    const answer = await rig.fetch(`https://api.test/bot${path}/getMe?key=${query}&x=1`);
    expect(answer.status).toBe(200);
    expect(last()?.url).toBe(
      `/bot${SECRETS.path}/getMe?key=${encodeURIComponent(SECRETS.query)}&x=1`,
    );
    unechoed(answer.text);
    const [record] = await rig.egress(1);
    expect(record).toMatchObject({
      verdict: 'allowed',
      path: `/bot${path}/getMe?key=${query}&x=1`,
    });
  });

  it.each([
    [
      'application/json',
      'json',
      (filled: string) => `{"a":1.0,"auth":{"token":${JSON.stringify(filled)}}}`,
    ],
    [
      'application/x-www-form-urlencoded',
      'form',
      (filled: string) => `a=%20&client_secret=${encodeURIComponent(filled)}`,
    ],
  ] as const)('go into a body of %s', async (type, name, bodyOf) => {
    const answer = await rig.fetch('https://api.test/login', {
      method: 'POST',
      headers: { 'content-type': type },
      body: bodyOf(placeholders()[name]),
    });
    expect(answer.status).toBe(200);
    expect(last()?.body).toBe(bodyOf(SECRETS[name]));
    unechoed(answer.text);
    await rig.until(
      () =>
        rig.events.some(
          (event) =>
            event.kind === 'egress' &&
            event.path === '/login' &&
            event.credential === rig.grants[name === 'json' ? 2 : 3]?.credential,
        ),
      'the record with its credential',
    );
  });

  it.each([
    ['a key twice', `{"auth":{"token":"PH","token":"PH"}}`],
    ['another pointer', `{"token":"PH"}`],
    ['no JSON', `{"auth":{"token":"PH"}`],
  ])('are refused in JSON with %s', async (_, template) => {
    const before = seen.length;
    const answer = await rig.fetch('https://api.test/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: template.replaceAll('PH', placeholders().json),
    });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'grant.wrong-place']);
    expect(seen.length).toBe(before);
  });

  it.each([
    ['GET', '/v1/x', undefined, undefined],
    ['DELETE', '/v1/x', undefined, 'grant.method'],
    ['POST', '/v1/x', { 'x-http-method-override': 'DELETE' }, 'grant.method'],
    ['POST', '/v1/x', { X_HTTP_Method_Override: 'DELETE' }, 'grant.method'],
    ['POST', '/v1/x?_method=delete', undefined, 'grant.method'],
    ['POST', '/v1/x?a=1;_method=delete', undefined, 'grant.method'],
    ['POST', '/v1/x?_HttpMethod=DELETE', undefined, 'grant.method'],
    ['POST', '/v1/x?$httpMethod=DELETE', undefined, 'grant.method'],
    [
      'POST',
      '/v1/x?%24httpHeaders=X-HTTP-Method-Override%3ADELETE%0D%0A',
      undefined,
      'grant.method',
    ],
    ['GET', '/v1/x/y', undefined, 'grant.path'],
    ['GET', '/v2', undefined, 'grant.path'],
    ['GET', '/v1/x', { 'x-original-url': '/v2' }, 'grant.path'],
    ['GET', '/v1/x', { X_Rewrite_URL: '/v2' }, 'grant.path'],
    ['GET', '/v1/x%2Fy', undefined, 'grant.path'],
  ])('keep to their methods and paths: %s %s %j', async (method, target, more, code) => {
    const before = seen.length;
    const answer = await rig.fetch(`https://api.test${target}`, {
      method,
      headers: { authorization: `Bearer ${placeholders().narrow}`, ...more },
    });
    expect(answer.headers['glovebox-code']).toBe(code);
    const arrived = seen
      .slice(before)
      .map(({ headers }) => headers[headers.indexOf('authorization') + 1]);
    expect(arrived).toEqual(code === undefined ? [`Bearer ${SECRETS.narrow}`] : []);
  });

  const FORM = 'application/x-www-form-urlencoded';
  const part = (name: string): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nDELETE\r\n--b--\r\n`;

  it.each([
    ['a field', FORM, 'a=1&_method=delete'],
    ['a field behind a semicolon, as Rack reads it', FORM, 'a=1;_method=delete'],
    ['a field in brackets, as Rack reads it', FORM, '[_method]=delete'],
    ['a field with a dot, as PHP reads it', FORM, '.method=delete'],
    ['a field that ends in a NUL, as PHP reads it', FORM, '_method%00x=delete'],
    ['a form that says more of itself', `${FORM}, text/plain`, '_method=delete'],
    ['a part', 'multipart/form-data; boundary=b', part('_method')],
    ['a part with a dot, as PHP reads it', 'multipart/form-data; boundary=b', part('.method')],
    ['a part of a mixed body, as Rack reads it', 'multipart/mixed; boundary=b', part('_method')],
    ['a part of a related body', 'multipart/related; boundary=b', part('_method')],
  ])('keep to their methods when the form names another: %s', async (_, type, body) => {
    const send = (text: string) =>
      rig.fetch('https://api.test/v1/x', {
        method: 'POST',
        headers: { authorization: `Bearer ${placeholders().narrow}`, 'content-type': type },
        body: text,
      });
    expect((await send('a=1')).status).toBe(200);
    const before = seen.length;
    const refused = await send(body);
    expect([refused.status, refused.headers['glovebox-code']]).toEqual([403, 'grant.method']);
    expect(seen.length).toBe(before);
  });
});
