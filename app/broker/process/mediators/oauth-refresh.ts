import { err, failure, ok, type Result } from '../../../kit/index.ts';
import { parseOauthSecret } from '../../../policy/enforce.ts';
import type { CredentialGrant, OauthSecret } from '../../../policy/index.ts';
import type { HeaderPairs, HeldCredential } from '../inject.ts';
import type { Refusal } from '../refuse.ts';
import type { TokenRequest } from './token-request.ts';

/** A refresh token that is exchanged here, with what the sandbox holds in its place. */
export type RefreshClient = {
  readonly grant: CredentialGrant;
  readonly secret: OauthSecret;
  readonly placeholders: {
    readonly refreshToken: string;
    readonly clientSecret: string | undefined;
  };
};

/** The refresh token of a held credential; undefined where it is of another kind. */
export const refreshClientOf = ({ grant, secret }: HeldCredential): RefreshClient | undefined => {
  if (grant.kind !== 'oauth-refresh') return undefined;
  const parsed = parseOauthSecret(secret);
  if (!parsed.ok) return undefined;
  const clientSecret = grant.parts.find(({ name }) => name === 'client-secret')?.placeholder;
  return {
    grant,
    secret: parsed.value,
    placeholders: { refreshToken: grant.placeholder, clientSecret },
  };
};

const BASIC = /^basic +([a-z0-9+/]+={0,2})$/i;

/** User and password of a Basic header, as OAuth writes them (RFC 6749 2.3.1: form-encoded first). */
const readBasic = (value: string): readonly [user: string, password: string] | undefined => {
  const encoded = BASIC.exec(value.trim())?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
};

/** Whether this `Authorization` value logs the client in with the placeholder of its secret. */
export const namesClient = ({ placeholders }: RefreshClient, value: string): boolean =>
  placeholders.clientSecret !== undefined && readBasic(value)?.[1] === placeholders.clientSecret;

/** A client's secret as its login writes it: form-encoded (RFC 6749 2.3.1). */
export const encodeClientSecret = ({ secret }: Pick<RefreshClient, 'secret'>): string =>
  encodeURIComponent(secret.clientSecret ?? '');

/** Whether a request for a token is about this client: anything of what the sandbox holds stands in it. */
export const isAbout = ({ placeholders }: RefreshClient, { fields }: TokenRequest): boolean => {
  const held = [placeholders.refreshToken, placeholders.clientSecret];
  return [...fields.values()].some((value) => held.includes(value));
};

/**
 * Puts the real refresh token and client secret into a request to refresh (RFC 6749 6). Any other
 * use of the placeholders is refused: other grant types would log in, not refresh.
 */
export const exchangeRefresh = (
  { grant, secret, placeholders }: RefreshClient,
  refreshToken: string,
  { fields }: TokenRequest,
  headers: HeaderPairs,
): Result<
  { readonly fields: ReadonlyMap<string, string>; readonly headers: HeaderPairs },
  Refusal
> => {
  if (
    fields.get('grant_type') !== 'refresh_token' ||
    fields.get('refresh_token') !== placeholders.refreshToken
  ) {
    return err(
      failure(
        'oauth.bad-request',
        `The credential ${grant.credential} is only exchanged with grant_type=refresh_token and its own refresh token.`,
        'Let the client refresh its access token, and nothing else.',
      ),
    );
  }
  const { clientSecret } = placeholders;
  const swapped = new Map(fields).set('refresh_token', refreshToken);
  if (clientSecret !== undefined && fields.get('client_secret') === clientSecret)
    swapped.set('client_secret', secret.clientSecret ?? '');
  const login = headers.map(([name, value]): readonly [string, string] => {
    if (name.toLowerCase() !== 'authorization') return [name, value];
    const [user, password] = readBasic(value) ?? [];
    if (user === undefined || clientSecret === undefined || password !== clientSecret)
      return [name, value];
    const pair = `${user}:${encodeClientSecret({ secret })}`;
    return [name, `Basic ${Buffer.from(pair).toString('base64')}`];
  });
  return ok({ fields: swapped, headers: login });
};
