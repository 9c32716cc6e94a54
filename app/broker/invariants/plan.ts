import * as fc from 'fast-check';
import { ALL_SPELLINGS, LINE_SPELLINGS, TARGET_SPELLINGS, type Spelling } from './spell.ts';

/** The destinations of the trial, by what the policy says of them. */
export const HOSTS = {
  /** Allowed, HTTP/2 and 1.1, four credentials. */
  modern: 'modern.test',
  /** Allowed, HTTP/1.1 alone, two credentials, WebSockets. */
  plain: 'classic.test',
  /** Allowed, no credential. */
  bare: 'bare.test',
  denied: 'denied.test',
  unlisted: 'unlisted.test',
  /** Allowed by name, but its resolver says private addresses, other ones each time. */
  rebinding: 'rebinding.test',
  /** Without TLS. */
  clear: 'clear.test',
} as const;
export type HostKey = keyof typeof HOSTS;

/** What stands where in a request that should not, or should. */
export type Place =
  | 'own'
  | 'header'
  | 'cookie'
  | 'basic'
  | 'query'
  | 'path'
  | 'body'
  | 'trailer'
  | 'header name';

/** A value that the program has: the placeholder of a credential, or a value that is watched for. */
export type Item = {
  readonly value: number | 'watched';
  readonly place: Place;
  readonly spelling: Spelling;
};

/** A secret that the server gives back, and where. */
export type Leak = {
  readonly secret: number | 'watched';
  readonly spelling: Spelling;
  readonly where: 'header' | 'body' | 'trailer';
};

export type AnswerPlan = {
  readonly status: number;
  readonly coding: '' | 'gzip' | 'deflate' | 'br' | 'zstd' | 'br, gzip' | 'raw deflate';
  readonly framing: 'length' | 'chunked' | 'close';
  /** Writes that the body is cut into. */
  readonly writes: number;
  /** Whether the request comes back in the body. */
  readonly mirror: boolean;
  readonly filler: number;
  readonly leaks: readonly Leak[];
};

export type BodyPlan = {
  readonly type: 'none' | 'text' | 'json' | 'form' | 'binary';
  readonly bytes: number;
  readonly coding: '' | 'gzip' | 'deflate' | 'br' | 'zstd';
  readonly chunked: boolean;
  readonly expectsContinue: boolean;
  readonly trailer: boolean;
};

export type RequestPlan = {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly segments: readonly string[];
  readonly query: boolean;
  /** What the Host header or `:authority` says. */
  readonly names: 'same' | 'bare' | 'denied';
  readonly items: readonly Item[];
  readonly body: BodyPlan;
  /** Where the bytes of the request are cut into writes, in thousandths of its length. */
  readonly cuts: readonly number[];
  readonly answer: AnswerPlan;
};

export type MessagePlan = {
  readonly binary: boolean;
  readonly text: string;
  readonly item: Item | undefined;
  readonly fragments: number;
  readonly leak: { readonly secret: number; readonly spelling: Spelling } | undefined;
};

export type ConnectionPlan = {
  readonly carrier: 'direct' | 'CONNECT' | 'SOCKS5';
  readonly host: HostKey;
  /** The name in the TLS handshake. */
  readonly sni: 'same' | 'bare' | 'denied';
} & (
  | { readonly speaks: 'h1' | 'h2' | 'absolute'; readonly requests: readonly RequestPlan[] }
  | {
      readonly speaks: 'ws';
      readonly injects: boolean;
      readonly messages: readonly MessagePlan[];
    }
  | {
      readonly speaks: 'raw' | 'pass';
      readonly text: string;
      readonly cuts: readonly number[];
      readonly item: Item | undefined;
      readonly leak: { readonly secret: number; readonly spelling: Spelling } | undefined;
    }
);

/** Several connections that are open at once. */
export type Trial = readonly ConnectionPlan[];

/** The credentials of the trial; the numbers in items and leaks are places in here. */
export const CREDENTIALS = [
  { kind: 'bearer', host: 'modern', secret: 'sk-real-0123456789/ABCDEFGH+ijklmnop' },
  { kind: 'query:key', host: 'modern', secret: 'query-secret/0123456789+xYz' },
  { kind: 'path:bot', host: 'modern', secret: '123456:path-secret-ABCDEF' },
  { kind: 'json:/auth/token', host: 'modern', secret: 'json-secret-"quoted"-0123' },
  { kind: 'form:client_secret', host: 'modern', secret: 'form secret & 0123456789' },
  {
    kind: 'header:x-api-key',
    host: 'plain',
    secret: 'narrow-header-secret-0123456789',
    methods: ['GET', 'POST'],
    paths: ['/r/*/in/**'],
  },
  { kind: 'basic', host: 'plain', secret: 'basic-password:with-colon/012345' },
] as const satisfies readonly {
  kind: string;
  host: HostKey;
  secret: string;
  methods?: string[];
  paths?: string[];
}[];
export const WATCHED = 'watched/Value+of-an-env-file-0123456789';

const count = CREDENTIALS.length;
const values = fc.oneof(
  { weight: 8, arbitrary: fc.nat(count - 1) },
  { weight: 1, arbitrary: fc.constant('watched' as const) },
);

/** Values that are watched for are known by fingerprints, which are of their bytes and not of UTF-16. */
const spelt = <Spelt extends { readonly spelling: Spelling }>(
  value: number | 'watched',
  found: Spelt,
): Spelt =>
  value === 'watched' && found.spelling === 'UTF-16' ? { ...found, spelling: 'plain' } : found;

/** Numbers past the credentials mean one that fits the host: most requests should be right. */
export const credentialFor = (value: number, host: HostKey): number => {
  if (value < count) return value;
  const fitting = CREDENTIALS.flatMap((credential, index) =>
    credential.host === host ? [index] : [],
  );
  return fitting[value % fitting.length] ?? value % count;
};

const ownItem: fc.Arbitrary<Item> = fc.record({
  value: fc.nat(4 * count - 1),
  place: fc.constant('own' as const),
  spelling: fc.constant('plain' as const),
});
const strayItem: fc.Arbitrary<Item> = fc.oneof(
  fc.record({
    value: values,
    place: fc.constantFrom('header' as const, 'cookie' as const, 'trailer' as const),
    spelling: fc.constantFrom(...LINE_SPELLINGS),
  }),
  // Base64 by itself; in another layer of it is not looked for.
  fc.record({
    value: values,
    place: fc.constant('basic' as const),
    spelling: fc.constant('plain' as const),
  }),
  fc.record({
    value: values,
    place: fc.constantFrom('query' as const, 'path' as const),
    spelling: fc.constantFrom(...TARGET_SPELLINGS),
  }),
  fc
    .record({
      value: values,
      place: fc.constant('body' as const),
      spelling: fc.constantFrom(...ALL_SPELLINGS),
    })
    .map((item) => spelt(item.value, item)),
  fc.record({
    value: values,
    place: fc.constant('header name' as const),
    spelling: fc.constant('hexadecimal' as const),
  }),
);
const items = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 5, arbitrary: fc.array(ownItem, { minLength: 1, maxLength: 3 }) },
  { weight: 2, arbitrary: fc.array(strayItem, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.tuple(ownItem, strayItem) },
);

const leak: fc.Arbitrary<Leak> = fc.oneof(
  fc
    .record({
      secret: values,
      spelling: fc.constantFrom(...ALL_SPELLINGS),
      where: fc.constant('body' as const),
    })
    .map((found) => spelt(found.secret, found)),
  fc.record({
    secret: values,
    spelling: fc.constantFrom(...LINE_SPELLINGS),
    where: fc.constantFrom('header' as const, 'trailer' as const),
  }),
);

const answer: fc.Arbitrary<AnswerPlan> = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 204, 304, 400, 404, 500),
  coding: fc.constantFrom('', '', '', 'gzip', 'deflate', 'raw deflate', 'br', 'zstd', 'br, gzip'),
  framing: fc.constantFrom('length', 'chunked', 'chunked', 'close'),
  writes: fc.integer({ min: 1, max: 9 }),
  mirror: fc.boolean(),
  filler: fc.oneof(
    { weight: 8, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.constantFrom(65_530, 65_536, 70_000, 200_000) },
  ),
  leaks: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: fc.array(leak, { minLength: 1, maxLength: 3 }) },
  ),
});

const body: fc.Arbitrary<BodyPlan> = fc.record({
  type: fc.constantFrom('none', 'none', 'text', 'json', 'form', 'binary'),
  bytes: fc.oneof(
    { weight: 8, arbitrary: fc.nat(400) },
    { weight: 1, arbitrary: fc.constantFrom(0, 16_384, 65_537, 150_000) },
  ),
  coding: fc.constantFrom('', '', '', 'gzip', 'deflate', 'br', 'zstd'),
  chunked: fc.boolean(),
  expectsContinue: fc.boolean().map((yes) => yes),
  trailer: fc.boolean(),
});

const cuts = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 4, arbitrary: fc.array(fc.nat(999), { maxLength: 6 }) },
);

const request: fc.Arbitrary<RequestPlan> = fc.record({
  method: fc.constantFrom(
    'GET',
    'GET',
    'POST',
    'POST',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'HEAD',
    'OPTIONS',
  ),
  segments: fc.array(fc.constantFrom('in', 'in', 'a', 'b%20c', 'x.y', '~', "it's"), {
    maxLength: 3,
  }),
  query: fc.boolean(),
  names: fc.oneof(
    { weight: 20, arbitrary: fc.constant('same' as const) },
    { weight: 1, arbitrary: fc.constantFrom('bare' as const, 'denied' as const) },
  ),
  items,
  body,
  cuts,
  answer,
});

const host = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom<HostKey>('modern', 'plain') },
  { weight: 2, arbitrary: fc.constant<HostKey>('bare') },
  { weight: 1, arbitrary: fc.constantFrom<HostKey>('denied', 'unlisted', 'rebinding') },
);
const carrier = fc.oneof(
  { weight: 5, arbitrary: fc.constant('direct' as const) },
  { weight: 2, arbitrary: fc.constantFrom('CONNECT' as const, 'SOCKS5' as const) },
);
const sni = fc.oneof(
  { weight: 24, arbitrary: fc.constant('same' as const) },
  { weight: 1, arbitrary: fc.constantFrom('bare' as const, 'denied' as const) },
);
const frameLeak = fc.option(
  fc.record({ secret: fc.nat(count - 1), spelling: fc.constantFrom(...LINE_SPELLINGS) }),
  { nil: undefined },
);
const frameItem = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({
      value: values,
      place: fc.constant('body' as const),
      spelling: fc.constantFrom(...LINE_SPELLINGS),
    }),
  },
);
const text = fc.string({ maxLength: 200 });

const connection: fc.Arbitrary<ConnectionPlan> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      carrier,
      host,
      sni,
      speaks: fc.constantFrom('h1', 'h1', 'h2'),
      requests: fc.array(request, { minLength: 1, maxLength: 5, size: 'max' }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      carrier: fc.constant('direct' as const),
      host: fc.constantFrom<HostKey>('clear', 'clear', 'denied', 'rebinding'),
      sni: fc.constant('same' as const),
      speaks: fc.constant('absolute' as const),
      requests: fc.array(request, { minLength: 1, maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      carrier,
      host: fc.constant<HostKey>('plain'),
      sni: fc.constant('same' as const),
      speaks: fc.constant('ws' as const),
      injects: fc.boolean(),
      messages: fc.array(
        fc.record({
          binary: fc.boolean(),
          text,
          item: frameItem,
          fragments: fc.integer({ min: 1, max: 5 }),
          leak: frameLeak,
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      carrier,
      host: fc.constant<HostKey>('bare'),
      sni,
      speaks: fc.constantFrom('raw', 'pass'),
      text,
      cuts,
      item: frameItem,
      leak: frameLeak,
    }),
  },
);

/** Any few connections at once. */
export const trials: fc.Arbitrary<Trial> = fc.array(connection, {
  minLength: 1,
  maxLength: 16,
  size: 'max',
});
