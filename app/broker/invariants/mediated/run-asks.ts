import { openCarrier, openTls } from '../carriers.ts';
import { speakHttp1, speakHttp2, valueOf, type Answered, type Exchanged } from '../http-clients.ts';
import { comparable, same, textOf, type Broken } from '../promises.ts';
import { decodeBody, valuesIn } from '../reference-decoder.ts';
import type { Pairs } from '../render.ts';
import type { Ask, Manner } from './asks.ts';
import { PLACES, WATCHED_VALUE, type PlaceKey } from './held.ts';
import { recordOf, type WantedRecord } from './records.ts';
import type { MediatedWorld } from './world.ts';

/** What became of a few connections: the promises they broke, and what must be on the record of them. */
export type Judged = {
  readonly broken: readonly Broken[];
  readonly records: readonly WantedRecord[];
};

export const joined = (all: readonly Judged[]): Judged => ({
  broken: all.flatMap(({ broken }) => broken),
  records: all.flatMap(({ records }) => records),
});

/** Secrets by what they are: those of the start, and those that came since. */
const secretsOf = ({ parts, minted }: MediatedWorld): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    parts.map(({ credential, part, secret }) => [
      `the ${part} of cred-${String(credential)}`,
      secret,
    ]),
  ),
  ...Object.fromEntries(minted.map(({ name, token }) => [`the token ${name}`, token])),
  'a watched value': WATCHED_VALUE,
});

/** What of all secrets is in bytes that the sandbox was given. */
export const leakedIn = (
  world: MediatedWorld,
  where: string,
  given: readonly (Buffer | string)[],
): readonly Broken[] => {
  const secrets = secretsOf(world);
  return Array.from(new Set(given.flatMap((bytes) => valuesIn(bytes, secrets)))).map(
    (name) => `${name} reached the sandbox (${where})`,
  );
};

/** What of all secrets is on the record. */
export const writtenDown = (world: MediatedWorld, records: readonly unknown[]): readonly Broken[] =>
  valuesIn(JSON.stringify(records), secretsOf(world)).map((name) => `${name} is on the record`);

/** What of all placeholders and secrets is in bytes that a server was sent, and may not be there. */
export const strayIn = (
  { parts, placeholders, minted }: MediatedWorld,
  host: string,
  what: string,
  bytes: Buffer,
): readonly Broken[] =>
  valuesIn(bytes, {
    ...Object.fromEntries(
      parts.flatMap(({ credential, part, secret, at }, index) => {
        const name = `${part} of cred-${String(credential)}`;
        return [
          [`the placeholder of the ${name}`, placeholders[index] ?? ''],
          ...(at.includes(host) ? [] : [[`the ${name}`, secret]]),
        ];
      }),
    ),
    ...Object.fromEntries(
      minted.flatMap(({ name, token, placeholder, at }) => [
        ...(placeholder === undefined ? [] : [[`the placeholder of ${name}`, placeholder]]),
        ...(at.includes(host) ? [] : [[`the token ${name}`, token]]),
      ]),
    ),
    'a watched value': WATCHED_VALUE,
  }).map((name) => `${host} was sent ${name} (${what})`);

/** What servers may not have been sent. */
export const checkReceived = (world: MediatedWorld, from: number): readonly Broken[] =>
  world.received.slice(from).flatMap((got) => {
    const head = `${got.method}\n${got.target}\n${textOf(got.headers)}\n${textOf(got.trailers)}\n`;
    const body = decodeBody(got.body, valueOf(got.headers, 'content-encoding'));
    return strayIn(
      world,
      got.host,
      got.id,
      Buffer.concat([Buffer.from(head, 'latin1'), got.body, Buffer.from('\n'), body]),
    );
  });

/** What of an answer came otherwise than it was sent, where it held nothing to take out. */
const answerWrong = (world: MediatedWorld, ask: Ask, answered: Answered): readonly Broken[] => {
  const sent = world.sent.get(ask.id);
  if (sent === undefined) return [`${ask.id} was answered by nobody`];
  const secrets = secretsOf(world);
  const clean = (text: string | Buffer): boolean => valuesIn(text, secrets).length === 0;
  const cleanPairs = (pairs: Pairs): Pairs => pairs.filter(([, value]) => clean(value));
  const names = new Set(cleanPairs([...sent.headers, ...sent.trailers]).map(([name]) => name));
  const relevant = (pairs: Pairs): Pairs => pairs.filter(([name]) => names.has(name.toLowerCase()));
  const body = decodeBody(answered.body, valueOf(answered.headers, 'content-encoding'));
  return [
    ...same(`the status of ${ask.id}`, String(answered.status), String(sent.status)),
    ...same(
      `the answer’s headers of ${ask.id}`,
      comparable(relevant(answered.headers)),
      comparable(cleanPairs(sent.headers)),
    ),
    ...(clean(sent.body)
      ? same(
          `the answer’s body of ${ask.id}`,
          body.toString('latin1'),
          sent.body.toString('latin1'),
        )
      : []),
    ...same(
      `the answer’s trailers of ${ask.id}`,
      comparable(relevant(answered.trailers)),
      comparable(cleanPairs(sent.trailers)),
    ),
  ];
};

/** What is wrong with one request and its answer. */
export const askWrong = async (
  world: MediatedWorld,
  ask: Ask,
  answered: Answered,
): Promise<readonly Broken[]> => {
  const { id, expected } = ask;
  const got = world.byId.get(id) ?? [];
  const code = valueOf(answered.headers, 'glovebox-code');
  if (expected === 'denied') {
    // What trips in a body may have begun to arrive; it may not have arrived whole.
    return code === undefined && !answered.broken
      ? [`${id} was let through with ${String(answered.status)}`]
      : world.sent.has(id)
        ? [`${id} arrived at its server though it was refused`]
        : ask.untouched === true && got.length > 0
          ? [`${id} arrived in part though it was refused by its head`]
          : [];
  }
  if (expected === 'either' && code !== undefined) return [];
  const [one, twice] = got;
  if (one === undefined || twice !== undefined)
    return [
      `${id} arrived ${String(got.length)} times: ${String(answered.status)} ${code ?? ''} ${answered.body.toString('latin1').slice(0, 300)}`,
    ];
  const arrived = await ask.wrongIn(one);
  if (expected === 'withheld')
    return code === undefined ? [...arrived, `the answer of ${id} came back`] : arrived;
  if (answered.broken || code !== undefined)
    return [
      `${id} was not let through: ${String(answered.status)} ${code ?? 'broken'} ${answered.body.toString('latin1').slice(0, 300)}`,
    ];
  return [...arrived, ...(ask.answerIsOwn ? [] : answerWrong(world, ask, answered))];
};

/** All bytes that the sandbox was given in some answers. */
const givenIn = ({ raw, answers }: Exchanged): readonly (Buffer | string)[] => [
  raw,
  ...answers.flatMap((answered) =>
    answered === undefined
      ? []
      : [
          textOf(answered.headers),
          decodeBody(answered.body, valueOf(answered.headers, 'content-encoding')),
          textOf(answered.trailers),
        ],
  ),
];

/** Says some requests over one connection, and judges what became of each. */
export const runAsks = async (
  world: MediatedWorld,
  { carrier, speaks }: Manner,
  place: PlaceKey,
  asks: readonly Ask[],
): Promise<Judged & { readonly exchanged: Exchanged }> => {
  const { rig, scripts } = world;
  for (const { id, script } of asks) scripts.set(id, script);
  const stream = await openCarrier(rig, carrier, PLACES[place], 443);
  const tls = await openTls(stream, {
    servername: PLACES[place],
    ca: rig.broker.authority.certificatePem,
    alpn: speaks === 'h2' ? ['h2', 'http/1.1'] : ['http/1.1'],
  });
  const protocol = tls.alpnProtocol === 'h2' ? 'h2' : 'h1';
  const exchanged =
    protocol === 'h2' ? await speakHttp2(tls, asks) : await speakHttp1(tls, asks, false);
  stream.destroy();
  const broken: Broken[] = [
    ...leakedIn(world, asks.map(({ id }) => id).join(), givenIn(exchanged)),
  ];
  const records: WantedRecord[] = [];
  for (const [index, ask] of asks.entries()) {
    const answered = exchanged.answers[index];
    if (answered === undefined) {
      if (world.byId.has(ask.id)) broken.push(`${ask.id} arrived though it was not sent`);
      continue;
    }
    broken.push(...(await askWrong(world, ask, answered)));
    records.push(recordOf(ask, answered, protocol));
  }
  return { broken, records, exchanged };
};
