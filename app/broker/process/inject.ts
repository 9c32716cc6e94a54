import type { CredentialGrant } from '../../policy/index.ts';
import type { BodyGate, JudgedRequest } from './mediate.ts';
import type { Destination, HeaderPairs, HeldCredential } from './request.ts';
import { bodyGate } from './sites/body.ts';
import { swapField } from './sites/field.ts';
import { swapHeader } from './sites/header-field.ts';
import { outsideScope } from './sites/scope.ts';
import { swapSegment } from './sites/segment.ts';
import type { Swap, Swapped } from './sites/swap.ts';
import { grantCovers, grantsIn, shortestSpelling } from './trip.ts';

export type { Destination, HeaderPairs, HeldCredential } from './request.ts';

/** Why a placeholder may not stand where it does. */
export type TripCode =
  | 'grant.wrong-host'
  | 'grant.wrong-place'
  | 'grant.cleartext'
  | 'grant.method'
  | 'grant.path';

type Trip = {
  readonly type: 'tripped';
  readonly code: TripCode;
  readonly grant: CredentialGrant;
  readonly where: string;
};

export type Injection =
  | {
      readonly type: 'ready';
      readonly target: string;
      readonly headers: HeaderPairs;
      /** The credentials that were put into the head; what gets into a held body, its release tells. */
      readonly used: readonly CredentialGrant[];
      readonly body: BodyGate;
    }
  | Trip;

/** What a placeholder in the wrong spot means: the wrong host, the wrong place at the right one, or no TLS. */
export const tripCode = (
  grant: CredentialGrant,
  to: Destination,
): 'grant.wrong-host' | 'grant.wrong-place' | 'grant.cleartext' => {
  if (!to.tls)
    return grant.hosts.some((rule) => grantCovers(grant, to.host, rule.port ?? 443))
      ? 'grant.cleartext'
      : 'grant.wrong-host';
  return grantCovers(grant, to.host, to.port) ? 'grant.wrong-place' : 'grant.wrong-host';
};

const goesTo = ({ grant }: HeldCredential, { to }: JudgedRequest): boolean =>
  to.tls && grantCovers(grant, to.host, to.port);

type Piece = {
  readonly text: string;
  readonly where: string;
  /** Puts one credential into the text by the sites of its grant that are of this kind of piece. */
  readonly swap: (text: string, held: HeldCredential) => Swapped | undefined;
};

const swapOf = ({ grant, secret }: HeldCredential): Swap => ({
  placeholder: grant.placeholder,
  secret,
});

const firstOf = (
  { grant }: HeldCredential,
  trySite: (site: CredentialGrant['sites'][number]) => Swapped | undefined,
): Swapped | undefined => grant.sites.map(trySite).find((swapped) => swapped !== undefined);

const pathPiece = (path: string): Piece => ({
  text: path,
  where: 'the path',
  swap: (text, held) =>
    firstOf(held, (site) =>
      site.type === 'path' ? swapSegment(text, site.prefix, swapOf(held)) : undefined,
    ),
});

const queryPiece = (query: string): Piece => ({
  text: query,
  where: 'the query',
  swap: (text, held) =>
    firstOf(held, (site) =>
      site.type === 'query' ? swapField(text, site.name, swapOf(held)) : undefined,
    ),
});

const headerNamePiece = (name: string): Piece => ({
  text: name,
  where: 'a header name',
  swap: () => undefined,
});

const headerPiece = (name: string, value: string): Piece => ({
  text: value,
  where: `the header ${name}`,
  swap: (text, held) => firstOf(held, (site) => swapHeader(site, name, text, swapOf(held))),
});

/**
 * Puts real values in place of placeholders in a request's head, and says what its body has to pass.
 * Only in the sites of the grant's kind, once each, over TLS, at a host and port of the grant, with a
 * method and on a path of its scope. A placeholder anywhere else trips, those of credentials that
 * mediators handle among them. The target must be canonical: what is judged here is what goes out.
 */
export const injectRequest = (
  credentials: readonly HeldCredential[],
  request: JudgedRequest,
): Injection => {
  const grants = credentials.map(({ grant }) => grant);
  const used: CredentialGrant[] = [];

  const fill = (piece: Piece): string | Trip => {
    const present = grantsIn(grants, piece.text);
    if (present.length === 0) return piece.text;
    let { text } = piece;
    // The same text without what was put in: whatever else it holds is searched to the last.
    let rest = text;
    for (const grant of present) {
      const trip = (code: TripCode): Trip => ({
        type: 'tripped',
        code,
        grant,
        where: piece.where,
      });
      const held = credentials.find((other) => other.grant === grant);
      if (held === undefined || !goesTo(held, request)) return trip(tripCode(grant, request.to));
      const outside = outsideScope(grant, request);
      if (outside !== undefined) return trip(outside);
      const swapped = piece.swap(text, held);
      const without = rest === text ? swapped : piece.swap(rest, held);
      // A second place with the same credential is never needed, and servers read such pairs differently.
      if (swapped === undefined || without === undefined || used.includes(grant)) {
        return trip('grant.wrong-place');
      }
      ({ text } = swapped);
      ({ rest } = without);
      used.push(grant);
    }
    const [left] = grantsIn(grants, rest);
    return left === undefined
      ? text
      : { type: 'tripped', code: tripCode(left, request.to), grant: left, where: piece.where };
  };

  const mark = request.target.indexOf('?');
  const path = fill(pathPiece(mark < 0 ? request.target : request.target.slice(0, mark)));
  if (typeof path !== 'string') return path;
  const query = mark < 0 ? undefined : fill(queryPiece(request.target.slice(mark + 1)));
  if (query !== undefined && typeof query !== 'string') return query;
  const target = query === undefined ? path : `${path}?${query}`;

  const headers: (readonly [string, string])[] = [];
  const shortest = shortestSpelling(grants);
  for (const pair of request.headers) {
    const [rawName, value] = pair;
    if (rawName.length < shortest && value.length < shortest) {
      headers.push(pair);
      continue;
    }
    const name = fill(headerNamePiece(rawName));
    if (typeof name !== 'string') return name;
    const filled = fill(headerPiece(rawName.toLowerCase(), value));
    if (typeof filled !== 'string') return filled;
    headers.push([rawName, filled]);
  }

  const ready = credentials.filter(
    (held) =>
      goesTo(held, request) &&
      !used.includes(held.grant) &&
      outsideScope(held.grant, request) === undefined,
  );
  const body = bodyGate(request, { target, headers }, used, ready);
  return { type: 'ready', target, headers, used, body };
};
