import * as fc from 'fast-check';
import type { Spelling } from '../spell.ts';
import {
  answer,
  framing,
  manner,
  stray,
  writing,
  type Framing,
  type Manner,
  type SlippingAnswer,
  type Stray,
  type ValueKey,
} from './asks.ts';
import { PART_COUNT, type PlaceKey } from './held.ts';

export type TokenClient = 'refresh' | 'confidential' | 'account';

/** What is wrong with a request for a token, if anything is. */
export type WrongExchange =
  | 'nothing'
  /** It is about a token of somebody else. */
  | 'stranger'
  | 'grant type'
  | 'twice'
  | 'place'
  | 'target'
  | 'in the query'
  | 'coding'
  | 'method'
  | 'key'
  | 'audience'
  | 'lifetime'
  | 'issuer';

export type TokenShape = 'opaque' | 'prefixed' | 'jwt';

/** What a token endpoint answers. */
export type TokenAnswer = Pick<SlippingAnswer, 'coding' | 'framing' | 'writes'> & {
  readonly status: number;
  readonly shape: TokenShape;
  readonly rotates: boolean;
  readonly identity: boolean;
  readonly nested: boolean;
  /** The token stands under a harmless name too, or in a header, or behind the status. */
  readonly again: 'nowhere' | 'note' | 'header' | 'reason';
  /** What the answer is, where it is none of JSON. */
  readonly unreadable: 'no' | 'text' | 'list' | 'bytes' | 'nothing';
  readonly mirror: boolean;
  readonly slips: readonly { readonly value: ValueKey; readonly spelling: Spelling }[];
};

export type Exchange = Framing & {
  readonly json: boolean;
  readonly login: 'body' | 'basic' | 'none';
  readonly wrong: WrongExchange;
  readonly stray: Stray | undefined;
  readonly answer: TokenAnswer;
};

/** One use of what an exchange brought. */
export type Use = Framing & {
  readonly token: 'access' | 'identity' | 'nested' | 'refresh' | 'self-signed';
  readonly how: 'own' | 'basic' | 'header' | 'cookie' | 'query' | 'body';
  readonly spelling: Spelling;
  /** `good`: where the token that was asked for is. */
  readonly place: PlaceKey | 'good';
  readonly bytes: number;
  readonly wrong: 'nothing' | 'key' | 'audience' | 'lifetime';
  readonly answer: SlippingAnswer;
};

export type TokenFlow = Manner & {
  readonly scheme: 'tokens';
  readonly client: TokenClient;
  readonly exchange: Exchange;
  readonly uses: readonly Use[];
};

/** What can stand in a JSON text and is read back in as many layers as are looked through. */
const JSON_SPELLINGS = [
  'plain',
  'base64',
  'base64url',
  'percent',
  'form',
  'hexadecimal',
] as const satisfies readonly Spelling[];
/** What can stand in a query. */
const QUERY_SPELLINGS = ['percent', 'percent of every byte', 'base64url', 'hexadecimal'] as const;

const tokenAnswer: fc.Arbitrary<TokenAnswer> = fc.record({
  ...writing,
  status: fc.constantFrom(200, 200, 200, 200, 400, 401),
  shape: fc.constantFrom('opaque' as const, 'prefixed', 'jwt'),
  rotates: fc.boolean(),
  identity: fc.boolean(),
  nested: fc.boolean(),
  again: fc.constantFrom('nowhere' as const, 'nowhere', 'note', 'header', 'reason'),
  unreadable: fc.oneof(
    { weight: 7, arbitrary: fc.constant('no' as const) },
    { weight: 1, arbitrary: fc.constantFrom('text' as const, 'list', 'bytes', 'nothing') },
  ),
  mirror: fc.boolean(),
  slips: fc.array(
    fc.record({
      value: fc.oneof(fc.nat(PART_COUNT - 1), fc.constantFrom('minted' as const, 'watched')),
      spelling: fc.constantFrom(...JSON_SPELLINGS),
    }),
    { maxLength: 2 },
  ),
});

/** In JSON and in a form the zero bytes of UTF-16 are escaped, and then it is none. */
const inText = (found: Stray | undefined): Stray | undefined =>
  found?.spelling === 'UTF-16' ? { ...found, spelling: 'plain' } : found;

const exchange: fc.Arbitrary<Exchange> = fc.record({
  ...framing,
  json: fc.boolean(),
  login: fc.constantFrom('body' as const, 'basic', 'none'),
  wrong: fc.oneof(
    { weight: 12, arbitrary: fc.constant<WrongExchange>('nothing') },
    {
      weight: 5,
      arbitrary: fc.constantFrom<WrongExchange>(
        'stranger',
        'grant type',
        'twice',
        'place',
        'target',
        'in the query',
        'coding',
        'method',
        'key',
        'audience',
        'lifetime',
        'issuer',
      ),
    },
  ),
  stray: fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: stray.map(inText) },
  ),
  answer: tokenAnswer,
});

const use: fc.Arbitrary<Use> = fc.record({
  ...framing,
  token: fc.constantFrom(
    'access' as const,
    'access',
    'access',
    'identity',
    'nested',
    'refresh',
    'self-signed',
  ),
  how: fc.oneof(
    { weight: 5, arbitrary: fc.constant('own' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('basic' as const, 'header', 'cookie', 'query', 'body'),
    },
  ),
  spelling: fc.constantFrom(...QUERY_SPELLINGS),
  place: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<PlaceKey>('api', 'pub') },
    { weight: 1, arbitrary: fc.constantFrom<PlaceKey>('bare', 'auth', 'forge') },
  ),
  bytes: fc.nat(300),
  wrong: fc.constantFrom('nothing' as const, 'nothing', 'nothing', 'key', 'audience', 'lifetime'),
  answer,
});

export const tokenFlow: fc.Arbitrary<TokenFlow> = fc.record({
  ...manner,
  scheme: fc.constant('tokens' as const),
  client: fc.constantFrom('refresh' as const, 'confidential', 'account'),
  exchange,
  uses: fc.array(use, { minLength: 1, maxLength: 5, size: 'max' }),
});
