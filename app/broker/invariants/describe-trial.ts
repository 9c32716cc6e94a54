import type { ConnectionPlan, Item, RequestPlan, Trial } from './plan.ts';

const item = ({ value, place, spelling }: Item): string =>
  `${value === 'watched' ? 'watched' : `#${String(value)}`} in ${place} as ${spelling}`;

const request = ({
  method,
  segments,
  query,
  names,
  items,
  body,
  cuts,
  answer,
}: RequestPlan): string => {
  const asks = [
    `${method} /${segments.join('/')}${query ? '?q' : ''}`,
    ...(names === 'same' ? [] : [`Host ${names}`]),
    ...items.map(item),
    ...(body.type === 'none'
      ? []
      : [
          `${body.type} of ${String(body.bytes)}${body.coding === '' ? '' : ` in ${body.coding}`}${body.chunked ? ', chunked' : ''}${body.expectsContinue ? ', 100-continue' : ''}${body.trailer ? ', trailer' : ''}`,
        ]),
    ...(cuts.length === 0 ? [] : [`cut at ${cuts.join()}`]),
  ];
  const answers = [
    `${String(answer.status)} ${answer.framing}${answer.coding === '' ? '' : ` in ${answer.coding}`}, ${String(answer.writes)} writes, filler ${String(answer.filler)}${answer.mirror ? ', mirror' : ''}`,
    ...answer.leaks.map(
      ({ secret, spelling, where }) => `leaks #${String(secret)} in ${where} as ${spelling}`,
    ),
  ];
  return `    ${asks.join('; ')}\n      → ${answers.join('; ')}`;
};

const connection = (plan: ConnectionPlan): string => {
  const head = `  ${plan.speaks} over ${plan.carrier} to ${plan.host}${plan.sni === 'same' ? '' : `, SNI ${plan.sni}`}`;
  if ('requests' in plan) return `${head}\n${plan.requests.map(request).join('\n')}`;
  return `${head} ${JSON.stringify('messages' in plan ? plan.messages : { text: plan.text, item: plan.item, leak: plan.leak, cuts: plan.cuts })}`;
};

/** A trial in a few lines, for people. */
export const describeTrial = (trial: Trial): string => trial.map(connection).join('\n');
