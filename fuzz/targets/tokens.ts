import {
  readSigv4Header,
  writeSigv4Header,
} from '../../app/broker/process/mediators/sigv4-header.ts';
import {
  canonicalRequest,
  sha256Hex,
  sigv4Signature,
} from '../../app/broker/process/mediators/sigv4-sign.ts';
import { readJwt, writeJwt } from '../../app/broker/process/mediators/jwt.ts';
import { readTokenRequest } from '../../app/broker/process/mediators/token-request.ts';
import { replaceTokens } from '../../app/broker/process/mediators/token-answer.ts';
import type { HeldAnswer } from '../../app/broker/process/mediate.ts';
import { signForAws } from '../../app/broker/testing/aws-signer.ts';
import { canonicalPath } from '../../app/policy/index.ts';
import { ok } from '../../app/kit/index.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { textOf } from './streams.ts';

const SIGNATURE = 'ab'.repeat(32);
const HEADER = `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=${SIGNATURE}`;

const header = (random: Random): Buffer => {
  const fields = [
    `Credential=${random.pick(['AKIAIOSFODNN7EXAMPLE', 'short', ''])}/${random.pick(['20260101', '2026'])}/eu-west-1/${random.pick(['s3', 'sts', 'S/3'])}/aws4_request`,
    `SignedHeaders=${random.pick(['host', 'host;x-amz-date', 'x-amz-date;host', 'host;host', '', 'a;host', 'HOST'])}`,
    `Signature=${random.pick([SIGNATURE, SIGNATURE.toUpperCase(), ''])}`,
  ];
  if (random.oneIn(6)) fields.push(random.pick(fields as [string, string, string]));
  if (random.oneIn(3)) fields.reverse();
  return Buffer.from(
    `${random.pick(['AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256', 'Bearer'])}${random.pick([' ', '  ', '\t', ''])}${fields.join(random.pick([', ', ',', ' ,']))}`,
  );
};

const sigv4Header = parserTarget({
  name: 'sigv4-header',
  seeds: [
    HEADER,
    HEADER.replaceAll(', ', ','),
    `${HEADER}, Signature=${SIGNATURE}`,
    'AWS4-HMAC-SHA256 ',
    `AWS4-HMAC-SHA256${' '.repeat(4000)}`,
  ],
  maxBytes: 9000,
  generate: header,
  check: (bytes) => {
    const read = readSigv4Header(textOf(bytes));
    if (!read.ok) return;
    mustEqual(
      readSigv4Header(writeSigv4Header(read.value)),
      read,
      'a header that reads otherwise again',
    );
    const { signedHeaders, scope } = read.value;
    must(signedHeaders.includes('host'), 'the host is not signed');
    mustEqual([...new Set(signedHeaders)].toSorted(), [...signedHeaders], 'headers out of order');
    must(!/[/\s]/.test(`${scope.date}${scope.region}${scope.service}`), 'a scope of other parts');
  },
});

const KEYS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' };
/** 2026-01-01, in milliseconds since the epoch. */
const TIME = Date.UTC(2026, 0, 1);

/** AWS's own signer and ours sign the same request alike. */
const signsAlike = async (target: string, service: string): Promise<void> => {
  const theirs = await signForAws({ url: `https://aws.example${target}`, service, at: TIME }, KEYS);
  const found = theirs.find(([name]) => name.toLowerCase() === 'authorization')?.[1] ?? '';
  const read = readSigv4Header(found);
  must(read.ok, 'AWS’s own header is not read');
  const { scope, signedHeaders, signature } = read.value;
  const date = theirs.find(([name]) => name.toLowerCase() === 'x-amz-date')?.[1] ?? '';
  const ours = sigv4Signature(
    {
      method: 'GET',
      target,
      headers: theirs,
      signedHeaders,
      payloadHash: sha256Hex(''),
      time: date,
      scope,
    },
    KEYS.secretAccessKey,
  );
  mustEqual(ours, signature, 'another signature than AWS makes');
};

const sigv4Request = parserTarget({
  name: 'sigv4-request',
  seeds: [
    '/bucket/key?a=b&a=a',
    '/a%20b/c',
    '/?x=%2F&y',
    '/a//b',
    '/a+b?c+d=e',
    '/%C3%BC',
    '/a?b=c=d',
  ],
  maxBytes: 300,
  generate: (random) =>
    Buffer.from(
      `/${random.pick(['key', 'a%20b', 'a//b', '%C3%BC', '~x', ''])}/${random.pick(['', 'b', 'c.d', '%2F'])}?${random.pick(['', 'a=b', 'b=1&a=2', 'a=%20&a', 'x=%2f', 'a+b=c', 'A=1&a=2&A=0', '&&', '=v'])}`,
    ),
  check: async (bytes, random) => {
    const target = textOf(bytes);
    const path = canonicalPath(target);
    if (!path.ok) return;
    const request = {
      method: 'GET',
      target,
      headers: [
        ['Host', 'aws.example'],
        ['X-A', ' a  b '],
      ] as const,
      signedHeaders: ['host', 'x-a'],
      payloadHash: sha256Hex(''),
      time: '20260101T000000Z',
      scope: { date: '20260101', region: 'r', service: random.pick(['s3', 'sts']) },
    };
    const lines = canonicalRequest(request).split('\n');
    // Method, path, query, two headers, an empty line, names, hash: nothing of a request makes a line of its own.
    mustEqual(lines.length, 8, 'a request with lines of its own');
    must(!/[^A-Za-z0-9\-._~%=&]/.test(lines[2] ?? ''), 'a query that is not encoded');
    // What AWS's signer takes as a plain mapping; escapes and odd queries it writes anew.
    const { query } = path.value;
    const plain = /^(?:\?(?:[a-z0-9]+=[a-z0-9]+)(?:&[a-z0-9]+=[a-z0-9]+)*)?$/.test(query);
    if (plain && /^(?:\/[A-Za-z0-9._~-]+)+$/.test(path.value.path) && random.oneIn(4)) {
      await signsAlike(target, 's3');
      await signsAlike(target, 'sts');
    }
  },
});

const base64url = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url');

const jwt = parserTarget({
  name: 'jwt',
  seeds: [
    `${base64url({ alg: 'RS256' })}.${base64url({ iss: 'a', exp: 1 })}.AAAA`,
    `${base64url({ alg: 'none' })}.${base64url({})}.A`,
    `${base64url([])}.${base64url({})}.A`,
    `${Buffer.from('{"alg":"RS256","__proto__":{"a":1}}').toString('base64url')}.e30.A`,
    'a.b.c',
    '..',
    `${'a'.repeat(5000)}.${'b'.repeat(5000)}.c`,
  ],
  generate: (random) =>
    Buffer.from(
      `${random.pick([base64url({ alg: random.pick<unknown>(['RS256', 'none', 1, null]) }), base64url([1])])}.${base64url({ [random.pick(['iss', 'sub', '__proto__', 'aud'])]: random.pick<unknown>(['a', 1, {}, null]) })}.${random.bytes(random.below(9)).toString('base64url')}${random.pick(['', '.', '='])}`,
    ),
  check: (bytes) => {
    const read = readJwt(textOf(bytes));
    if (read === undefined) return;
    must(typeof read.header['alg'] === 'string', 'a token without an algorithm');
    const again = readJwt(writeJwt(read.header, read.claims, () => Buffer.from([1])));
    mustEqual(again?.header, read.header, 'a header that reads otherwise again');
    mustEqual(again?.claims, read.claims, 'claims that read otherwise again');
    must(textOf(bytes).startsWith(`${read.signingInput}.`), 'a signature over something else');
  },
});

const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;
const JSON_TYPE = [['content-type', 'application/json; charset=utf-8']] as const;

const fieldText = (random: Random): string =>
  random.pick([
    'grant_type=refresh_token',
    'refresh_token=fake',
    'a=b',
    'a',
    '=',
    '%41=1',
    'a=%ff',
    'a=+',
    '__proto__=x',
  ]);

const tokenRequest = parserTarget({
  name: 'token-request',
  seeds: [
    'grant_type=refresh_token&refresh_token=fake&client_id=x',
    'a=1&a=2',
    '{"grant_type":"refresh_token","refresh_token":"fake"}',
    '{"a":"1","a":"2"}',
    '{"__proto__":"x","a":{"b":1}}',
    '[]',
    'null',
    '"x"',
    '{"a":"\\ud800"}',
  ],
  generate: (random) =>
    random.oneIn(2)
      ? Buffer.from(Array.from({ length: 1 + random.below(4) }, () => fieldText(random)).join('&'))
      : Buffer.from(
          JSON.stringify({
            [random.pick(['refresh_token', 'a', 'constructor'])]: random.pick<unknown>([
              'x',
              1,
              null,
              ['x'],
              { a: 'b' },
            ]),
          }),
        ),
  check: (bytes) => {
    for (const headers of [FORM, JSON_TYPE]) {
      const read = readTokenRequest(headers, bytes);
      if (read === undefined || !read.ok) continue;
      const { fields, write } = read.value;
      const again = readTokenRequest(headers, write(fields));
      must(again?.ok === true, 'it does not read what it writes');
      mustEqual([...again.value.fields], [...fields], 'fields that read otherwise again');
      const changed = new Map([...fields.keys()].map((name) => [name, 'changed']));
      const third = readTokenRequest(headers, write(changed));
      must(third?.ok === true, 'it does not read what it writes');
      mustEqual([...third.value.fields], [...changed], 'a field that cannot be changed');
      if (headers !== FORM) continue;
      const named = [...new URLSearchParams(bytes.toString('utf8')).keys()];
      mustEqual([...fields.keys()], named, 'a form that names other fields');
    }
  },
});

const answerOf = (body: Buffer): HeldAnswer => ({ status: 200, headers: [], body });

/** Every text in a field that says that it holds a token, by a walk of its own. */
const tokensIn = (value: unknown, name: string, found: string[]): void => {
  if (typeof value === 'string') {
    if (/(?:access|refresh|id)_token$/.test(name) && value !== '') found.push(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value))
      tokensIn(item, Array.isArray(value) ? name : key, found);
  }
};

const tokenAnswer = parserTarget({
  name: 'token-answer',
  seeds: [
    '{"access_token":"real-1","refresh_token":"real-2","expires_in":3600}',
    '{"data":{"access_token":["real-1",{"id_token":"real-2"}]}}',
    '{"__proto__":{"access_token":"real-1"}}',
    '{"access_token":"real-1","access_token":"real-2"}',
    `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`,
    '['.repeat(4000),
    '[]',
    '',
  ],
  generate: (random) => {
    let value: unknown = `real-${String(random.below(9))}`;
    for (let left = random.below(6); left >= 0; left -= 1) {
      value = random.oneIn(4)
        ? [value, random.below(9)]
        : {
            [random.pick([
              'access_token',
              'refresh_token',
              'data',
              'expires_in',
              '__proto__',
              'toString',
            ])]: value,
          };
    }
    return Buffer.from(JSON.stringify(value));
  },
  check: (bytes) => {
    let count = 0;
    const read = replaceTokens(answerOf(bytes), () => ok(`fake-${String((count += 1))}`));
    if (!read.ok) return;
    const before: string[] = [];
    tokensIn(JSON.parse(bytes.toString('utf8')), '', before);
    const after: string[] = [];
    tokensIn(JSON.parse(read.value.body.toString('utf8')), '', after);
    for (const token of after) must(/^fake-[0-9]+$/.test(token), `a token comes through: ${token}`);
    must(after.length <= before.length && count >= after.length, 'tokens out of nothing');
  },
});

export const TOKEN_TARGETS: readonly Target[] = [
  sigv4Header,
  sigv4Request,
  jwt,
  tokenRequest,
  tokenAnswer,
];
