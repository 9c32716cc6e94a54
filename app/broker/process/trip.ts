import type { CanonicalHost, CredentialGrant } from '../../policy/index.ts';
import { matchesHostRule } from '../../policy/index.ts';
import { createSearch, prepareNeedles, type Search } from './needles.ts';

/** How many layers of percent-encoding are peeled off in search of a placeholder. */
export const MAX_TRIP_DECODINGS = 3;

const percentDecode = (text: string): string =>
  text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

const BASIC = /^\s*basic\s+([a-z0-9+/_-]+)=*\s*$/i;

/** The forms that a text may hide a placeholder in: itself, percent-decoded, Basic-decoded. */
export const readings = (text: string): readonly string[] => {
  const all = [text];
  let layer = text;
  for (let round = 0; round < MAX_TRIP_DECODINGS && layer.includes('%'); round += 1) {
    layer = percentDecode(layer);
    all.push(layer);
  }
  const basic = BASIC.exec(text)?.[1];
  if (basic !== undefined) all.push(Buffer.from(basic, 'base64').toString('latin1'));
  return all;
};

/** Each placeholder is a tripwire: this finds those that occur in a text. */
export const grantsIn = (
  grants: readonly CredentialGrant[],
  text: string,
): readonly CredentialGrant[] => {
  if (grants.length === 0) return [];
  const forms = readings(text);
  return grants.filter(({ parts }) =>
    parts.some(({ placeholder }) => forms.some((form) => form.includes(placeholder))),
  );
};

/** Whether a grant names this destination. */
export const grantCovers = (grant: CredentialGrant, host: CanonicalHost, port: number): boolean =>
  grant.hosts.some((rule) => matchesHostRule(rule, host, port));

const unpadded = (text: string): string => text.replace(/=+$/, '');

/** Searches request bodies for placeholders as they are and as a whole base64 text. */
export const createBodyTrip = (grants: readonly CredentialGrant[]): (() => Search) => {
  const needles = prepareNeedles(
    grants.flatMap(({ parts }, owner) =>
      parts
        .flatMap(({ placeholder }) => [
          placeholder,
          unpadded(Buffer.from(placeholder).toString('base64')),
        ])
        .map((form) => ({ find: Buffer.from(form), replace: Buffer.alloc(0), owner })),
    ),
  );
  return () => createSearch(needles);
};
