import type { EgressDraft } from '../../contract/index.ts';
import { CREDENTIALS, HOSTS, WATCHED } from './plan.ts';
import { valueOf, type Answered } from './http-clients.ts';
import { decodeBody, valuesIn } from './reference-decoder.ts';
import type { Pairs, Rendered } from './render.ts';
import type { Outcome } from './run-trial.ts';
import type { Received } from './http-server.ts';
import type { World } from './world.ts';

const SECRETS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(CREDENTIALS.map(({ secret, kind }) => [`the secret of ${kind}`, secret])),
  'a watched value': WATCHED,
};

/** What the broker may change on the way: framing, and what says how an answer may be coded. */
const DECLARED = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'accept-encoding',
  'expect',
  'trailer',
  'te',
]);

export const comparable = (headers: Pairs): string =>
  headers
    .filter(([name]) => !name.startsWith(':') && !DECLARED.has(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .toSorted()
    .join('\n');

export const textOf = (pairs: Pairs): string =>
  pairs.map(([name, value]) => `${name}: ${value}`).join('\n');

/** A promise that was broken, in words. */
export type Broken = string;

export const same = (what: string, got: string, wanted: string): readonly Broken[] =>
  got === wanted
    ? []
    : [
        `${what} changed:\n  got    ${JSON.stringify(got.slice(0, 600))}\n  wanted ${JSON.stringify(wanted.slice(0, 600))}`,
      ];

const onServer = (world: World, got: Received): readonly Broken[] => {
  const placeholders = Object.fromEntries(
    world.placeholders.map((value, index) => [
      `the placeholder of ${CREDENTIALS[index]?.kind ?? ''}`,
      value,
    ]),
  );
  const others = Object.fromEntries(
    CREDENTIALS.filter(({ host }) => HOSTS[host] !== got.host).map(({ kind, secret }) => [
      `the secret of ${kind}`,
      secret,
    ]),
  );
  const body = decodeBody(got.body, valueOf(got.headers, 'content-encoding'));
  const all = Buffer.concat([
    Buffer.from(
      `${got.method}\n${got.target}\n${textOf(got.headers)}\n${textOf(got.trailers)}\n`,
      'latin1',
    ),
    body,
  ]);
  const found = valuesIn(all, {
    ...placeholders,
    ...others,
    ...(world.watches ? { 'a watched value': WATCHED } : {}),
  });
  return found.map((name) => `${got.host} was sent ${name} (${got.id})`);
};

const answerIsWhole = (world: World, request: Rendered, answered: Answered): readonly Broken[] => {
  const sent = world.upstreams.sent.get(request.id);
  if (sent === undefined) return [`${request.id} was answered by nobody`];
  const broken: Broken[] = [];
  if (answered.status !== sent.status)
    broken.push(
      `the status of ${request.id} is ${String(answered.status)}, not ${String(sent.status)}`,
    );
  const clean = (text: string | Buffer): boolean => valuesIn(text, SECRETS).length === 0;
  const body = decodeBody(answered.body, valueOf(answered.headers, 'content-encoding'));
  if (clean(sent.body))
    broken.push(
      ...same(
        `the answer’s body of ${request.id}`,
        body.toString('latin1'),
        sent.body.toString('latin1'),
      ),
    );
  const cleanPairs = (pairs: Pairs): Pairs => pairs.filter(([, value]) => clean(value));
  const names = new Set(cleanPairs([...sent.headers, ...sent.trailers]).map(([name]) => name));
  const relevant = (pairs: Pairs): Pairs => pairs.filter(([name]) => names.has(name.toLowerCase()));
  broken.push(
    ...same(
      `the answer’s headers of ${request.id}`,
      comparable(relevant(answered.headers)),
      comparable(cleanPairs(sent.headers)),
    ),
    ...same(
      `the answer’s trailers of ${request.id}`,
      comparable(relevant(answered.trailers)),
      comparable(cleanPairs(sent.trailers)),
    ),
  );
  return broken;
};

const arrived = (world: World, id: string): readonly Received[] =>
  world.upstreams.byId.get(id) ?? [];

const checkRequest = (world: World, request: Rendered, answered: Answered): readonly Broken[] => {
  const { id, expected } = request;
  const got = arrived(world, id);
  const code = valueOf(answered.headers, 'glovebox-code');
  if (expected === 'denied') {
    // What trips in a body may have begun to arrive; it may not have arrived whole.
    const whole = got.filter((one) => world.upstreams.sent.has(one.id));
    return code === undefined && !answered.broken
      ? [`${id} was let through with ${String(answered.status)}`]
      : whole.map(() => `${id} arrived at its server though it was refused`);
  }
  if (expected === 'either' && code !== undefined) return [];
  if (answered.broken || code !== undefined)
    return [
      `${id} was not let through: ${String(answered.status)} ${code ?? 'broken'} ${answered.body.toString('latin1').slice(0, 300)}`,
    ];
  const [one, twice] = got;
  if (one === undefined || twice !== undefined)
    return [`${id} arrived ${String(got.length)} times`];
  const held = expected === 'either';
  return [
    ...same(`the method of ${id}`, one.method, request.method),
    ...(held
      ? []
      : [
          ...same(`the target of ${id}`, one.target, request.arrives.target),
          ...same(
            `the headers of ${id}`,
            comparable(one.headers),
            comparable(request.arrives.headers),
          ),
          ...same(
            `the body of ${id}`,
            one.body.toString('latin1'),
            request.arrives.body.toString('latin1'),
          ),
          ...same(`the trailers of ${id}`, comparable(one.trailers), comparable(request.trailers)),
        ]),
    ...answerIsWhole(world, request, answered),
  ];
};

const facts = (record: EgressDraft): string =>
  JSON.stringify({
    host: record.host,
    port: record.port,
    method: record.method,
    protocol: record.protocol,
    verdict: record.verdict,
    status: record.status,
  });

const checkRecord = (
  records: readonly EgressDraft[],
  request: Rendered,
  answered: Answered,
  { plan, protocol, port, reachable }: Extract<Outcome, { type: 'http' }>,
): readonly Broken[] => {
  const [record, twice] = records;
  // Behind a GOAWAY: the server of a refused connection takes no further stream, and its client may try anew.
  if (record === undefined && protocol === 'h2' && !reachable && answered.status === 0) return [];
  if (record === undefined || twice !== undefined)
    return [`${request.id} is on the record ${String(records.length)} times`];
  const denied =
    valueOf(answered.headers, 'glovebox-code') !== undefined || request.expected === 'denied';
  const wanted = JSON.stringify({
    host: HOSTS[plan.host],
    port,
    method: request.method,
    protocol,
    verdict: denied ? 'denied' : 'allowed',
    status: answered.broken ? record.status : answered.status,
  });
  const broken = [...same(`the record of ${request.id}`, facts(record), wanted)];
  const names = request.credentials.map((index) => `cred-${String(index)}`);
  if (!denied && names.length > 0 && !names.includes(record.credential ?? ''))
    broken.push(
      `the record of ${request.id} names ${String(record.credential)}, not ${names.join()}`,
    );
  if (
    !denied &&
    names.length === 0 &&
    record.credential !== undefined &&
    request.expected === 'allowed'
  )
    broken.push(`the record of ${request.id} names a credential that was not used`);
  return broken;
};

/** The ids of all that must be on the record by path. */
export const idsOf = (outcome: Outcome): readonly string[] =>
  outcome.type === 'http'
    ? outcome.exchanged.answers.flatMap((answer, index) =>
        answer === undefined || answer.status === 0 ? [] : (outcome.requests[index]?.id ?? []),
      )
    : outcome.type === 'ws'
      ? [outcome.id]
      : [];

const inside = (outcome: Outcome): readonly (Buffer | string)[] => {
  if (outcome.type === 'http') {
    const { exchanged } = outcome;
    return [
      exchanged.raw,
      ...exchanged.answers.flatMap((answer) =>
        answer === undefined
          ? []
          : [
              textOf(answer.headers),
              decodeBody(answer.body, valueOf(answer.headers, 'content-encoding')),
              textOf(answer.trailers),
            ],
      ),
    ];
  }
  return outcome.type === 'ws'
    ? [outcome.said.raw, Buffer.concat(outcome.said.messages.map(({ data }) => data))]
    : [outcome.raw];
};

const checkOther = (world: World, outcome: Outcome): readonly Broken[] => {
  if (outcome.type === 'http') return [];
  const got = arrived(world, outcome.id);
  if (outcome.type === 'ws') {
    const { said, sent, trips, plan, id } = outcome;
    if (!said.opened)
      return [
        `the WebSocket ${id} did not open: ${String(said.status)} ${said.raw.toString('latin1')}`,
      ];
    const bodies = got.slice(1).map(({ body }) => body.toString('latin1'));
    const wanted = sent.map((body) => body.toString('latin1'));
    if (trips)
      return bodies.length === wanted.length ? [`the WebSocket ${id} was not stopped`] : [];
    const clean = plan.messages.every(({ leak }) => leak === undefined);
    return [
      ...same(`the messages of ${id}`, bodies.join('\n'), wanted.join('\n')),
      ...(clean
        ? same(
            `the answers of ${id}`,
            said.messages
              .map(({ data, binary }) => `${String(binary)} ${data.toString('latin1')}`)
              .join('\n'),
            wanted
              .map((text, index) => `${String(plan.messages[index]?.binary)} ${text}`)
              .join('\n'),
          )
        : []),
    ];
  }
  if (outcome.type === 'raw') {
    return outcome.expected === 'allowed'
      ? [
          ...same(
            `what ${outcome.id} sent`,
            got[0]?.body.toString('latin1') ?? '',
            outcome.sent.toString('latin1'),
          ),
          ...same(
            `what ${outcome.id} was sent`,
            outcome.raw.toString('latin1'),
            outcome.sent.toString('latin1'),
          ),
        ]
      : [];
  }
  const passes = outcome.plan.sni === 'same';
  if (passes !== (outcome.expected === 'allowed'))
    return [`${outcome.id} passed through: ${String(!passes)}`];
  return passes === (got.length === 1) ? [] : [`${outcome.id} arrived ${String(got.length)} times`];
};

/** What the servers saw meanwhile. */
export type Noted = {
  readonly received: readonly Received[];
  /** Names that were resolved. */
  readonly asked: readonly string[];
  /** Connections at addresses that no policy lets through. */
  readonly forbidden: number;
};

/** All promises over what became of one trial. */
export const brokenPromises = (
  world: World,
  outcomes: readonly Outcome[],
  { received, asked, forbidden }: Noted,
): readonly Broken[] => {
  const records = world.records();
  return [
    ...outcomes.flatMap((outcome) =>
      inside(outcome).flatMap((bytes) =>
        valuesIn(bytes, SECRETS).map((name) => `${name} reached the sandbox (${outcome.type})`),
      ),
    ),
    ...received.flatMap((got) => (got.host === 'pinned.test' ? [] : onServer(world, got))),
    ...outcomes.flatMap((outcome) =>
      outcome.type === 'http'
        ? outcome.requests.flatMap((request, index) => {
            const answered = outcome.exchanged.answers[index];
            if (answered === undefined)
              return arrived(world, request.id).map(
                () => `${request.id} arrived though it was not sent`,
              );
            return [
              ...checkRequest(world, request, answered),
              ...checkRecord(records.get(request.id) ?? [], request, answered, outcome),
            ];
          })
        : checkOther(world, outcome),
    ),
    ...(forbidden === 0 ? [] : ['an address was dialled that no policy lets through']),
    ...asked
      .filter((name) => name !== HOSTS.rebinding)
      .map((name) => `the resolver was asked for ${name}`),
  ];
};
