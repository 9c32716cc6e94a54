import { fail, ok, type Result } from '../../kit/index.ts';
import { secretParts, type CredentialGrant } from '../../policy/index.ts';
import type { HeldCredential } from './inject.ts';
import type { Hit, Search } from './search.ts';
import type { Refusal } from './refuse.ts';
import { createScrubber, type Scrubber } from './scrub.ts';
import { createBodyTrip, grantsIn } from './trip.ts';

/** Most credentials of one session, those minted while it runs included. */
export const MAX_HELD_CREDENTIALS = 512;

/** What turned up in a request and may not leave. */
export type Finding = { readonly type: 'placeholder'; readonly grant: CredentialGrant };

/**
 * The credentials of one session: those granted at its start, and those minted for it while it
 * runs, such as access tokens. A search or scrubber knows what the book held when it was taken;
 * take one anew for each body.
 */
export type CredentialBook = {
  readonly held: () => readonly HeldCredential[];
  /** Adds a credential; `credential.exists` where its placeholder is known, `egress.too-many` when full. */
  readonly add: (held: HeldCredential) => Result<void, Refusal>;
  /** Puts a credential in the place of another, such as a fresh token in an expired one's. */
  readonly replace: (old: CredentialGrant, held: HeldCredential) => void;
  /** Takes the secrets out of what comes back. */
  readonly scrubber: () => Scrubber;
  /** Whether there is anything that may not leave. */
  readonly watches: () => boolean;
  /** A fresh search for what may not leave in a body. */
  readonly bodyTrip: () => Search;
  /** What a hit of `bodyTrip` means. */
  readonly findingOf: (hit: Hit) => Finding | undefined;
  /** The first thing in a short text that may not leave, such as a trailer or a name. */
  readonly textTrip: (text: string) => Finding | undefined;
};

export const createCredentialBook = (initial: readonly HeldCredential[]): CredentialBook => {
  let held = initial;
  // Both are dear to make and asked for with each request: made once for each state of the book.
  let scrubber: Scrubber | undefined;
  let bodyTrip: (() => Search) | undefined;

  return {
    held: () => held,
    add: (credential) => {
      const known = new Set(
        held.flatMap(({ grant }) => grant.parts.map((part) => part.placeholder)),
      );
      if (credential.grant.parts.some(({ placeholder }) => known.has(placeholder)))
        return fail('credential.exists', 'The session already holds that placeholder.');
      if (held.length >= MAX_HELD_CREDENTIALS)
        return fail('egress.too-many', 'The session holds as many credentials as it may.');
      held = [...held, credential];
      scrubber = undefined;
      bodyTrip = undefined;
      return ok(undefined);
    },
    replace: (old, credential) => {
      // In its very place: a search that is under way knows its grants by their places.
      held = held.map((other) => (other.grant === old ? credential : other));
      scrubber = undefined;
      bodyTrip = undefined;
    },
    scrubber: () =>
      (scrubber ??= createScrubber(
        held.flatMap(({ grant, secret }) =>
          secretParts(grant.kind, secret).map(({ name, value }) => ({
            secret: value,
            placeholder:
              grant.parts.find((part) => part.name === name)?.placeholder ?? grant.placeholder,
          })),
        ),
      )),
    watches: () => held.length > 0,
    bodyTrip: () => (bodyTrip ??= createBodyTrip(held.map(({ grant }) => grant)))(),
    findingOf: ({ owner }) => {
      const grant = held[owner]?.grant;
      return grant === undefined ? undefined : { type: 'placeholder', grant };
    },
    textTrip: (text) => {
      const [grant] = grantsIn(
        held.map((credential) => credential.grant),
        text,
      );
      return grant === undefined ? undefined : { type: 'placeholder', grant };
    },
  };
};
