import { fail, type Failure, type Result } from '../kit/index.ts';

/** What the design has and this version answers with “not yet”; the README prints the same list. */
export const NOT_YET = {
  clone: { what: '--workspace clone', instead: 'overlay or live' },
  image: { what: '--image IMAGE', instead: 'one of the assistants, or shell' },
  acceptSome: {
    what: 'glovebox session accept ID PATH...',
    instead: 'accept or discard the whole',
  },
  attach: { what: 'glovebox session attach', instead: 'the window' },
  otlp: { what: 'glovebox timeline --format otlp', instead: '--format jsonl or har' },
} as const;

export const notYet = (feature: keyof typeof NOT_YET): Result<never, Failure<'not-yet'>> => {
  const { what, instead } = NOT_YET[feature];
  return fail('not-yet', `“${what}” comes in a later version.`, `Until then: ${instead}.`);
};
