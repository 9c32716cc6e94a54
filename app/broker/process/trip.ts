import type { CanonicalHost, CredentialGrant } from '../../policy/index.ts';
import { matchesHostRule } from '../../policy/enforce.ts';
import { remember } from './mediators/remember.ts';
import { prepareNeedles, type Needles } from './needles.ts';
import { createSearch, ownersIn, type Search } from './search.ts';
import { needlesOf, type ScrubPair } from './secret-forms.ts';

type Parts = CredentialGrant['parts'];

/** Placeholders are looked for in all the ways in which a secret is; nothing is put in their place. */
const pairsOf = remember((parts: Parts): readonly ScrubPair[] =>
  parts.map(({ placeholder }) => ({ secret: placeholder, placeholder: '' })),
);

const prepareTrips = (grants: readonly CredentialGrant[]): Needles =>
  prepareNeedles(
    grants.flatMap(({ parts }, owner) => pairsOf(parts).flatMap((pair) => needlesOf(pair, owner))),
  );

/**
 * The last set of grants that was searched for, by the parts of its first one: sets change rarely,
 * texts are many. By parts, for a grant without its scope has the same placeholders.
 */
const prepared = new WeakMap<
  Parts,
  { readonly sought: readonly Parts[]; readonly needles: Needles }
>();

const tripsOf = (grants: readonly CredentialGrant[]): Needles | undefined => {
  const [first] = grants;
  if (first === undefined) return undefined;
  const known = prepared.get(first.parts);
  if (
    known?.sought.length === grants.length &&
    known.sought.every((parts, index) => parts === grants[index]?.parts)
  )
    return known.needles;
  const needles = prepareTrips(grants);
  prepared.set(first.parts, { sought: grants.map(({ parts }) => parts), needles });
  return needles;
};

/** The length of the shortest spelling of any placeholder: no shorter text holds one. */
export const shortestSpelling = (grants: readonly CredentialGrant[]): number =>
  tripsOf(grants)?.shortestBytes ?? Number.POSITIVE_INFINITY;

/** Each placeholder is a tripwire: this finds those that occur in a text, however they are spelt. */
export const grantsIn = (
  grants: readonly CredentialGrant[],
  text: string,
): readonly CredentialGrant[] => {
  const needles = tripsOf(grants);
  if (needles === undefined || text.length < needles.shortestBytes) return [];
  return ownersIn(needles, Buffer.from(text, 'latin1')).flatMap((owner) => grants[owner] ?? []);
};

/** Whether a grant names this destination. */
export const grantCovers = (grant: CredentialGrant, host: CanonicalHost, port: number): boolean =>
  grant.hosts.some((rule) => matchesHostRule(rule, host, port));

/** Searches request bodies for placeholders, however they are spelt. */
export const createBodyTrip = (grants: readonly CredentialGrant[]): (() => Search) => {
  const needles = tripsOf(grants) ?? prepareNeedles([]);
  return () => createSearch(needles);
};
