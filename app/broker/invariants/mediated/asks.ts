import * as fc from 'fast-check';
import type { Expectation, Pairs } from '../render.ts';
import type { Received, Script } from '../http-server.ts';
import type { Spoken } from '../http-clients.ts';
import type { AnswerPlan, ConnectionPlan } from '../plan.ts';
import type { Broken } from '../promises.ts';
import {
  ALL_SPELLINGS,
  LINE_SPELLINGS,
  SPELLINGS,
  TARGET_SPELLINGS,
  type Spelling,
} from '../spell.ts';
import { PART_COUNT, type PlaceKey } from './held.ts';

/** A value of which something is known: a part of a credential, what was minted last, or one that is watched for. */
export type ValueKey = number | 'minted' | 'watched';

/** A value that stands where none may. */
export type Stray = {
  readonly value: ValueKey;
  readonly place: 'header' | 'cookie' | 'query' | 'path' | 'body' | 'trailer';
  readonly spelling: Spelling;
};

/** A secret that a server gives back. */
export type Slip = {
  readonly value: ValueKey;
  readonly where: 'header' | 'body' | 'trailer' | 'reason';
  readonly spelling: Spelling;
};

/** What a server answers: as in the other trials, but for what it gives away. */
export type SlippingAnswer = Omit<AnswerPlan, 'leaks'> & { readonly slips: readonly Slip[] };

/** How a request is said, whatever it says. */
export type Manner = {
  readonly carrier: ConnectionPlan['carrier'];
  readonly speaks: 'h1' | 'h2';
};

const values = fc.oneof(
  { weight: 10, arbitrary: fc.nat(PART_COUNT - 1) },
  { weight: 2, arbitrary: fc.constant('minted' as const) },
  { weight: 1, arbitrary: fc.constant('watched' as const) },
);

/** Values that are watched for are known by fingerprints of their bytes: UTF-16 is none of their forms. */
const readable = <Spelt extends { readonly value: ValueKey; readonly spelling: Spelling }>(
  found: Spelt,
): Spelt =>
  found.value === 'watched' && found.spelling === 'UTF-16'
    ? { ...found, spelling: 'plain' }
    : found;

/** Bodies go the most ways, held, peeked into and streamed: strays stand there as often as in all else. */
const strays: fc.Arbitrary<Stray> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      value: values,
      place: fc.constantFrom('header' as const, 'cookie' as const, 'trailer' as const),
      spelling: fc.constantFrom(...LINE_SPELLINGS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      value: values,
      place: fc.constantFrom('query' as const, 'path' as const),
      spelling: fc.constantFrom(...TARGET_SPELLINGS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        value: values,
        place: fc.constant('body' as const),
        spelling: fc.constantFrom(...ALL_SPELLINGS),
      })
      .map(readable),
  },
);
/** A stray value in about every fourth request. */
export const stray: fc.Arbitrary<Stray | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: strays },
);

const slip: fc.Arbitrary<Slip> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        value: values,
        where: fc.constant('body' as const),
        spelling: fc.constantFrom(...ALL_SPELLINGS),
      })
      .map(readable),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      value: values,
      where: fc.constantFrom('header' as const, 'trailer' as const, 'reason' as const),
      spelling: fc.constantFrom(...LINE_SPELLINGS),
    }),
  },
);
export const slips: fc.Arbitrary<readonly Slip[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: fc.array(slip, { minLength: 1, maxLength: 3 }) },
);

export const writing = {
  coding: fc.constantFrom('', '', '', 'gzip', 'deflate', 'raw deflate', 'br', 'zstd', 'br, gzip'),
  framing: fc.constantFrom('length', 'chunked', 'chunked', 'close'),
  writes: fc.integer({ min: 1, max: 9 }),
} as const satisfies Readonly<Record<string, fc.Arbitrary<unknown>>>;

export const answer: fc.Arbitrary<SlippingAnswer> = fc.record({
  ...writing,
  status: fc.constantFrom(200, 200, 200, 201, 204, 304, 400, 404, 500),
  mirror: fc.boolean(),
  filler: fc.oneof(
    { weight: 8, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.constantFrom(65_530, 70_000) },
  ),
  slips,
});

export const manner = {
  carrier: fc.constantFrom('direct' as const, 'direct', 'CONNECT', 'SOCKS5'),
  speaks: fc.constantFrom('h1' as const, 'h2'),
} as const;

export const cuts = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 4, arbitrary: fc.array(fc.nat(999), { maxLength: 6 }) },
);

/** How a body is framed where there is one. */
export const framing = {
  cuts,
  chunked: fc.boolean(),
  expectsContinue: fc.boolean(),
  trailer: fc.boolean(),
} as const;
export type Framing = {
  readonly cuts: readonly number[];
  readonly chunked: boolean;
  readonly expectsContinue: boolean;
  readonly trailer: boolean;
};

/** What the values are now: those minted change while the trials run. */
export type Values = {
  /** What the sandbox has of a value. */
  readonly inside: (value: ValueKey) => string;
  /** What it must never have; of a watched value it is the same. */
  readonly outside: (value: ValueKey) => string;
};

/** A request with all that must hold of it. */
export type Ask = Spoken & {
  readonly id: string;
  readonly place: PlaceKey;
  /** `withheld`: it may arrive, but its answer may not come back. */
  readonly expected: Expectation | 'withheld';
  /** What is refused may not have arrived in part either. */
  readonly untouched?: boolean;
  /** Name of the credential that its record must tell; undefined for none. */
  readonly credential: string | undefined;
  /** What is wrong with how it arrived. */
  readonly wrongIn: (got: Received) => Promise<readonly Broken[]> | readonly Broken[];
  readonly script: (got: Received) => Script;
  /** Its answer is made anew on the way, and judged by who asked. */
  readonly answerIsOwn?: boolean;
};

/** The spelt value of a stray, where it stands in this place. */
export const strayAt = (
  found: Stray | undefined,
  place: Stray['place'],
  { inside }: Values,
): string => (found?.place === place ? SPELLINGS[found.spelling](inside(found.value)) : '');

const MIRRORED_BYTES = 4096;

/** An answer as its plan has it, with the secrets of now. */
export const scriptOf = (
  plan: SlippingAnswer,
  got: Received,
  { outside }: Values,
  type = 'text/plain; charset=latin1',
): Script => {
  const at = (where: Slip['where']): string[] =>
    plan.slips
      .filter((found) => found.where === where)
      .map(({ value, spelling }) => SPELLINGS[spelling](outside(value)));
  const reason = at('reason')[0];
  return {
    ...plan,
    ...(reason === undefined ? {} : { reason: `Not ${reason}` }),
    headers: [
      ['x-answer', `${got.id}; plain`],
      ['x-answer', 'twice'],
      ['content-type', type],
      ...at('header').map((text, index) => [`x-leak-${String(index)}`, `k=${text}`] as const),
    ],
    body: Buffer.concat([
      Buffer.from('begin '),
      plan.mirror
        ? Buffer.concat([
            Buffer.from(JSON.stringify([got.method, got.target, got.headers, got.trailers])),
            got.body.subarray(0, MIRRORED_BYTES),
          ])
        : Buffer.alloc(0),
      Buffer.from('. filler '.repeat(Math.ceil(plan.filler / 9)).slice(0, plan.filler)),
      ...at('body').map((text) => Buffer.from(`\n[${text}]\n`, 'latin1')),
      Buffer.from(' end'),
    ]),
    trailers: [
      ['x-end', 'done'],
      ...at('trailer').map((text, index) => [`x-leak-${String(index)}`, text] as const),
    ],
  };
};

/** The parts of a request that its framing decides. */
export const framed = (
  { chunked, expectsContinue, trailer, cuts: cutAt }: Framing,
  hasBody: boolean,
  strayTrailer: string,
): Pick<Spoken, 'framing' | 'expectsContinue' | 'trailers' | 'plan'> => {
  const trailing = hasBody && (trailer || strayTrailer !== '');
  const trailers: Pairs = [
    ['x-sum', '1234'],
    ...(strayTrailer === '' ? [] : [['x-note', strayTrailer] as const]),
  ];
  return {
    framing: !hasBody ? 'none' : chunked || trailing ? 'chunked' : 'length',
    expectsContinue: hasBody && expectsContinue,
    trailers: trailing ? trailers : [],
    plan: { cuts: cutAt },
  };
};
