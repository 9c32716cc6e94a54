import { PLACES } from './held.ts';
import { joined, runAsks, type Judged } from './run-asks.ts';
import { answerWrong, tokensFor, type Tokens } from './token-answers.ts';
import { CLIENTS } from './token-clients.ts';
import { renderExchange } from './token-exchanges.ts';
import type { TokenFlow } from './token-plan.ts';
import { renderUse } from './token-uses.ts';
import type { MediatedWorld } from './world.ts';

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
