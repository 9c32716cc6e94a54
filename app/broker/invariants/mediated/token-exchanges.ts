import { gzipSync } from 'node:zlib';
import type { Received } from '../http-server.ts';
import { comparable, same } from '../promises.ts';
import type { Pairs } from '../render.ts';
import { framed, strayAt, type Ask } from './asks.ts';
import { assertionWrong } from './assertions.ts';
import { CLIENT_ID, CLIENT_SECRET, partIndex, PLACES, type PlaceKey } from './held.ts';
import { scriptFor, type Tokens } from './token-answers.ts';
import { assertionOf, basicOf, CLIENTS } from './token-clients.ts';
import type { TokenFlow } from './token-plan.ts';
import type { MediatedWorld } from './world.ts';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

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
export const renderExchange = (
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
  const assertionIn = ({ body: arrived }: Received): string => {
    if (!isAccount || stranger) return '';
    const said = arrived.toString('latin1');
    const found = exchange.json
      ? (JSON.parse(said) as Fields)['assertion']
      : new URLSearchParams(said).get('assertion');
    return found ?? '';
  };
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
      const arrivedJwt = assertionIn(got);
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
    script: (got) => {
      const token = assertionIn(got);
      // What was signed anew is as good as the key for an hour: it may not come back.
      if (token !== '') {
        const at = [PLACES[asPlace]];
        world.minted.push({ name: `signed for ${id}`, token, placeholder: undefined, at });
      }
      return scriptFor(exchange, tokens, got, world);
    },
  };
};
