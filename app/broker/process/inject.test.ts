import { array, assert, constantFrom, oneof, property, string, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../kit/index.ts';
import { buildGrant, parseHost, parsePathPattern, type GrantScope } from '../../policy/index.ts';
import { injectRequest, type HeaderPairs, type HeldCredential } from './inject.ts';
import type { BodyGate, JudgedRequest } from './mediate.ts';
import { MAX_HELD_BODY_BYTES } from './sites/body.ts';
import { MAX_FIELDS } from './sites/field.ts';
import { percentDecode, percentEncode } from './sites/percent.ts';
import { swapSegment } from './sites/segment.ts';
import { grantsIn } from './trip.ts';

const SECRET = 'real/secret+with?marks&more=1';
const hold = (
  kind: string,
  scope: GrantScope = {},
  hosts: readonly string[] = ['api.test'],
): HeldCredential => ({
  grant: {
    ...unwrap(
      buildGrant({ name: `my-${kind.split(':')[0] ?? ''}`, kind, hosts: [], addedAt: '' }, hosts),
    ),
    scope,
  },
  secret: SECRET,
});
const paths = (...texts: readonly string[]): GrantScope => ({
  paths: texts.map((text) => unwrap(parsePathPattern(text))),
});
const request = (change: Partial<JudgedRequest> & { host?: string; tls?: boolean }) => ({
  to: {
    host: unwrap(parseHost(change.host ?? 'api.test')),
    port: 443,
    tls: change.tls ?? true,
  },
  method: 'GET',
  target: '/',
  headers: [] as HeaderPairs,
  bodyBytes: 0,
  ...change,
});
const inject = (held: HeldCredential, change: Parameters<typeof request>[0]) =>
  injectRequest([held], request(change));
const code = (held: HeldCredential, change: Parameters<typeof request>[0]) => {
  const injected = inject(held, change);
  return injected.type === 'tripped' ? injected.code : 'ready';
};
const ready = (held: HeldCredential, change: Parameters<typeof request>[0]) => {
  const injected = inject(held, change);
  if (injected.type !== 'ready') throw new Error(injected.code);
  return injected;
};
const released = async (gate: BodyGate, body: string) => {
  if (gate.type !== 'hold') throw new Error(`the body is not held: ${gate.type}`);
  const result = unwrap(await gate.release(Buffer.from(body)));
  return { text: result.body.toString(), used: result.used?.length ?? 0 };
};
const ENCODED = encodeURIComponent(SECRET);

describe('a query parameter', () => {
  const held = hold('query:key');
  const { placeholder } = held.grant;

  it('is filled where it is the whole value, percent-encoded', () => {
    const { target, used } = ready(held, { target: `/v1?a=1&key=${placeholder}&b=%20+` });
    expect(target).toBe(`/v1?a=1&key=${ENCODED}&b=%20+`);
    expect(used).toEqual([held.grant]);
  });

  it('is read as servers read it', () => {
    const spelled = `%${placeholder.charCodeAt(0).toString(16)}${placeholder.slice(1)}`;
    expect(ready(held, { target: `/?k%65y=${spelled}` }).target).toBe(`/?k%65y=${ENCODED}`);
  });

  it.each([
    ['another parameter', `/?other=${placeholder}`],
    ['another case', `/?KEY=${placeholder}`],
    ['a part of the value', `/?key=x${placeholder}`],
    [
      'a doubly encoded value',
      `/?key=%25${placeholder.charCodeAt(0).toString(16)}${placeholder.slice(1)}`,
    ],
    ['two of the name', `/?key=${placeholder}&key=x`],
    ['two of the name in two cases', `/?key=${placeholder}&Key=x`],
    ['two of the value', `/?key=${placeholder}&other=${placeholder}`],
    ['the path', `/${placeholder}?key=x`],
    ['the path beside it', `/${placeholder}?key=${placeholder}`],
    ['a name', `/?${placeholder}=1`],
    ['too many fields', `/?key=${placeholder}${'&'.repeat(MAX_FIELDS)}`],
  ])('trips on %s', (_, target) => {
    expect(code(held, { target })).toBe('grant.wrong-place');
  });

  it('trips at another host and without TLS', () => {
    const target = `/?key=${placeholder}`;
    expect(code(held, { target, host: 'other.test' })).toBe('grant.wrong-host');
    expect(code(held, { target, tls: false })).toBe('grant.cleartext');
  });

  it('is filled in a WebSocket handshake like in any request', () => {
    const headers: HeaderPairs = [
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
    ];
    expect(ready(held, { target: `/ws?key=${placeholder}`, headers }).target).toContain(ENCODED);
  });
});

describe('percent escapes', () => {
  it.each([
    ['a%20b', 'a b'],
    ['%e2%82%AC', '€'],
    ['%', '%'],
    ['%4', '%4'],
    ['%zz%41', '%zzA'],
    ['%%41', '%A'],
    ['ü%c3%bc', 'üü'],
  ])('%s reads %s', (text, expected) => {
    expect(percentDecode(text)).toBe(expected);
  });

  it('read back what they write', () => {
    assert(
      property(string({ unit: 'grapheme' }), (text) => {
        expect(percentDecode(percentEncode(text, ''))).toBe(text);
        expect(percentEncode(text, '')).toMatch(/^[A-Za-z0-9%]*$/);
      }),
    );
  });
});

describe('a path segment', () => {
  it('is filled where it is the whole segment behind its prefix', () => {
    const held = hold('path:bot');
    const { placeholder } = held.grant;
    const { target } = injectReady(
      { ...held, secret: '12345:ABC-def' },
      `/bot${placeholder}/getMe?x=1`,
    );
    expect(target).toBe('/bot12345:ABC-def/getMe?x=1');
    expect(code(held, { target: `/${placeholder}/getMe` })).toBe('grant.wrong-place');
    expect(code(held, { target: `/xbot${placeholder}/getMe` })).toBe('grant.wrong-place');
    expect(code(held, { target: `/bot${placeholder}/bot${placeholder}` })).toBe(
      'grant.wrong-place',
    );
    expect(code(held, { target: `/bot${placeholder};x/getMe` })).toBe('grant.wrong-place');
    expect(code(held, { target: `/x?bot${placeholder}` })).toBe('grant.wrong-place');
  });

  it('is never filled twice', () => {
    const swap = { placeholder: 'PLACEHOLDER', secret: 'secret' };
    expect(swapSegment('/a/PLACEHOLDER', '', swap)?.text).toBe('/a/secret');
    expect(swapSegment('/PLACEHOLDER/PLACEHOLDER', '', swap)).toBeUndefined();
  });

  it('keeps to one segment whatever the secret holds', () => {
    const held = hold('path');
    const { target } = ready(held, { target: `/hooks/${held.grant.placeholder}` });
    expect(target.split('/')).toHaveLength(3);
    expect(target).not.toContain('?');
    expect(decodeURIComponent(target)).toBe(`/hooks/${SECRET}`);
  });
});
const injectReady = (held: HeldCredential, target: string) => ready(held, { target });

describe('headers', () => {
  it('fills a subprotocol of a WebSocket handshake', () => {
    const held = { ...hold('openai'), secret: 'sk-real' };
    const value = `realtime, openai-insecure-api-key.${held.grant.placeholder}, beta`;
    const { headers } = ready(held, { headers: [['Sec-WebSocket-Protocol', value]] });
    expect(headers).toEqual([
      ['Sec-WebSocket-Protocol', 'realtime, openai-insecure-api-key.sk-real, beta'],
    ]);
  });

  it('trips on what is left in a field that was filled', () => {
    const held = hold('header:x-key');
    const { placeholder } = held.grant;
    const spelled = `%${placeholder.charCodeAt(0).toString(16)}${placeholder.slice(1)}`;
    for (const value of [`${placeholder} ${placeholder}`, `${placeholder} ${spelled}`]) {
      expect(code(held, { headers: [['X-Key', value]] })).toBe('grant.wrong-place');
    }
  });

  it('never fills two fields with one credential', () => {
    const held = hold('gitlab');
    const { placeholder } = held.grant;
    expect(
      code(held, {
        headers: [
          ['Private-Token', placeholder],
          ['Authorization', `Bearer ${placeholder}`],
        ],
      }),
    ).toBe('grant.wrong-place');
  });

  it('trips on every part of a credential that a mediator handles', () => {
    const held = hold('aws');
    expect(held.grant.parts).toHaveLength(2);
    for (const { placeholder } of held.grant.parts) {
      expect(code(held, { headers: [['X-Any', placeholder]] })).toBe('grant.wrong-place');
      expect(code(held, { target: `/?key=${placeholder}`, host: 'other.test' })).toBe(
        'grant.wrong-host',
      );
    }
  });
});

describe('a JSON field', () => {
  const held = hold('json:/auth/token');
  const { placeholder } = held.grant;
  const json = (change: Partial<JudgedRequest> = {}) =>
    ready(held, {
      method: 'POST',
      headers: [['Content-Type', 'application/json; charset=utf-8']],
      bodyBytes: undefined,
      ...change,
    }).body;

  it('is filled, and all else stays byte for byte', async () => {
    const body = `{ "auth" : {"token":"${placeholder}"}, "ü":1.0 }`;
    expect(await released(json(), body)).toEqual({
      text: `{ "auth" : {"token":${JSON.stringify(SECRET)}}, "ü":1.0 }`,
      used: 1,
    });
  });

  it.each([
    ['another pointer', `{"token":"${placeholder}"}`],
    ['a part of the string', `{"auth":{"token":"Bearer ${placeholder}"}}`],
    ['a key twice', `{"auth":{"token":"${placeholder}","token":"x"}}`],
    ['a key twice in another case', `{"auth":{"token":"${placeholder}","Token":"x"}}`],
    ['no JSON', `{"auth":{"token":"${placeholder}"}`],
  ])('stays a placeholder for %s', async (_, body) => {
    expect(await released(json(), body)).toEqual({ text: body, used: 0 });
  });

  it('stays a placeholder in what is no UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from(`{"auth":{"token":"${placeholder}"},"x":"`),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    const gate = json();
    if (gate.type !== 'hold') throw new Error('not held');
    expect(unwrap(await gate.release(body)).body.equals(body)).toBe(true);
  });

  it.each([
    ['another type', { headers: [['Content-Type', 'text/plain']] }],
    ['a type alike', { headers: [['Content-Type', 'application/json-patch+json']] }],
    ['no type', { headers: [] }],
    ['another charset', { headers: [['Content-Type', 'application/json; charset=utf-16']] }],
    [
      'a compressed body',
      {
        headers: [
          ['Content-Type', 'application/json'],
          ['Content-Encoding', 'gzip'],
        ],
      },
    ],
    ['too long a body', { bodyBytes: MAX_HELD_BODY_BYTES + 1 }],
    ['no body', { bodyBytes: 0 }],
  ] as const)('holds nothing for %s', (_, change) => {
    expect(json(change as Partial<JudgedRequest>).type).toBe('stream');
  });

  it('holds nothing at another host, without TLS, and outside the scope', () => {
    const headers: HeaderPairs = [['Content-Type', 'application/json']];
    const gate = (change: Parameters<typeof request>[0], credential = held) =>
      ready(credential, { method: 'POST', headers, bodyBytes: undefined, ...change }).body.type;
    expect(gate({})).toBe('hold');
    expect(gate({ host: 'other.test' })).toBe('stream');
    expect(gate({ tls: false })).toBe('stream');
    expect(gate({}, hold('json:/auth/token', { methods: ['GET'] }))).toBe('stream');
    expect(gate({}, hold('json:/auth/token', paths('/v1/**')))).toBe('stream');
  });
});

describe('a form field', () => {
  const held = hold('form:client_secret');
  const { placeholder } = held.grant;
  const form = (credential = held) =>
    ready(credential, {
      method: 'POST',
      headers: [['content-type', 'application/x-www-form-urlencoded']],
      bodyBytes: undefined,
    }).body;

  it('is filled, percent-encoded', async () => {
    expect(await released(form(), `a=%C3%BC+&client_secret=${placeholder}&b=`)).toEqual({
      text: `a=%C3%BC+&client_secret=${ENCODED}&b=`,
      used: 1,
    });
  });

  it.each([
    `client_secret=${placeholder}&client_secret=x`,
    `client_secret=x&client_secret=${placeholder}`,
    `secret=${placeholder}`,
    `client_secret=x${placeholder}`,
  ])('stays a placeholder in %s', async (body) => {
    expect(await released(form(), body)).toEqual({ text: body, used: 0 });
  });

  it('stays a placeholder where the form names a method outside the scope', async () => {
    const narrow = hold('form:client_secret', { methods: ['POST'] });
    const body = `client_secret=${narrow.grant.placeholder}`;
    expect((await released(form(narrow), `${body}&_method=post`)).used).toBe(1);
    expect((await released(form(narrow), `${body}&_method=delete`)).used).toBe(0);
  });
});

describe('a scope', () => {
  const methods = { methods: ['GET', 'POST'] };
  const bearer = (held: HeldCredential): HeaderPairs => [
    ['Authorization', `Bearer ${held.grant.placeholder}`],
  ];
  const judged = (scope: GrantScope, change: Partial<JudgedRequest>) => {
    const held = hold('bearer', scope);
    return code(held, { ...change, headers: [...bearer(held), ...(change.headers ?? [])] });
  };

  it('narrows by method, however the method is named', () => {
    expect(judged(methods, { method: 'GET' })).toBe('ready');
    expect(judged(methods, { method: 'DELETE' })).toBe('grant.method');
    for (const name of ['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override']) {
      expect(judged(methods, { method: 'POST', headers: [[name, 'GET']] })).toBe('ready');
      expect(judged(methods, { method: 'POST', headers: [[name, ' delete']] })).toBe(
        'grant.method',
      );
    }
    expect(judged(methods, { target: '/?_method=GET' })).toBe('ready');
    expect(judged(methods, { target: '/?_method=DELETE' })).toBe('grant.method');
    expect(judged(methods, { target: '/?%5FMETHOD=d%65lete' })).toBe('grant.method');
  });

  it('narrows by path, on the path that goes out', () => {
    const scope = paths('/v1/*', '/v2/**');
    expect(judged(scope, { target: '/v1/x?y=/admin' })).toBe('ready');
    expect(judged(scope, { target: '/v2/x/y' })).toBe('ready');
    expect(judged(scope, { target: '/v1/x/y' })).toBe('grant.path');
    expect(judged(scope, { target: '/admin?/v1/x' })).toBe('grant.path');
    expect(judged(scope, { target: '//v2/x' })).toBe('grant.path');
  });

  it('leaves requests without the placeholder alone', () => {
    expect(code(hold('bearer', methods), { method: 'DELETE' })).toBe('ready');
  });

  it('tells the host before the scope', () => {
    const held = hold('bearer', methods);
    expect(code(held, { method: 'DELETE', host: 'other.test', headers: bearer(held) })).toBe(
      'grant.wrong-host',
    );
  });

  describe('by method, of a request with a form', () => {
    const held = hold('bearer', methods);
    const gate = (type: string, coding?: string, credential = held) =>
      ready(credential, {
        method: 'POST',
        bodyBytes: undefined,
        headers: [
          ...bearer(credential),
          ...(type === '' ? [] : [['Content-Type', type] as const]),
          ...(coding === undefined ? [] : [['Content-Encoding', coding] as const]),
        ],
      }).body;
    const outcome = async (body: string, type: string, coding?: string): Promise<string> => {
      const one = gate(type, coding);
      if (one.type !== 'hold') return one.type;
      const result = await one.release(Buffer.from(body));
      return result.ok ? result.value.body.toString() : result.error.code;
    };
    const FORM = 'application/x-www-form-urlencoded';
    const MULTIPART = 'multipart/form-data; boundary=b';

    it.each([
      ['a=1', FORM, undefined, 'a=1'],
      ['_method=post', FORM, undefined, '_method=post'],
      ['a=1&_method=delete', FORM, undefined, 'grant.method'],
      ['a=1&%5fmethod=delete', FORM, undefined, 'grant.method'],
      ['_method=delete', '', undefined, 'grant.method'],
      [`_method=post${'&'.repeat(MAX_FIELDS)}`, FORM, undefined, 'grant.method'],
      ['a=1', FORM, 'gzip', 'grant.method'],
      [
        '--b\r\nContent-Disposition: form-data; name="_method"\r\n',
        MULTIPART,
        undefined,
        'grant.method',
      ],
      [
        '--b\r\nContent-Disposition: form-data; name=_METHOD\r\n',
        MULTIPART,
        undefined,
        'grant.method',
      ],
      [
        '--b\r\nContent-Disposition: form-data; name="file"\r\n',
        MULTIPART,
        undefined,
        '--b\r\nContent-Disposition: form-data; name="file"\r\n',
      ],
      ['{"_method":"DELETE"}', 'application/json', undefined, 'stream'],
    ])('%j (%s, %s): %j', async (body, type, coding, expected) => {
      expect(await outcome(body, type, coding)).toBe(expected);
    });

    it('is looked through in passing, whatever it is made of', async () => {
      const body = 'name='.repeat(400_000);
      expect(await outcome(body, MULTIPART)).toBe(body);
      expect(await outcome(`${body}_method`, MULTIPART)).toBe('grant.method');
    });

    it('holds nothing where no method was named', () => {
      expect(gate(FORM, undefined, hold('bearer')).type).toBe('stream');
    });
  });
});

describe('any request', () => {
  it('goes out without a placeholder, and with each secret once at most and in its place alone', () => {
    const kinds = ['header:x-key', 'bearer', 'basic', 'query:key', 'path:bot'];
    const held = kinds.map((kind, index) => ({
      ...hold(kind),
      secret: `real-${String(index)}-secret-${'z'.repeat(12)}`,
    }));
    const grants = held.map(({ grant }) => grant);
    const forms = grants.flatMap(({ placeholder }) => [
      placeholder,
      placeholder,
      `%${placeholder.charCodeAt(0).toString(16)}${placeholder.slice(1)}`,
      Buffer.from(`user:${placeholder}`).toString('base64'),
      Buffer.from(`${placeholder}:`).toString('base64'),
    ]);
    const word = constantFrom('x', '', 'key', 'Bearer ', 'Basic ', 'token ', 'bot', ...forms);
    const text = array(word, { maxLength: 3 }).map((words) => words.join(''));
    const [inHeader, bearer, basic, inQuery, inPath] = grants.map((grant) => grant.placeholder);
    const pair = Buffer.from(`user:${String(basic)}`).toString('base64');
    // Half of all pieces stand as they should, or hardly any request would go out.
    const segment = oneof(constantFrom('v1', `bot${String(inPath)}`), text);
    const field = oneof(
      constantFrom(['key', String(inQuery)], ['q', '1']),
      tuple(constantFrom('key', 'k%65y', 'KEY', 'q'), text),
    );
    const header = oneof(
      constantFrom(
        ['X-Key', String(inHeader)] as const,
        ['Authorization', `Bearer ${String(bearer)}`] as const,
        ['Authorization', `Basic ${pair}`] as const,
        ['Accept', '*'] as const,
      ),
      tuple(
        constantFrom('X-Key', 'Authorization', 'authorization', 'Cookie'),
        tuple(constantFrom('', 'Bearer ', 'Basic '), text).map((parts) => parts.join('')),
      ),
    );
    const pathOf = array(segment, { maxLength: 2 }).map((parts) => `/${parts.join('/')}`);
    const queryOf = array(field, { maxLength: 2 }).map((fields) =>
      fields.map((parts) => parts.join('=')).join('&'),
    );
    let filled = 0;
    assert(
      property(
        pathOf,
        queryOf,
        array(header, { maxLength: 2 }),
        constantFrom('api.test', 'api.test', 'api.test', 'other.test'),
        constantFrom(true, true, true, false),
        (path, query, headers, host, tls) => {
          const target = `${path}${query === '' ? '' : `?${query}`}`;
          const injected = injectRequest(held, request({ target, headers, host, tls }));
          if (injected.type === 'tripped') return;
          filled += injected.used.length;
          const decoded = injected.headers.map(([name, value]) =>
            name !== 'X-Key' && /^Basic /i.test(value)
              ? Buffer.from(value.slice(6), 'base64').toString()
              : value,
          );
          const all = [injected.target, ...decoded].join('\n');
          expect(grantsIn(grants, injected.target)).toEqual([]);
          for (const [, value] of injected.headers) expect(grantsIn(grants, value)).toEqual([]);
          for (const { grant, secret } of held) {
            const times = all.split(secret).length - 1;
            expect(times).toBe(injected.used.includes(grant) ? 1 : 0);
            expect(times === 0 || (host === 'api.test' && tls)).toBe(true);
          }
        },
      ),
      { seed: 20_261_122, numRuns: 4000 },
    );
    // Not a run of refusals alone.
    expect(filled).toBeGreaterThan(200);
  });
});

it('trips over a placeholder in the name of a header', () => {
  const held = hold('bearer');
  const headers: HeaderPairs = [[held.grant.placeholder, 'x']];
  expect(code(held, { headers })).toBe('grant.wrong-place');
  expect(code(held, { headers, host: 'other.test' })).toBe('grant.wrong-host');
});

it('fills Basic credentials in their own header alone', () => {
  const held = hold('basic');
  const value = `Basic ${Buffer.from(`user:${held.grant.placeholder}`).toString('base64')}`;
  expect(code(held, { headers: [['Authorization', value]] })).toBe('ready');
  expect(code(held, { headers: [['X-Authorization', value]] })).toBe('grant.wrong-place');
});
