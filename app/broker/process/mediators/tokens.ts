import { err, failure, ok, type Clock, type Result } from '../../../kit/index.ts';
import { parseHost } from '../../../policy/enforce.ts';
import type { CredentialGrant } from '../../../policy/index.ts';
import type { CredentialBook } from '../credential-book.ts';
import { injectRequest, type Destination, type HeaderPairs } from '../inject.ts';
import type { AnswerGate, JudgedRequest, Mediator, Released } from '../mediate.ts';
import type { Refusal } from '../refuse.ts';
import { outsideScope } from '../sites/scope.ts';
import { grantCovers } from '../trip.ts';
import { readJwt } from './jwt.ts';
import { createTokenMint, mintLike } from './minted-token.ts';
import {
  encodeClientSecret,
  exchangeRefresh,
  isAbout,
  namesClient,
  refreshClientOf,
  type RefreshClient,
} from './oauth-refresh.ts';
import { remember } from './remember.ts';
import { createKnowSent, soughtOnly } from './sent-values.ts';
import { reissue, serviceAccountOf, type ServiceAccount } from './service-account.ts';
import { MAX_TOKEN_ANSWER_BYTES, replaceTokens } from './token-answer.ts';
import { MAX_TOKEN_REQUEST_BYTES, readTokenRequest, type TokenRequest } from './token-request.ts';

/** The grant type of a signed assertion (RFC 7523 2.1). */
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** Refresh tokens of one client that are known after they were replaced: servers echo them, and take them for a while. */
export const MAX_ROTATED_TOKENS = 8;

type Rotated = { readonly token: string; readonly grant: CredentialGrant };

export type TokenDeps = {
  readonly book: CredentialBook;
  readonly clock: Clock;
  /** A server has put a new refresh token in place of the stored one. */
  readonly onRotated: (credential: string, refreshToken: string) => void;
};

const isEndpoint = (uri: string, { to, target }: Pick<JudgedRequest, 'to' | 'target'>): boolean => {
  const { hostname, port, pathname, search } = new URL(uri);
  const host = parseHost(hostname);
  return (
    to.tls &&
    host.ok &&
    host.value === to.host &&
    (port === '' ? 443 : Number(port)) === to.port &&
    `${pathname}${search}` === target
  );
};

const bearerOf = (headers: HeaderPairs): string | undefined => {
  const value = headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  return /^bearer +(\S+)$/i.exec(value ?? '')?.[1];
};

const isSentTo = (uri: string, to: Destination): boolean => {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname } = new URL(uri);
  return protocol === 'https:' && hostname === to.host;
};

/** Makes a token that a client signed for itself anew, on its way to the service it is for (AIP-4111). */
export const createSelfSignedMediator = (book: CredentialBook, clock: Clock): Mediator => {
  const accountOf = remember(serviceAccountOf);
  const knowSent = createKnowSent(book);
  return (request) => {
    const { to, target, headers } = request;
    const text = to.tls ? bearerOf(headers) : undefined;
    const jwt = text === undefined ? undefined : readJwt(text);
    if (jwt === undefined) return undefined;
    const account = book
      .held()
      .filter(({ grant }) => grantCovers(grant, to.host, to.port))
      .flatMap((held) => accountOf(held) ?? [])
      .find(({ secret }) => secret.clientEmail === jwt.claims['iss']);
    if (account === undefined) return undefined;
    const rest = headers.filter(([name]) => name.toLowerCase() !== 'authorization');
    if (injectRequest(book.held(), { ...request, headers: rest }).type === 'tripped')
      return undefined;
    const outside = outsideScope(account.grant, request);
    if (outside !== undefined) {
      return err(
        failure(
          outside,
          `The grant of ${account.grant.credential} is not for this request to ${to.host}.`,
        ),
      );
    }
    const token = reissue(account, jwt, clock, ({ aud, scope }) =>
      aud === undefined ? scope !== undefined : isSentTo(aud, to),
    );
    if (!token.ok) return token;
    const known = knowSent(account.grant, token.value);
    if (!known.ok) return known;
    return ok({
      target,
      headers: headers.map(([name, value]): readonly [string, string] =>
        name.toLowerCase() === 'authorization' ? [name, `Bearer ${token.value}`] : [name, value],
      ),
      used: [account.grant],
      body: { type: 'stream' },
      answer: { type: 'stream' },
    });
  };
};

/** Whose tokens an answer holds: nobody's of ours, a refresh token's, or a service account's. */
type Exchanged =
  | { readonly type: 'none' }
  | { readonly type: 'refresh'; readonly client: RefreshClient }
  | { readonly type: 'account'; readonly account: ServiceAccount };

/**
 * Takes requests to the token endpoints of refresh tokens and service accounts. The request is held,
 * its placeholders or assertion exchanged for real ones; the answer is held, and every token in it
 * replaced by a fresh placeholder that is good at the grant's hosts. What is about none of ours
 * passes as it is.
 */
export const createTokenMediator = ({ book, clock, onRotated }: TokenDeps): Mediator => {
  const mint = createTokenMint(book, clock);
  const knowSent = createKnowSent(book);
  const clientOf = remember(refreshClientOf);
  const accountOf = remember(serviceAccountOf);
  /** The refresh tokens that came since the first, by its placeholder: the last one counts. */
  const rotations = new Map<string, readonly Rotated[]>();

  const rotate = (
    { grant, secret, placeholders }: RefreshClient,
    token: string,
  ): Result<string, Refusal> => {
    const before = rotations.get(grant.placeholder) ?? [];
    if (token !== (before.at(-1)?.token ?? secret.refreshToken)) {
      // Known, so that an echo of it is scrubbed; without a site, for the first placeholder stands for it.
      const rotated = soughtOnly(grant, mintLike(token));
      const held = { grant: rotated, secret: token };
      const [oldest, ...younger] = before;
      const full = oldest !== undefined && before.length >= MAX_ROTATED_TOKENS;
      if (full) {
        book.replace(oldest.grant, held);
      } else {
        const added = book.add(held);
        if (!added.ok) return added;
      }
      rotations.set(grant.placeholder, [...(full ? younger : before), { token, grant: rotated }]);
      onRotated(grant.credential, token);
    }
    return ok(placeholders.refreshToken);
  };

  const exchange = (
    clients: readonly RefreshClient[],
    accounts: readonly ServiceAccount[],
    asked: TokenRequest,
    request: JudgedRequest,
  ): Result<
    {
      readonly by: Exchanged;
      readonly fields: ReadonlyMap<string, string>;
      readonly headers: HeaderPairs;
    },
    Refusal
  > => {
    const authorization =
      request.headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1] ?? '';
    const client = clients.find(
      (other) => isAbout(other, asked) || namesClient(other, authorization),
    );
    if (client !== undefined) {
      const token =
        rotations.get(client.grant.placeholder)?.at(-1)?.token ?? client.secret.refreshToken;
      const written = encodeClientSecret(client);
      // Base64 of what is percent-encoded is no spelling of the secret itself, and it is written so here.
      const known =
        namesClient(client, authorization) && written !== client.secret.clientSecret
          ? knowSent(client.grant, written)
          : ok(undefined);
      if (!known.ok) return known;
      const done = exchangeRefresh(client, token, asked, request.headers);
      return done.ok ? ok({ by: { type: 'refresh', client }, ...done.value }) : done;
    }
    const { fields } = asked;
    const jwt = readJwt(fields.get('assertion') ?? '');
    const account = accounts.find(({ secret }) => secret.clientEmail === jwt?.claims['iss']);
    if (jwt === undefined || account === undefined)
      return ok({ by: { type: 'none' }, fields, headers: request.headers });
    if (fields.get('grant_type') !== JWT_BEARER) {
      return err(
        failure(
          'oauth.bad-request',
          `An assertion of ${account.grant.credential} is only exchanged with grant_type=${JWT_BEARER}.`,
        ),
      );
    }
    const assertion = reissue(account, jwt, clock, ({ aud }) => aud === account.secret.tokenUri);
    if (!assertion.ok) return assertion;
    const known = knowSent(account.grant, assertion.value);
    if (!known.ok) return known;
    return ok({
      by: { type: 'account', account },
      fields: new Map(fields).set('assertion', assertion.value),
      headers: request.headers,
    });
  };

  return (request) => {
    if (request.method !== 'POST') return undefined;
    const clients = book
      .held()
      .flatMap((held) => clientOf(held) ?? [])
      .filter(({ secret }) => isEndpoint(secret.tokenUri, request));
    const accounts = book
      .held()
      .flatMap((held) => accountOf(held) ?? [])
      .filter(({ secret }) => isEndpoint(secret.tokenUri, request));
    if (clients.length === 0 && accounts.length === 0) return undefined;
    // The client's own login is the exchange's; a placeholder anywhere else is the plain way's to tell.
    const rest = request.headers.filter(
      ([name, value]) =>
        name.toLowerCase() !== 'authorization' ||
        !clients.some((client) => namesClient(client, value)),
    );
    if (injectRequest(book.held(), { ...request, headers: rest }).type === 'tripped')
      return undefined;

    let by: Exchanged = { type: 'none' };
    const release = (body: Buffer): Result<Released, Refusal> => {
      if (request.headers.some(([name]) => name.toLowerCase() === 'content-encoding'))
        return err(failure('oauth.bad-request', 'The request for a token is encoded.'));
      const { target, headers } = request;
      const asked = readTokenRequest(headers, body);
      if (asked === undefined) return ok({ target, headers, body });
      if (!asked.ok) return asked;
      const done = exchange(clients, accounts, asked.value, request);
      if (!done.ok) return done;
      by = done.value.by;
      if (by.type === 'none') return ok({ target, headers, body });
      const { grant } = by.type === 'refresh' ? by.client : by.account;
      return ok({
        target,
        headers: done.value.headers,
        body: asked.value.write(done.value.fields),
        used: [grant],
      });
    };
    const answer: AnswerGate = {
      type: 'hold',
      maxBytes: MAX_TOKEN_ANSWER_BYTES,
      release: async (held) => {
        if (by.type === 'none') return ok(held);
        const from = by;
        return replaceTokens(held, (name, token, lifetimeMs) =>
          from.type === 'refresh' && name === 'refresh_token'
            ? rotate(from.client, token)
            : mint(
                from.type === 'refresh' ? from.client.grant : from.account.grant,
                token,
                lifetimeMs,
              ),
        );
      },
    };
    return ok({
      target: request.target,
      headers: request.headers,
      used: [],
      body: {
        type: 'hold',
        maxBytes: MAX_TOKEN_REQUEST_BYTES,
        release: async (body) => release(body),
      },
      answer,
    });
  };
};
