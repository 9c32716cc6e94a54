import type { Received, Script } from '../http-server.ts';
import { same, type Broken } from '../promises.ts';
import { SPELLINGS } from '../spell.ts';
import { foreignJwt } from './assertions.ts';
import { partIndex } from './held.ts';
import { CLIENTS, HOUR } from './token-clients.ts';
import type { Exchange, TokenFlow, TokenShape } from './token-plan.ts';
import type { MediatedWorld } from './world.ts';

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
export type Tokens = Readonly<
  Partial<Record<'access' | 'identity' | 'nested' | 'refresh', string>>
>;

export const tokensFor = ({ answer }: Exchange): Tokens => ({
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

export const scriptFor = (
  plan: Exchange,
  tokens: Tokens,
  got: Received,
  world: MediatedWorld,
): Script => {
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
export const answerWrong = (
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
