import { gzipSync } from 'node:zlib';
import { valueOf } from '../http-clients.ts';
import type { Received, Script } from '../http-server.ts';
import { comparable, same, type Broken } from '../promises.ts';
import type { Pairs } from '../render.ts';
import { SPELLINGS } from '../spell.ts';
import { framed, scriptOf, strayAt, type Ask } from './asks.ts';
import { assertionWrong, foreignJwt, signJwt, type Claims } from './assertions.ts';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  CREDENTIAL,
  partIndex,
  PLACES,
  TOKEN_TARGETS,
  type PlaceKey,
} from './held.ts';
import { joined, runAsks, type Judged } from './run-asks.ts';
import type { Exchange, TokenClient, TokenFlow, TokenShape, Use } from './token-plan.ts';
import type { MediatedWorld, MintedToken } from './world.ts';

type Client = {
  readonly credential: number;
  readonly place: PlaceKey;
  readonly target: string;
  /** Where its tokens are good. */
  readonly good: PlaceKey;
};
const CLIENTS: Readonly<Record<TokenClient, Client>> = {
  refresh: {
    credential: CREDENTIAL.refresh,
    place: 'auth',
    target: TOKEN_TARGETS[0],
    good: 'api',
  },
  confidential: {
    credential: CREDENTIAL.confidential,
    place: 'auth',
    target: TOKEN_TARGETS[1],
    good: 'api',
  },
  account: {
    credential: CREDENTIAL.account,
    place: 'accounts',
    target: TOKEN_TARGETS[2],
    good: 'pub',
  },
};
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const HOUR = 3600;

let made = 0;
const newToken = (shape: TokenShape, name: string): string => {
  made += 1;
  const unique = `${name}-${String(made)}-${Math.trunc(made * 7919).toString(36)}`;
  switch (shape) {
    case 'jwt':
      return foreignJwt(unique);
    case 'prefixed':
      return `ya29.real-${unique}-0123456789abcdefghijklmnop`;
    case 'opaque':
      return `real/${unique}+0123456789~ABCDEFGHIJKLMNOP`;
    default:
      return shape satisfies never;
  }
};

/** The tokens of one answer, by what they are called in it. */
type Tokens = Readonly<Partial<Record<'access' | 'identity' | 'nested' | 'refresh', string>>>;

const tokensFor = ({ answer }: Exchange): Tokens => ({
  access: newToken(answer.shape, 'access'),
  ...(answer.identity ? { identity: newToken('jwt', 'identity') } : {}),
  ...(answer.nested ? { nested: newToken('opaque', 'nested') } : {}),
  ...(answer.rotates ? { refresh: newToken('opaque', 'refresh') } : {}),
});

const bodyOf = (
  { answer }: Exchange,
  tokens: Tokens,
  got: Received,
  { values }: MediatedWorld,
): Buffer => {
  const { access = '', identity, nested, refresh } = tokens;
  switch (answer.unreadable) {
    case 'text':
      return Buffer.from(`access_token=${access}&token_type=bearer`);
    case 'list':
      return Buffer.from(JSON.stringify([{ access_token: access }]));
    case 'bytes':
      return Buffer.from(`{"access_token":"${access}","name":"\xff\xfe"}`, 'latin1');
    case 'nothing':
      return Buffer.alloc(0);
    case 'no':
      break;
    default:
      return answer.unreadable satisfies never;
  }
  return Buffer.from(
    JSON.stringify({
      access_token: access,
      token_type: 'Bearer',
      expires_in: HOUR,
      scope: 'a b',
      ...(identity === undefined ? {} : { id_token: identity }),
      ...(refresh === undefined ? {} : { refresh_token: refresh }),
      ...(nested === undefined
        ? {}
        : { account: { id: 'u-1', list: [{ name: 'n', sessionToken: nested }] } }),
      ...(answer.again === 'note' ? { note: `again ${access}` } : {}),
      ...(answer.mirror ? { sent: got.body.toString('latin1') } : {}),
      ...Object.fromEntries(
        answer.slips.map(({ value, spelling }, index) => [
          `word_${String(index)}`,
          SPELLINGS[spelling](values.outside(value)),
        ]),
      ),
    }),
  );
};

const scriptFor = (plan: Exchange, tokens: Tokens, got: Received, world: MediatedWorld): Script => {
  const { answer } = plan;
  const { access = '' } = tokens;
  return {
    ...answer,
    ...(answer.again === 'reason' ? { reason: `OK ${access}` } : {}),
    headers: [
      ['content-type', answer.unreadable === 'text' ? 'text/plain' : 'application/json'],
      ...(answer.again === 'header' ? [['x-again', `k=${access}`] as const] : []),
    ],
    body: bodyOf(plan, tokens, got, world),
    trailers: [],
  };
};

/** What an assertion says, and the key that signs it. */
const assertionOf = (
  world: MediatedWorld,
  audience: string,
  wrong: string,
): { readonly jwt: string; readonly claims: Claims } => {
  const now = Math.floor(Date.now() / 1000);
  const claims: Claims = {
    iss: wrong === 'issuer' ? 'other@project.iam.gserviceaccount.com' : world.account.email,
    aud: wrong === 'audience' ? 'https://elsewhere.test/' : audience,
    iat: now,
    exp: now + (wrong === 'lifetime' ? 2 * HOUR : HOUR),
    scope: 'https://www.googleapis.com/auth/pubsub',
  };
  const placeholder = world.rig.grants[CREDENTIAL.account]?.placeholder ?? '';
  return {
    jwt: signJwt(wrong === 'key' ? world.strangerKey : world.sandboxKey, placeholder, claims),
    claims,
  };
};

const basicOf = (password: string): string =>
  `Basic ${Buffer.from(`${CLIENT_ID}:${password}`).toString('base64')}`;

type Fields = Readonly<Record<string, string>>;
const written = (fields: Fields, json: boolean): string =>
  json
    ? JSON.stringify({ ...fields, n: 1, empty: {} })
    : new URLSearchParams({ ...fields }).toString();
const readBack = (text: string, json: boolean): string =>
  JSON.stringify(
    json
      ? Object.entries(JSON.parse(text) as Fields).toSorted(([a], [b]) => (a < b ? -1 : 1))
      : [...new URLSearchParams(text)],
  );

/** A request for a token out of its plan, and what must become of it. */
const renderExchange = (
  world: MediatedWorld,
  { client, exchange }: TokenFlow,
  id: string,
  tokens: Tokens,
): Ask => {
  const { credential, place, target } = CLIENTS[client];
  const { values } = world;
  const isAccount = client === 'account';
  const wrong =
    (isAccount && exchange.wrong === 'twice' && exchange.json) ||
    (!isAccount && ['key', 'audience', 'lifetime', 'issuer'].includes(exchange.wrong)) ||
    (exchange.wrong === 'twice' && exchange.json)
      ? 'nothing'
      : exchange.wrong;
  const stranger = wrong === 'stranger';
  const assertion = assertionOf(world, `https://${PLACES[place]}${target}`, wrong);
  const refresh = values.inside(partIndex(credential, 'refresh-token'));
  const current = world.refreshTokens.get(credential) ?? '';
  const placeholderSecret =
    client === 'confidential' && !stranger
      ? values.inside(partIndex(credential, 'client-secret'))
      : undefined;
  const login = placeholderSecret === undefined ? 'none' : exchange.login;
  const grantType =
    wrong === 'grant type' ? 'client_credentials' : isAccount ? JWT_BEARER : 'refresh_token';
  const fieldsWith = (token: string, secret: string): Fields => ({
    grant_type: grantType,
    ...(isAccount && !stranger ? { assertion: token } : { refresh_token: token }),
    ...(isAccount ? {} : { client_id: CLIENT_ID }),
    ...(login === 'body' ? { client_secret: secret } : {}),
    scope: 'a b&c',
    ...(exchange.stray?.place === 'body' ? { note: strayAt(exchange.stray, 'body', values) } : {}),
  });
  const own = stranger
    ? 'a-token-of-somebody-else-0123456789'
    : isAccount
      ? assertion.jwt
      : refresh;
  const sentFields = fieldsWith(own, placeholderSecret ?? '');
  const text = `${written(sentFields, exchange.json)}${wrong === 'twice' ? '&scope=more' : ''}`;
  const queried = wrong === 'in the query';
  const plain = Buffer.from(queried ? '' : text, 'latin1');
  const body = wrong === 'coding' ? gzipSync(plain) : plain;
  const headersWith = (secret: string): Pairs => [
    ['x-id', id],
    [
      'content-type',
      exchange.json ? 'application/json; charset=utf-8' : 'application/x-www-form-urlencoded',
    ],
    ...(wrong === 'coding' ? [['content-encoding', 'gzip'] as const] : []),
    ...(login === 'basic' ? [['authorization', basicOf(secret)] as const] : []),
    ...(exchange.stray?.place === 'header'
      ? [['x-note', strayAt(exchange.stray, 'header', values)] as const]
      : []),
    ...(exchange.stray?.place === 'cookie'
      ? [['cookie', `c=${strayAt(exchange.stray, 'cookie', values)}`] as const]
      : []),
  ];
  const headers = headersWith(placeholderSecret ?? '');
  const path =
    wrong === 'target'
      ? `${target}${target.includes('?') ? '&' : '?'}more=1`
      : queried
        ? `${target}${target.includes('?') ? '&' : '?'}${new URLSearchParams({ ...sentFields }).toString()}`
        : target;
  const inTarget =
    exchange.stray?.place === 'query' || exchange.stray?.place === 'path'
      ? exchange.stray
      : undefined;
  const withStray =
    inTarget === undefined
      ? path
      : `${path}${path.includes('?') ? '&' : '?'}s=${strayAt(inTarget, inTarget.place, values)}`;
  const hasBody = body.length > 0;
  const strayIsSaid =
    exchange.stray !== undefined &&
    (hasBody || (exchange.stray.place !== 'body' && exchange.stray.place !== 'trailer'));
  const asPlace: PlaceKey = wrong === 'place' ? 'bare' : place;
  const refused = strayIsSaid || (wrong !== 'nothing' && !stranger);
  return {
    id,
    place: asPlace,
    expected: refused
      ? 'denied'
      : exchange.answer.unreadable !== 'no' && !stranger
        ? 'withheld'
        : 'allowed',
    credential: stranger ? undefined : `cred-${String(credential)}`,
    method: wrong === 'method' ? 'PUT' : 'POST',
    target: withStray,
    authority: PLACES[asPlace],
    headers,
    body,
    ...framed(exchange, hasBody, strayAt(exchange.stray, 'trailer', values)),
    answerIsOwn: true,
    wrongIn: (got) => {
      const arrived = got.body.toString('latin1');
      const wanted = headersWith(encodeURIComponent(CLIENT_SECRET));
      const arrivedJwt =
        isAccount && !stranger
          ? ((exchange.json
              ? (JSON.parse(arrived) as Fields)['assertion']
              : new URLSearchParams(arrived).get('assertion')) ?? '')
          : '';
      return [
        ...same(`the headers of ${id}`, comparable(got.headers), comparable(wanted)),
        ...(stranger
          ? same(`the body of ${id}`, arrived, text)
          : same(
              `the fields of ${id}`,
              readBack(arrived, exchange.json),
              readBack(
                written(fieldsWith(isAccount ? arrivedJwt : current, CLIENT_SECRET), exchange.json),
                exchange.json,
              ),
            )),
        ...(isAccount && !stranger
          ? assertionWrong(`the assertion of ${id}`, world.account, arrivedJwt, assertion.claims)
          : []),
      ];
    },
    script: (got) => scriptFor(exchange, tokens, got, world),
  };
};

type TokenFields = {
  readonly access_token?: string;
  readonly id_token?: string;
  readonly refresh_token?: string;
  readonly note?: string;
  readonly scope?: string;
  readonly expires_in?: number;
  readonly account?: {
    readonly id: string;
    readonly list: readonly { readonly name: string; readonly sessionToken: string }[];
  };
};

/** What is wrong with the answer to an exchange as it came inside; the placeholders in it are kept. */
const answerWrong = (
  world: MediatedWorld,
  { client, exchange }: TokenFlow,
  id: string,
  tokens: Tokens,
  text: string,
): readonly Broken[] => {
  const { credential } = CLIENTS[client];
  const inside = JSON.parse(text) as TokenFields;
  const rotates = client !== 'account';
  const placeholders: Tokens = {
    ...(inside.access_token === undefined ? {} : { access: inside.access_token }),
    ...(inside.id_token === undefined ? {} : { identity: inside.id_token }),
    ...(inside.refresh_token === undefined ? {} : { refresh: inside.refresh_token }),
    ...(inside.account === undefined ? {} : { nested: inside.account.list[0]?.sessionToken ?? '' }),
  };
  const names = Object.keys(tokens) as (keyof Tokens)[];
  for (const name of names) {
    const at = world.minted.findIndex(({ token }) => token === tokens[name]);
    const stands = name === 'refresh' && rotates ? undefined : placeholders[name];
    const minted = world.minted[at];
    if (minted !== undefined) world.minted[at] = { ...minted, placeholder: stands };
  }
  return [
    ...names.flatMap((name) =>
      placeholders[name] === undefined || placeholders[name].length < 20
        ? [`the ${name} token of ${id} came as ${String(placeholders[name])}`]
        : [],
    ),
    ...(tokens.refresh === undefined || !rotates
      ? []
      : same(
          `the refresh token of ${id}`,
          placeholders.refresh ?? '',
          world.values.inside(partIndex(credential, 'refresh-token')),
        )),
    ...same(
      `the rest of the answer of ${id}`,
      JSON.stringify([inside.scope, inside.expires_in, inside.account?.id]),
      JSON.stringify(['a b', HOUR, exchange.answer.nested ? 'u-1' : undefined]),
    ),
    ...(exchange.answer.again === 'note'
      ? same(`the note of ${id}`, inside.note ?? '', `again ${placeholders.access ?? ''}`)
      : []),
  ];
};

/** A use of a token out of its plan, and what must become of it. */
const renderUse = (
  world: MediatedWorld,
  { client }: TokenFlow,
  use: Use,
  id: string,
  minted: Readonly<Partial<Record<keyof Tokens, MintedToken>>>,
): Ask | undefined => {
  const { good, credential } = CLIENTS[client];
  const { values } = world;
  const place = use.place === 'good' ? good : use.place;
  const selfSigned = use.token === 'self-signed';
  const own = use.how === 'own';
  const assertion = assertionOf(world, `https://${PLACES[place]}/`, use.wrong);
  const refresh = use.token === 'refresh' && client !== 'account';
  const held = selfSigned || refresh ? undefined : minted[use.token];
  const inside = selfSigned
    ? assertion.jwt
    : refresh
      ? values.inside(partIndex(credential, 'refresh-token'))
      : held?.placeholder;
  // What an assertion holds is in base64 already, and in a further layer it is not looked for.
  if (inside === undefined || (selfSigned && !own)) return undefined;
  const spelt = SPELLINGS[use.spelling](inside);
  const headersWith = (token: string): Pairs => [
    ['x-id', id],
    ['accept', '*/*'],
    ...(own ? [['authorization', `Bearer ${token}`] as const] : []),
    ...(use.how === 'basic' ? [['authorization', basicOf(token)] as const] : []),
    ...(use.how === 'header' ? [['x-token', spelt] as const] : []),
    ...(use.how === 'cookie' ? [['cookie', `t=${spelt}`] as const] : []),
    ...(hasBody ? [['content-type', 'text/plain'] as const] : []),
  ];
  const hasBody = use.how === 'body' || use.bytes > 0;
  const body = Buffer.from(`${'w '.repeat(use.bytes >> 1)}${use.how === 'body' ? spelt : ''}`);
  const bare = body.length === 0;
  const target = `/r/${id}/use${use.how === 'query' ? `?t=${spelt}` : ''}`;
  const allowed =
    own && !refresh && (selfSigned ? place === 'pub' && use.wrong === 'nothing' : place === good);
  const sent = headersWith(inside);
  return {
    id,
    place,
    expected: allowed ? 'allowed' : 'denied',
    credential: `cred-${String(selfSigned ? CREDENTIAL.account : credential)}`,
    method: 'POST',
    target,
    authority: PLACES[place],
    headers: sent,
    body,
    ...framed(use, !bare, ''),
    wrongIn: (got) => {
      const arrived = valueOf(got.headers, 'authorization') ?? '';
      const token = selfSigned ? arrived.replace('Bearer ', '') : (held?.token ?? '');
      return [
        ...same(`the target of ${id}`, got.target, target),
        ...same(`the headers of ${id}`, comparable(got.headers), comparable(headersWith(token))),
        ...same(`the body of ${id}`, got.body.toString('latin1'), body.toString('latin1')),
        ...(selfSigned
          ? assertionWrong(`the token of ${id}`, world.account, token, assertion.claims)
          : []),
      ];
    },
    script: (got) => scriptOf(use.answer, got, values),
  };
};

/** Asks for tokens, and then uses what came. */
export const runTokenFlow = async (
  world: MediatedWorld,
  flow: TokenFlow,
  nextId: () => string,
): Promise<Judged> => {
  const { credential, good } = CLIENTS[flow.client];
  const tokens = tokensFor(flow.exchange);
  const stranger = flow.exchange.wrong === 'stranger';
  const rotates = flow.client !== 'account';
  const exchanged = await world.inTurn(credential, async (): Promise<Judged> => {
    const id = nextId();
    const ask = renderExchange(world, flow, id, tokens);
    // Whatever a server says to a stranger is the stranger's.
    if (!stranger)
      for (const [name, token] of Object.entries(tokens)) {
        const at = name === 'refresh' && rotates ? PLACES.auth : PLACES[good];
        world.minted.push({ name: `${name} of ${id}`, token, placeholder: undefined, at: [at] });
      }
    const judged = await runAsks(world, flow, ask.place, [ask]);
    const [answered] = judged.exchanged.answers;
    const { refresh } = tokens;
    if (refresh !== undefined && ask.expected === 'allowed' && !stranger && world.sent.has(id))
      world.refreshTokens.set(credential, refresh);
    const came =
      ask.expected === 'allowed' &&
      !stranger &&
      judged.broken.length === 0 &&
      answered !== undefined;
    return came
      ? {
          ...judged,
          broken: answerWrong(world, flow, id, tokens, answered.body.toString()),
        }
      : judged;
  });
  const minted = Object.fromEntries(
    (Object.keys(tokens) as (keyof Tokens)[]).map((name) => [
      name,
      world.minted.find(({ token }) => token === tokens[name]),
    ]),
  );
  const uses: Judged[] = [];
  for (const use of flow.uses) {
    const ask = renderUse(world, flow, use, nextId(), minted);
    if (ask !== undefined) uses.push(await runAsks(world, flow, ask.place, [ask]));
  }
  return joined([exchanged, ...uses]);
};
