import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createManualClock, unwrap } from '../../../kit/index.ts';
import { signForAws, type AwsAsk, type AwsKeys } from '../../testing/aws-signer.ts';
import { bookOf, grantFor, requestTo } from '../../testing/mediation.ts';
import type { HeaderPairs } from '../inject.ts';
import type { Mediation } from '../mediate.ts';
import { createAwsMediator, MAX_SIGNATURE_SKEW_MS, MAX_SIGNED_BODY_BYTES } from './aws.ts';
import { readSigv4Header, writeSigv4Header } from './sigv4-header.ts';
import { canonicalRequest } from './sigv4-sign.ts';

const REAL_ID = 'AKIAREALREALREALREAL';
const REAL_SECRET = 'realREAL/real+REALrealREALrealREALreal01';
const REAL_TOKEN = 'real-session-token-0123456789abcdef';
const NOW = Date.parse('2026-03-04T05:06:07Z');

const secretOf = (token?: string): string =>
  `${REAL_ID}:${REAL_SECRET}${token === undefined ? '' : `:${token}`}`;

const setUp = (token?: string, now = NOW) => {
  const secret = secretOf(token);
  const grant = grantFor('aws', secret, ['*.amazonaws.com:443']);
  const part = (name: string): string | undefined =>
    grant.parts.find((other) => other.name === name)?.placeholder;
  const sessionToken = part('session-token');
  const keys: AwsKeys = {
    accessKeyId: grant.placeholder,
    secretAccessKey: part('secret-access-key') ?? '',
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
  const clock = createManualClock(now);
  const mediator = createAwsMediator(bookOf(grant, secret), clock);
  const ask = async (what: AwsAsk, by: AwsKeys = keys) => {
    const headers = (await signForAws({ at: NOW, ...what }, by)).filter(
      ([name]) => name !== 'host',
    );
    return mediator(
      requestTo(what.url, {
        method: what.method ?? 'GET',
        headers,
        bodyBytes: Buffer.byteLength(what.body ?? ''),
      }),
    );
  };
  return { grant, keys, mediator, ask };
};

const released = async (mediation: Mediation, body: string): Promise<HeaderPairs> => {
  if (mediation.body.type !== 'hold') return mediation.headers;
  return unwrap(await mediation.body.release(Buffer.from(body))).headers;
};

const valueOf = (headers: HeaderPairs, name: string): string | undefined =>
  headers.find(([other]) => other.toLowerCase() === name)?.[1];

const ASKS: readonly (readonly [string, AwsAsk])[] = [
  ['an object', { url: 'https://bucket.s3.eu-west-1.amazonaws.com/a/b.txt' }],
  ['an odd key', { url: 'https://s3.eu-west-1.amazonaws.com/b/%E2%82%AC%20%28x%29//y%2Bz~' }],
  [
    'a listing',
    { url: 'https://b.s3.eu-west-1.amazonaws.com/?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&x=' },
  ],
  [
    'an upload',
    {
      method: 'PUT',
      url: 'https://b.s3.eu-west-1.amazonaws.com/k',
      body: 'hello',
      headers: { 'content-type': 'text/plain', 'x-amz-meta-a': '  two   words ' },
    },
  ],
  [
    'an upload whose body is not signed',
    {
      method: 'PUT',
      url: 'https://b.s3.eu-west-1.amazonaws.com/k',
      body: 'hello',
      headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    },
  ],
  [
    'an upload with a checksum behind it',
    {
      method: 'PUT',
      url: 'https://b.s3.eu-west-1.amazonaws.com/k',
      body: 'hello',
      headers: {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-trailer': 'x-amz-checksum-crc32',
      },
    },
  ],
  [
    'a call with JSON',
    {
      method: 'POST',
      service: 'dynamodb',
      url: 'https://dynamodb.eu-west-1.amazonaws.com/',
      body: '{"a":1}',
      headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables' },
    },
  ],
  [
    'a path that is signed encoded twice',
    {
      service: 'lambda',
      url: 'https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Ax/policy?q=%C3%A4&Q=1&q=a',
    },
  ],
  [
    'a call to another port',
    { service: 'execute-api', url: 'https://x.execute-api.eu-west-1.amazonaws.com/prod/' },
  ],
];

describe('a request signed by AWS’s own code', () => {
  it.each(ASKS)('for %s is signed anew as that code would with the real pair', async (_, ask) => {
    for (const token of [undefined, REAL_TOKEN]) {
      const { ask: send, grant } = setUp(token);
      const mediation = unwrap(
        (await send(ask)) ?? { ok: false, error: { code: 'x', message: '' } },
      );
      const headers = await released(mediation, ask.body?.toString() ?? '');
      const expected = await signForAws(
        { at: NOW, ...ask },
        {
          accessKeyId: REAL_ID,
          secretAccessKey: REAL_SECRET,
          ...(token === undefined ? {} : { sessionToken: token }),
        },
      );
      expect(valueOf(headers, 'authorization')).toBe(valueOf(expected, 'authorization'));
      expect(valueOf(headers, 'x-amz-security-token')).toBe(token);
      expect(mediation.used).toEqual([grant]);
      const text = JSON.stringify(headers);
      for (const { placeholder } of grant.parts) expect(text).not.toContain(placeholder);
      expect(text).not.toContain(REAL_SECRET);
    }
  });

  it('is signed anew whatever its path and query are', async () => {
    const { ask: send } = setUp();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 4 }),
        fc.array(fc.tuple(fc.string({ maxLength: 6 }), fc.string({ maxLength: 6 })), {
          maxLength: 4,
        }),
        fc.constantFrom('s3', 'sqs'),
        async (parts, pairs, service) => {
          const strict = (text: string): string =>
            encodeURIComponent(text.toWellFormed()).replaceAll(
              /[!'()*]/g,
              (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
            );
          const path = parts
            .map(strict)
            .filter((part) => part !== '.' && part !== '..')
            .join('/');
          const query = pairs
            .filter(([name]) => name !== '')
            .map(([name, value]) => `${strict(name)}=${strict(value)}`)
            .join('&');
          const url = `https://x.amazonaws.com/${path}${query === '' ? '' : `?${query}`}`;
          const mediation = await send({ url, service });
          expect(mediation).toMatchObject({ ok: true });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is signed anew for the host of the connection where HTTP/2 names it in no header', async () => {
    const { keys, mediator } = setUp();
    const ask = { url: 'https://b.s3.eu-west-1.amazonaws.com/k', at: NOW };
    const headers = (await signForAws(ask, keys)).filter(([name]) => name !== 'host');
    const request = { ...requestTo(ask.url), headers };
    const again = mediator(request);
    const expected = await signForAws(ask, {
      accessKeyId: REAL_ID,
      secretAccessKey: REAL_SECRET,
    });
    expect(again).toMatchObject({ ok: true });
    const sent = again?.ok === true ? again.value.headers : [];
    expect(valueOf(sent, 'authorization')).toBe(valueOf(expected, 'authorization'));
    expect(valueOf(sent, 'host')).toBeUndefined();
  });

  it('streams what declares its hash, and holds what does not up to the limit', async () => {
    const { ask } = setUp();
    expect(
      await ask({ method: 'PUT', url: 'https://b.s3.amazonaws.com/k', body: 'x' }),
    ).toMatchObject({
      value: { body: { type: 'stream' } },
    });
    expect(
      await ask({ method: 'POST', service: 'sqs', url: 'https://sqs.amazonaws.com/', body: 'x' }),
    ).toMatchObject({ value: { body: { type: 'hold', maxBytes: MAX_SIGNED_BODY_BYTES } } });
  });
});

describe('a request that is not signed with the sandbox’s pair', () => {
  const url = 'https://b.s3.amazonaws.com/k';

  it('is refused: the id alone is worth nothing', async () => {
    const { ask, keys } = setUp();
    expect(await ask({ url }, { ...keys, secretAccessKey: 'guessed' })).toMatchObject({
      ok: false,
      error: { code: 'aws.bad-signature' },
    });
  });

  it.each([
    ['another path', (text: string) => text, 'https://b.s3.amazonaws.com/other'],
    ['another host', (text: string) => text, 'https://c.s3.amazonaws.com/k'],
    ['another query', (text: string) => text, `${url}?acl`],
  ])('is refused with %s', async (_, change, other) => {
    const { keys, mediator } = setUp();
    const headers = (await signForAws({ url, at: NOW }, keys)).filter(([name]) => name !== 'host');
    const request = requestTo(other, {
      headers: headers.map(([name, value]) => [name, change(value)]),
    });
    expect(mediator(request)).toMatchObject({ ok: false, error: { code: 'aws.bad-signature' } });
  });

  it('is refused when its body is another', async () => {
    const { ask } = setUp();
    const mediation = unwrap(
      (await ask({
        method: 'POST',
        service: 'sqs',
        url: 'https://sqs.amazonaws.com/',
        body: 'one',
      })) ?? { ok: false, error: { code: 'x', message: '' } },
    );
    if (mediation.body.type !== 'hold') throw new Error('not held');
    expect(await mediation.body.release(Buffer.from('two'))).toMatchObject({
      ok: false,
      error: { code: 'aws.bad-signature' },
    });
  });

  it('is left to the plain way at a host of no grant, without TLS, and with another’s pair', async () => {
    const { keys, mediator, ask } = setUp();
    for (const other of ['https://amazonaws.com.evil.test/', 'http://b.s3.amazonaws.com/k']) {
      const headers = await signForAws({ url: other, at: NOW }, keys);
      expect(mediator(requestTo(other, { headers }))).toBeUndefined();
    }
    expect(
      await ask({ url }, { accessKeyId: 'AKIAOTHEROTHEROTHER0', secretAccessKey: 'theirs' }),
    ).toBeUndefined();
  });

  it('is left to the plain way outside the scope of its grant', async () => {
    const { keys, grant } = setUp();
    const narrowed = { ...grant, scope: { methods: ['PUT'] } };
    const mediator = createAwsMediator(bookOf(narrowed, secretOf()), createManualClock(NOW));
    const headers = (await signForAws({ url, at: NOW }, keys)).filter(([name]) => name !== 'host');
    expect(mediator(requestTo(url, { headers }))).toBeUndefined();
  });

  it('is left to the plain way when a placeholder stands elsewhere too', async () => {
    const { keys, ask } = setUp();
    expect(await ask({ url, headers: { 'x-note': keys.secretAccessKey } })).toBeUndefined();
    expect(await ask({ url, headers: { 'x-note': keys.accessKeyId } })).toBeUndefined();
  });
});

describe('the time of a signature', () => {
  const url = 'https://b.s3.amazonaws.com/k';
  it.each([
    [MAX_SIGNATURE_SKEW_MS, true],
    [-MAX_SIGNATURE_SKEW_MS, true],
    [MAX_SIGNATURE_SKEW_MS + 1000, false],
    [-MAX_SIGNATURE_SKEW_MS - 1000, false],
  ])('may be %i ms from now: %s', async (skew, allowed) => {
    const { ask } = setUp();
    expect(await ask({ url, at: NOW + skew })).toMatchObject(
      allowed ? { ok: true } : { ok: false, error: { code: 'aws.skewed' } },
    );
  });

  it('fits its scope', async () => {
    const { keys, mediator } = setUp();
    const headers = (await signForAws({ url, at: NOW }, keys)).filter(([name]) => name !== 'host');
    const change = (value: string): HeaderPairs =>
      headers.map(([name, old]) => [name, name === 'x-amz-date' ? value : old]);
    for (const value of ['', '20260305T050607Z', '2026-03-04', '20261399T050607Z']) {
      expect(mediator(requestTo(url, { headers: change(value) }))).toMatchObject({
        ok: false,
        error: { code: 'aws.malformed' },
      });
    }
  });
});

describe('other ways of signing', () => {
  const url = 'https://b.s3.amazonaws.com/k';
  const { grant, mediator } = setUp();
  const id = grant.placeholder;
  it.each([
    [
      'aws.presigned',
      `${url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${id}%2F20260304%2Fx%2Fs3%2Faws4_request&X-Amz-Signature=00`,
      [],
    ],
    ['aws.old-signature', `${url}?AWSAccessKeyId=${id}&Signature=x&Expires=1`, []],
    ['aws.old-signature', url, [['Authorization', `AWS ${id}:c2lnbmF0dXJl`]]],
    [
      'aws.asymmetric',
      url,
      [
        [
          'Authorization',
          `AWS4-ECDSA-P256-SHA256 Credential=${id}/20260304/s3/aws4_request, SignedHeaders=host, Signature=00`,
        ],
      ],
    ],
    ['aws.malformed', url, [['Authorization', `AWS4-HMAC-SHA256 Credential=${id}`]]],
  ] as const)('are refused as %s', (code, target, headers) => {
    expect(mediator(requestTo(target, { headers }))).toMatchObject({ ok: false, error: { code } });
  });

  it.each([
    ['aws.chunk-signed', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
    ['aws.chunk-signed', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'],
    ['aws.asymmetric', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'],
    ['aws.malformed', 'nonsense'],
  ])('of the body are refused as %s: %s', async (code, hash) => {
    const { ask } = setUp();
    expect(
      await ask({ method: 'PUT', url, body: 'x', headers: { 'x-amz-content-sha256': hash } }),
    ).toMatchObject({ ok: false, error: { code } });
  });
});

describe('a call for a new credential', () => {
  const call = async (
    service: string,
    body: string,
    target = '/',
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const { ask } = setUp();
    const url = `https://${service}.amazonaws.com${target}`;
    const asked = await ask({ method: 'POST', service, url, body, headers });
    if (asked?.ok !== true || asked.value.body.type !== 'hold') return asked;
    return asked.value.body.release(Buffer.from(body));
  };
  const minting = { ok: false, error: { code: 'aws.new-credential' } };

  it.each([
    ['sts', 'Action=AssumeRole&RoleArn=x'],
    ['sts', 'Action=GetSessionToken'],
    ['sts', 'Action=GetCallerIdentity&Action=GetSessionToken'],
    ['sts', '%41ction=GetSessionToken'],
    ['sts', 'Action=GetCallerIdentity&action=GetSessionToken'],
    ['sts', ''],
    ['sts', 'Action=GetCallerIdentity', '/?Action=GetSessionToken'],
    ['sts', 'Action=GetCallerIdentity', '/?a=b?c&Action=GetSessionToken'],
    // Compressed, or in other letters: what it says is not known, and the query says only one thing.
    ['sts', 'A\0c\0t\0i\0o\0n\0=\0x\0', '/?Action=GetCallerIdentity'],
    ['iam', 'Action=CreateAccessKey&UserName=me'],
    ['iam', 'Version=1'],
    ['s3express', '', '/bucket/?session'],
    ['codeartifact', '', '/v1/authorization-token?domain=d'],
  ])('is refused at %s: %s %s', async (service, body, target = '/') => {
    expect(await call(service, body, target)).toMatchObject(minting);
  });

  it('is refused by the name in its header', async () => {
    const ecr = 'AmazonEC2ContainerRegistry_V20150921';
    expect(
      await call('ecr', '{}', '/', { 'x-amz-target': `${ecr}.GetAuthorizationToken` }),
    ).toMatchObject(minting);
    expect(await call('ecr', '{}', '/', { 'x-amz-target': `${ecr}.ListImages` })).toMatchObject({
      ok: true,
    });
  });

  it.each([
    ['sts', 'Action=GetCallerIdentity&Version=2011-06-15'],
    ['iam', 'Action=ListUsers'],
    ['sts', '', '/?Action=GetCallerIdentity'],
    ['s3express', '', '/bucket/key'],
    ['sqs', 'Action=CreateAccessKey'],
  ])('is told from others at %s: %s %s', async (service, body, target = '/') => {
    expect(await call(service, body, target)).toMatchObject({ ok: true });
  });
});

describe('the Authorization header', () => {
  const whole = {
    accessKeyId: REAL_ID,
    scope: { date: '20260304', region: 'eu-west-1', service: 's3' },
    signedHeaders: ['host', 'x-amz-date'],
    signature: 'a'.repeat(64),
  };
  const text = writeSigv4Header(whole);
  it('comes back as it was written, spaced or not', () => {
    expect(unwrap(readSigv4Header(text))).toEqual(whole);
    expect(unwrap(readSigv4Header(text.replaceAll(', ', ',')))).toEqual(whole);
  });
  it.each([
    text.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA512'),
    text.replace('aws4_request', 'aws5_request'),
    text.replace('host;x-amz-date', 'x-amz-date;host'),
    text.replace('host;x-amz-date', 'host;host'),
    text.replace('host;x-amz-date', 'x-amz-date'),
    text.replace('host;x-amz-date', 'Host;x-amz-date'),
    text.replace('Signature=aa', 'Signature=aaa'),
    text.replace('SignedHeaders', 'Signature'),
    `${text}, Signature=${'b'.repeat(64)}`,
    `${text}${' '.repeat(8200)}`,
  ])('is refused as %s', (bad) => {
    expect(readSigv4Header(bad)).toMatchObject({ ok: false, error: { code: 'aws.malformed' } });
  });
});

// From AWS's documentation of Signature Version 4: “get-vanilla-query-order-value” and the like.
it('writes the canonical request as AWS’s test suite does', () => {
  expect(
    canonicalRequest({
      method: 'GET',
      target: '/?Param1=value2&Param1=Value1',
      headers: [
        ['Host', 'example.amazonaws.com'],
        ['My-Header1', ' value4 '],
        ['My-Header1', 'value1'],
        ['X-Amz-Date', '20150830T123600Z'],
      ],
      signedHeaders: ['host', 'my-header1', 'x-amz-date'],
      payloadHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      time: '20150830T123600Z',
      scope: { date: '20150830', region: 'us-east-1', service: 'service' },
    }),
  ).toBe(
    'GET\n/\nParam1=Value1&Param1=value2\nhost:example.amazonaws.com\nmy-header1:value4,value1\n' +
      'x-amz-date:20150830T123600Z\n\nhost;my-header1;x-amz-date\n' +
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});
