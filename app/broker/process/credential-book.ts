import { fail, ok, type Result } from '../../kit/index.ts';
import { secretParts } from '../../policy/enforce.ts';
import type { CredentialGrant } from '../../policy/index.ts';
import { WATCH_WINDOW_BYTES, type WatchOwner, type WatchSet } from '../fingerprint.ts';
import type { HeldCredential } from './inject.ts';
import { remember } from './mediators/remember.ts';
import { prepareNeedles, type Needle, type Needles } from './needles.ts';
import type { Refusal } from './refuse.ts';
import { createScrubber, type Scrubber } from './scrub.ts';
import type { Destination } from './request.ts';
import { ownersIn, type Hit, type Search, type SearchStep } from './search.ts';
import { nameFormsOf, type ScrubPair } from './secret-forms.ts';
import { createBodyTrip, grantCovers, grantsIn } from './trip.ts';
import { createWatchSearch, watchedIn as findOwners } from './watch-search.ts';
import { prepareWatched, type Watched } from './watched.ts';

/** Most credentials of one session, those minted while it runs included. */
export const MAX_HELD_CREDENTIALS = 512;

/** What turned up in a request and may not leave. */
export type Finding =
  | { readonly type: 'placeholder'; readonly grant: CredentialGrant }
  | { readonly type: 'watched'; readonly owner: WatchOwner };

/** Where something goes, and which credentials are put into it: there and with those, their own values may go. */
export type Bound = {
  readonly to: Destination;
  readonly used?: readonly CredentialGrant[];
};

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
  /** Watches from now on for values that the session was not granted, both ways. */
  readonly watch: (set: WatchSet) => void;
  /** Whether there are values that the session was not granted to watch for. */
  readonly watchesValues: () => boolean;
  /** The first watched value in a short text that may not go there. */
  readonly watchedIn: (text: string, bound?: Bound) => Finding | undefined;
  /** The first thing in a name that is looked up which may not leave; dots and case do not count. */
  readonly nameTrip: (name: string) => Finding | undefined;
  /** Whether there is anything that may not leave. */
  readonly watches: () => boolean;
  /** A fresh search for what may not go there in a body; bound for nowhere, for all that may not leave. */
  readonly bodyTrip: (bound?: Bound) => Search;
  /** What a hit of `bodyTrip` means. */
  readonly findingOf: (hit: Hit) => Finding | undefined;
  /** The first thing in a short text that may not leave, such as a trailer or a name. */
  readonly textTrip: (text: string, bound?: Bound) => Finding | undefined;
};

/** Hits of watched values are told from those of placeholders by their owner's number. */
const WATCHED_OWNERS = 2 ** 20;

type Watching = {
  readonly owners: readonly WatchOwner[];
  /** Names of granted credentials whose values are among those that are watched for. */
  readonly granted: ReadonlySet<string>;
  /** What to look for in texts. */
  readonly texts: Watched;
  /** The same, less the values of these credentials. */
  readonly textsWithout: (credentials: ReadonlySet<string>) => Watched;
  readonly names: Watched;
};

const createWatching = (set: WatchSet): Watching => {
  const { owners, prints } = set;
  // By what is left out: as many as there are sets of credentials that go somewhere together.
  const prepared = new Map<string, Watched>();
  return {
    owners,
    granted: new Set(owners.flatMap(({ granted = [] }) => granted)),
    texts: prepareWatched(set, false),
    textsWithout: (credentials) => {
      const key = JSON.stringify(Array.from(credentials).toSorted());
      const known = prepared.get(key);
      if (known !== undefined) return known;
      const left = prints.filter(
        ({ owner }) => owners[owner]?.granted?.some((name) => credentials.has(name)) !== true,
      );
      const watched = prepareWatched({ ...set, prints: left }, false);
      prepared.set(key, watched);
      return watched;
    },
    names: prepareWatched(set, true),
  };
};

/** Two searches, one after the other; owners of the second are moved up. */
const chain = (first: Search, second: Search): Search => {
  const join = (found: SearchStep, end: boolean): SearchStep => {
    const steps = found.out.map((part) => second.push(part));
    if (end) steps.push(second.end());
    return {
      out: steps.flatMap(({ out }) => out),
      hits: [
        ...found.hits,
        ...steps.flatMap(({ hits }) =>
          hits.map(({ owner }) => ({ owner: owner + WATCHED_OWNERS })),
        ),
      ],
    };
  };
  return {
    push: (chunk) => join(first.push(chunk), false),
    end: () => join(first.end(), true),
    holds: () => first.holds?.() === true,
    pause: () => join(first.pause?.() ?? { out: [], hits: [] }, false),
  };
};

const wholeText = (search: Search, text: string): { text: string; hits: number } => {
  const steps = [search.push(Buffer.from(text, 'latin1')), search.end()];
  const hits = steps.reduce((sum, step) => sum + step.hits.length, 0);
  const out = Buffer.concat(steps.flatMap((step) => step.out));
  return { text: hits === 0 ? text : out.toString('latin1'), hits };
};

/** The scrubber of what was granted, and after it the filler for what is watched beside that. */
const withWatched = (granted: Scrubber, texts: Watched): Scrubber => ({
  ...granted,
  active: true,
  text: (value) => {
    const clean = granted.text(value);
    if (clean.text.length < WATCH_WINDOW_BYTES) return clean;
    if (findOwners(texts, Buffer.from(clean.text, 'latin1')).length === 0) return clean;
    const filled = wholeText(createWatchSearch(texts), clean.text);
    return { text: filled.text, hits: clean.hits + filled.hits };
  },
  stream: (sameLength) => chain(granted.stream(sameLength), createWatchSearch(texts)),
});

const nameNeedles = (held: readonly HeldCredential[]): Needles =>
  prepareNeedles(
    held.flatMap(({ grant }, owner) =>
      grant.parts.flatMap(({ placeholder }) =>
        nameFormsOf(placeholder).map(({ find }): Needle => ({
          find,
          replace: () => find,
          owner,
          escapes: false,
          wraps: false,
        })),
      ),
    ),
  );

const pairsOf = ({ grant, secret }: HeldCredential): readonly ScrubPair[] =>
  secretParts(grant.kind, secret).map(({ name, value }) => ({
    secret: value,
    placeholder: grant.parts.find((part) => part.name === name)?.placeholder ?? grant.placeholder,
  }));

export const createCredentialBook = (initial: readonly HeldCredential[]): CredentialBook => {
  let held = initial;
  let watching: Watching | undefined;
  // All are dear to make and asked for with each request: made once for each state of the book.
  let scrubber: Scrubber | undefined;
  let bodyTrip: (() => Search) | undefined;
  let names: Needles | undefined;
  const rememberedPairs = remember(pairsOf);
  const forget = (): void => {
    scrubber = undefined;
    bodyTrip = undefined;
    names = undefined;
  };

  const createGranted = (): Scrubber => createScrubber(held.flatMap(rememberedPairs));
  const watchedAt = (index: number | undefined): Finding | undefined => {
    const owner = index === undefined ? undefined : watching?.owners[index];
    return owner === undefined ? undefined : { type: 'watched', owner };
  };
  const grantAt = (index: number | undefined): Finding | undefined => {
    const grant = index === undefined ? undefined : held[index]?.grant;
    return grant === undefined ? undefined : { type: 'placeholder', grant };
  };
  /** What is watched for on the way there: the value of a credential may go where that may. */
  const textsFor = (
    { granted, texts, textsWithout }: Watching,
    bound: Bound | undefined,
  ): Watched => {
    if (granted.size === 0 || bound === undefined) return texts;
    const { to, used = [] } = bound;
    const going = [
      ...used,
      ...held.flatMap(({ grant }) =>
        to.tls && grantCovers(grant, to.host, to.port) ? [grant] : [],
      ),
    ];
    const allowed = new Set(
      going.map(({ credential }) => credential).filter((name) => granted.has(name)),
    );
    return allowed.size === 0 ? texts : textsWithout(allowed);
  };
  const watchedIn = (text: string, bound?: Bound): Finding | undefined =>
    watching === undefined || text.length < WATCH_WINDOW_BYTES
      ? undefined
      : watchedAt(findOwners(textsFor(watching, bound), Buffer.from(text, 'latin1'))[0]);

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
      forget();
      return ok(undefined);
    },
    replace: (old, credential) => {
      // In its very place: a search that is under way knows its grants by their places.
      held = held.map((other) => (other.grant === old ? credential : other));
      forget();
    },
    scrubber: () =>
      (scrubber ??=
        watching === undefined
          ? createGranted()
          : withWatched(createGranted(), watching.textsWithout(watching.granted))),
    watch: (set) => {
      watching = set.prints.length === 0 ? undefined : createWatching(set);
      forget();
    },
    watches: () => held.length > 0 || watching !== undefined,
    bodyTrip: (bound) => {
      bodyTrip ??= createBodyTrip(held.map(({ grant }) => grant));
      return watching === undefined
        ? bodyTrip()
        : chain(bodyTrip(), createWatchSearch(textsFor(watching, bound)));
    },
    findingOf: ({ owner }) =>
      owner >= WATCHED_OWNERS ? watchedAt(owner - WATCHED_OWNERS) : grantAt(owner),
    watchesValues: () => watching !== undefined,
    watchedIn,
    nameTrip: (name) => {
      const text = Buffer.from(name.toLowerCase().replaceAll('.', ''), 'latin1');
      names ??= nameNeedles(held);
      return (
        grantAt(ownersIn(names, text)[0]) ??
        (watching === undefined ? undefined : watchedAt(findOwners(watching.names, text)[0]))
      );
    },
    textTrip: (text, bound) => {
      const [grant] = grantsIn(
        held.map((credential) => credential.grant),
        text,
      );
      return grant === undefined ? watchedIn(text, bound) : { type: 'placeholder', grant };
    },
  };
};
