import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { signForAws } from '../../testing/aws-signer.ts';
import { valueOf } from '../http-clients.ts';
import type { Received } from '../http-server.ts';
import { comparable, same, type Broken } from '../promises.ts';
import type { Expectation, Pairs } from '../render.ts';
import {
  answer,
  framed,
  framing,
  manner,
  scriptOf,
  stray,
  strayAt,
  type Ask,
  type Framing,
  type Manner,
  type SlippingAnswer,
  type Stray,
  type Values,
} from './asks.ts';
import { CREDENTIAL, PAIRS, partIndex, PLACES, type Keys, type PlaceKey } from './held.ts';

/** What is wrong with a signed request, if anything is. */
type Wrong =
  | 'nothing'
  | 'secret'
  | 'method'
  | 'path'
  | 'query'
  | 'header'
  | 'body'
  | 'place'
  | 'late'
  | 'presigned'
  | 'version 2'
  | 'asymmetric'
  | 'signed chunks'
  | 'no token'
  | 'other token';

export type AwsRequest = Framing & {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  readonly segments: readonly string[];
  readonly query: readonly string[];
  readonly payload: 'declared' | 'unsigned' | 'undeclared';
  readonly bytes: number;
  readonly zipped: boolean;
  /** What STS and the like are asked to do. */
  readonly action: string;
  readonly actionIn: 'body' | 'query';
  readonly range: boolean;
  readonly codings: boolean;
  readonly wrong: Wrong;
  readonly stray: Stray | undefined;
  readonly answer: SlippingAnswer;
};

export type AwsConnection = Manner & {
  readonly scheme: 'aws';
  readonly place: 's3' | 'sqs' | 'sts' | 'narrow';
  readonly requests: readonly AwsRequest[];
};

const HARMLESS = ['GetCallerIdentity', 'GetAccessKeyInfo'];
/** As clients of S3 write a path: every byte that is not unreserved is escaped. */
const SEGMENTS = ['in', 'in', 'a', 'b%20c', 'x.y', '~', '%28x%29', 'caf%C3%A9', 'k%2Bv%3D1', ''];
const QUERY = ['list-type=2', 'prefix=a%2Fb', 'a=2', 'a=1', 'empty=', 'bare', 'z=%C3%A9%20y'];

const request: fc.Arbitrary<AwsRequest> = fc.record({
  ...framing,
  method: fc.constantFrom('GET' as const, 'PUT', 'PUT', 'POST', 'POST', 'DELETE', 'HEAD'),
  segments: fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 3 }),
  query: fc.array(fc.constantFrom(...QUERY), { maxLength: 3 }),
  payload: fc.constantFrom('declared' as const, 'unsigned', 'undeclared', 'undeclared'),
  bytes: fc.oneof(
    { weight: 8, arbitrary: fc.nat(400) },
    { weight: 1, arbitrary: fc.constantFrom(0, 16_384, 65_537) },
  ),
  zipped: fc.boolean(),
  action: fc.constantFrom(...HARMLESS, ...HARMLESS, 'GetSessionToken', 'AssumeRole'),
  actionIn: fc.constantFrom('body' as const, 'query'),
  range: fc.boolean(),
  codings: fc.boolean(),
  wrong: fc.oneof(
    { weight: 5, arbitrary: fc.constant<Wrong>('nothing') },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Wrong>(
        'secret',
        'method',
        'path',
        'query',
        'header',
        'body',
        'place',
        'late',
        'presigned',
        'version 2',
        'asymmetric',
        'signed chunks',
        'no token',
        'other token',
      ),
    },
  ),
  stray,
  answer,
});

export const awsConnection: fc.Arbitrary<AwsConnection> = fc.record({
  ...manner,
  scheme: fc.constant('aws' as const),
  place: fc.constantFrom('s3' as const, 's3', 'sqs', 'sqs', 'sts', 'narrow'),
  requests: fc.array(request, { minLength: 1, maxLength: 4, size: 'max' }),
});

const CREDENTIAL_AT = {
  s3: CREDENTIAL.pair,
  sqs: CREDENTIAL.pair,
  sts: CREDENTIAL.temporaryPair,
  narrow: CREDENTIAL.narrowPair,
} as const;
const SERVICE_AT = { s3: 's3', sqs: 'sqs', sts: 'sts', narrow: 's3' } as const;
const OTHER_TOKEN = 'IQoJ-a-token-of-somebody-else-0123456789';
const LATE_MS = 16 * 60 * 1000;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Signs what arrived with AWS's own code and the real pair, as AWS does to check it. */
const signatureWrong = async (
  got: Received,
  service: string,
  keys: Keys,
): Promise<readonly Broken[]> => {
  const authorization = valueOf(got.headers, 'authorization') ?? '';
  const signed = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
  const time = TIME.exec(valueOf(got.headers, 'x-amz-date') ?? '')?.slice(1) ?? [];
  const [year, month, day, hour, minute, second] = time.map(Number);
  const headers = Object.fromEntries(
    signed
      .filter((name) => name !== 'host')
      .map((name) => [
        name,
        got.headers
          .filter(([other]) => other.toLowerCase() === name)
          .map(([, value]) => value)
          .join(','),
      ]),
  );
  const expected = await signForAws(
    {
      method: got.method,
      url: `https://${got.host}${got.target}`,
      headers,
      body: got.body,
      service,
      at: Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second),
    },
    keys,
  );
  const wanted = expected.find(([name]) => name.toLowerCase() === 'authorization')?.[1] ?? '';
  return same(`the signature of ${got.id}`, authorization, wanted);
};

/** What the broker may change of a signed request. */
const RESIGNED = new Set(['authorization', 'x-amz-security-token', 'accept-encoding']);
const unsignedPart = (headers: Pairs): string =>
  comparable(headers.filter(([name]) => !RESIGNED.has(name.toLowerCase())));

/** Makes a signed request out of its plan, and says what must become of it. */
export const renderAws = async (
  plan: AwsRequest,
  at: AwsConnection['place'],
  id: string,
  values: Values,
): Promise<Ask> => {
  const credential = CREDENTIAL_AT[at];
  const real = PAIRS[credential] ?? { accessKeyId: '', secretAccessKey: '' };
  const service = SERVICE_AT[at];
  const calls = service === 'sts';
  const wrong =
    (plan.wrong === 'no token' || plan.wrong === 'other token') && real.sessionToken === undefined
      ? 'nothing'
      : plan.wrong;
  const place: PlaceKey = wrong === 'place' ? 'bare' : at;
  const method = calls && plan.actionIn === 'body' ? 'POST' : plan.method;
  const strayBody = strayAt(plan.stray, 'body', values);
  const bodiless =
    method === 'GET' || method === 'HEAD' || (method === 'DELETE' && strayBody === '');
  const words = 'words and 1.0 numbers '.repeat(Math.ceil(plan.bytes / 22)).slice(0, plan.bytes);
  const form = calls && plan.actionIn === 'body' ? `Action=${plan.action}&Version=2011&x=` : '';
  const plain = Buffer.from(bodiless ? '' : `${form}${words}${strayBody}`, 'latin1');
  const zipped = plan.zipped && plain.length > 0 && !calls;
  const body = zipped ? gzipSync(plain) : plain;
  const hasBody = body.length > 0;

  const path = [
    '',
    ...(at === 'narrow' ? plan.segments.slice(0, 1) : []),
    'r',
    id,
    ...plan.segments,
    ...(plan.stray?.place === 'path' ? [strayAt(plan.stray, 'path', values)] : []),
  ].join('/');
  const query = [
    ...plan.query,
    ...(calls && plan.actionIn === 'query' ? [`Action=${plan.action}`] : []),
    ...(plan.stray?.place === 'query' ? [`note=${strayAt(plan.stray, 'query', values)}`] : []),
  ].join('&');
  const target = `${path}${query === '' ? '' : `?${query}`}`;

  const token = values.inside(partIndex(credential, 'session-token'));
  const keys: Keys = {
    accessKeyId: values.inside(partIndex(credential, 'access-key-id')),
    secretAccessKey:
      wrong === 'secret' ? 'guessed' : values.inside(partIndex(credential, 'secret-access-key')),
    ...(real.sessionToken === undefined || wrong === 'no token'
      ? {}
      : { sessionToken: wrong === 'other token' ? OTHER_TOKEN : token }),
  };
  // S3 wants the hash in a header always.
  const payload = service === 's3' && plan.payload === 'undeclared' ? 'declared' : plan.payload;
  const hash =
    wrong === 'signed chunks'
      ? 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
      : payload === 'declared'
        ? sha256(body)
        : payload === 'unsigned'
          ? 'UNSIGNED-PAYLOAD'
          : undefined;
  const headers: Readonly<Record<string, string>> = {
    'x-id': id,
    'x-twice': 'one,two,  three',
    ...(hasBody
      ? { 'content-type': calls ? 'application/x-www-form-urlencoded' : 'text/plain' }
      : {}),
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    ...(plan.range && method === 'GET' ? { range: 'bytes=0-9' } : {}),
    ...(plan.codings ? { 'accept-encoding': 'gzip, br' } : {}),
    ...(hash === undefined ? {} : { 'x-amz-content-sha256': hash }),
    ...(plan.stray?.place === 'header'
      ? { 'x-note': `a ${strayAt(plan.stray, 'header', values)} b` }
      : {}),
    ...(plan.stray?.place === 'cookie'
      ? { cookie: `c=${strayAt(plan.stray, 'cookie', values)}` }
      : {}),
  };
  const url = (of: string): string => `https://${PLACES[at]}${of}`;
  const signed = await signForAws(
    {
      method,
      url: url(wrong === 'path' ? `${path}/more${query === '' ? '' : `?${query}`}` : target),
      headers: wrong === 'header' ? { ...headers, 'x-id': `${id}0` } : headers,
      body,
      service,
      at: wrong === 'late' ? Date.now() - LATE_MS : Date.now(),
    },
    keys,
  );
  const authorization = signed.find(([name]) => name === 'authorization')?.[1] ?? '';
  const sentAuthorization =
    wrong === 'version 2'
      ? `AWS ${keys.accessKeyId}:c2lnbmF0dXJl`
      : wrong === 'asymmetric'
        ? authorization.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256')
        : authorization;
  const sentHeaders = signed
    .filter(([name]) => name !== 'host' && !(wrong === 'presigned' && name === 'authorization'))
    .map(([name, value]) =>
      name === 'authorization'
        ? ([name, sentAuthorization] as const)
        : name === 'x-id'
          ? ([name, id] as const)
          : ([name, value] as const),
    )
    .flatMap(([name, value]): Pairs =>
      name === 'x-twice'
        ? [
            [name, 'one'],
            [name, 'two,  three'],
          ]
        : [[name, value]],
    );
  const sentTarget =
    wrong === 'presigned'
      ? `${target}${query === '' ? '?' : '&'}X-Amz-Credential=${keys.accessKeyId}%2F20260101&X-Amz-Signature=0`
      : wrong === 'query'
        ? `${target}${query === '' ? '?' : '&'}more=1`
        : target;
  const tampered = wrong === 'body' && hasBody;
  const sentBody = tampered ? Buffer.concat([body, Buffer.from('more')]) : body;
  const sentMethod = wrong === 'method' && hasBody ? 'PATCH' : method;

  // What it must come to.
  const kept = hash !== undefined;
  const inScope =
    at !== 'narrow' ||
    ((sentMethod === 'GET' || sentMethod === 'PUT') && plan.segments[0] === 'in');
  // A body beside an action in the query might say another.
  const mints =
    calls && (!HARMLESS.includes(plan.action) || (plan.actionIn === 'query' && hasBody));
  const said =
    plan.stray !== undefined &&
    (hasBody || (plan.stray.place !== 'body' && plan.stray.place !== 'trailer'));
  const harmlessWrong =
    wrong === 'nothing' ||
    wrong === 'no token' ||
    wrong === 'other token' ||
    // The service holds a body against the hash that was signed, or against none.
    (wrong === 'body' && (!tampered || kept)) ||
    (wrong === 'method' && sentMethod === method);
  const unclear =
    // An empty part fits a pattern or not, and what follows a compressed body is read or not.
    (at === 'narrow' && plan.segments.includes('')) || (tampered && zipped);
  const expected: Expectation =
    !harmlessWrong || !inScope || mints || said ? 'denied' : unclear ? 'either' : 'allowed';
  const { sessionToken: _, ...pair } = real;
  return {
    id,
    place,
    expected,
    credential: `cred-${String(credential)}`,
    method: sentMethod,
    target: sentTarget,
    authority: PLACES[place],
    headers: sentHeaders,
    body: sentBody,
    ...framed(plan, hasBody, strayAt(plan.stray, 'trailer', values)),
    wrongIn: async (got) => [
      ...same(`the method of ${id}`, got.method, sentMethod),
      ...same(`the target of ${id}`, got.target, sentTarget),
      ...same(`the headers of ${id}`, unsignedPart(got.headers), unsignedPart(sentHeaders)),
      ...same(`the body of ${id}`, got.body.toString('latin1'), sentBody.toString('latin1')),
      ...same(
        `the token of ${id}`,
        valueOf(got.headers, 'x-amz-security-token') ?? '',
        wrong === 'other token' ? OTHER_TOKEN : (real.sessionToken ?? ''),
      ),
      // The token stands among the headers that were signed.
      ...(await signatureWrong(got, service, pair)),
    ],
    script: (got) => scriptOf(plan.answer, got, values),
  };
};
