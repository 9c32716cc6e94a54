import { valueOf } from '../http-clients.ts';
import { comparable, same } from '../promises.ts';
import type { Pairs } from '../render.ts';
import { SPELLINGS } from '../spell.ts';
import { framed, scriptOf, type Ask } from './asks.ts';
import { assertionWrong } from './assertions.ts';
import { CREDENTIAL, partIndex, PLACES } from './held.ts';
import type { Tokens } from './token-answers.ts';
import { assertionOf, basicOf, CLIENTS } from './token-clients.ts';
import type { TokenFlow, Use } from './token-plan.ts';
import type { MediatedWorld, MintedToken } from './world.ts';

/** A use of a token out of its plan, and what must become of it. */
export const renderUse = (
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
    script: (got) => {
      // What was signed anew is as good as the key for an hour: it may not come back.
      if (selfSigned) {
        const token = (valueOf(got.headers, 'authorization') ?? '').replace('Bearer ', '');
        const at = [PLACES[place]];
        world.minted.push({ name: `signed for ${id}`, token, placeholder: undefined, at });
      }
      return scriptOf(use.answer, got, values);
    },
  };
};
