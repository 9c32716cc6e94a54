import * as fc from 'fast-check';
import { openCarrier } from '../carriers.ts';
import { same, type Broken } from '../promises.ts';
import { ALL_SPELLINGS, SPELLINGS, type Spelling } from '../spell.ts';
import { cuts, manner, type Manner, type ValueKey } from './asks.ts';
import {
  CREDENTIAL,
  DATABASE_PORT,
  DATABASES,
  partIndex,
  PART_COUNT,
  PASSWORDS,
  type DatabaseKey,
} from './held.ts';
import { logIn, type LoginPlan, type Session } from './postgres-client.ts';
import type { DatabaseScript, Login } from './postgres-server.ts';
import { CANCEL_REQUEST, startPacket, wireMessage } from './postgres-wire.ts';
import type { WantedRecord } from './records.ts';
import { leakedIn, strayIn, type Judged } from './run-asks.ts';
import type { MediatedWorld } from './world.ts';

type Spelt = { readonly value: ValueKey; readonly spelling: Spelling };

export type PostgresConnection = Pick<Manner, 'carrier'> &
  LoginPlan & {
    readonly scheme: 'postgres';
    readonly database: DatabaseKey;
    readonly otherName: boolean;
    readonly option: boolean;
    readonly user: string;
    readonly words: string;
    /** Stands in a parameter where it may not. */
    readonly stray: Spelt | undefined;
    readonly password: 'own' | 'guess' | 'real' | number;
    readonly method: DatabaseScript['method'];
    readonly wrong: DatabaseScript['wrong'];
    readonly greeting: Spelt | undefined;
    readonly error: Spelt | undefined;
    readonly cancel: 'none' | 'right' | 'wrong';
    readonly queries: readonly {
      readonly text: string;
      readonly stray: Spelt | undefined;
      readonly slip: Spelt | undefined;
    }[];
    readonly end: 'terminate' | 'half' | 'break off';
  };

/** What can stand in a text that ends with a zero byte. */
const TEXT_SPELLINGS = ALL_SPELLINGS.filter((name) => name !== 'UTF-16');
const spelt = (weight: number): fc.Arbitrary<Spelt | undefined> =>
  fc.oneof(
    { weight, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({
        value: fc.oneof<fc.Arbitrary<ValueKey>[]>(
          fc.nat(PART_COUNT - 1),
          fc.constant(partIndex(CREDENTIAL.database, 'value')),
          fc.constant('watched' as const),
        ),
        spelling: fc.constantFrom(...TEXT_SPELLINGS),
      }),
    },
  );
/** Letters that every coding of clients has. */
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ maxLength, unit: 'grapheme-ascii' });

export const postgresConnection: fc.Arbitrary<PostgresConnection> = fc.record({
  carrier: manner.carrier,
  scheme: fc.constant('postgres' as const),
  database: fc.constantFrom<DatabaseKey>(
    'sealed',
    'sealed',
    'sealed',
    'open',
    'open',
    'other',
    'denied',
    'rebinding',
  ),
  gssenc: fc.boolean(),
  tls: fc.constantFrom('none' as const, 'asked', 'direct'),
  otherName: fc.constantFrom(false, false, false, false, false, false, false, true),
  binds: fc.boolean(),
  minor: fc.constantFrom(0, 0, 2),
  option: fc.boolean(),
  cuts,
  user: fc.constantFrom('me', 'some body', "o'hara", 'caf\u00e9'),
  words: text(40),
  stray: spelt(8),
  password: fc.oneof<fc.Arbitrary<PostgresConnection['password']>[]>(
    fc.constant('own' as const),
    fc.constant('own' as const),
    fc.constant('own' as const),
    fc.constant('own' as const),
    fc.constantFrom('guess' as const, 'real'),
    fc.nat(PART_COUNT - 1),
  ),
  method: fc.constantFrom(
    'scram' as const,
    'scram',
    'scram',
    'md5',
    'md5',
    'cleartext',
    'none',
    'unknown',
  ),
  wrong: fc.oneof(
    { weight: 5, arbitrary: fc.constant('nothing' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        'signature' as const,
        'no proof',
        'few rounds',
        'other nonce',
        'refuses',
      ),
    },
  ),
  greeting: spelt(4),
  error: spelt(1),
  cancel: fc.constantFrom('none' as const, 'none', 'right', 'wrong'),
  queries: fc.array(fc.record({ text: text(120), stray: spelt(5), slip: spelt(3) }), {
    maxLength: 3,
  }),
  end: fc.constantFrom('terminate' as const, 'half', 'break off'),
});

const CREDENTIAL_AT: Readonly<Record<DatabaseKey, number>> = {
  sealed: CREDENTIAL.database,
  open: CREDENTIAL.database,
  other: CREDENTIAL.otherDatabase,
  denied: CREDENTIAL.database,
  rebinding: CREDENTIAL.database,
};

/** How a login must come out: not at all, with the server’s or the broker’s refusal, or well. */
type Outcome = 'denied' | 'failed' | 'ready';

const outcomeOf = (plan: PostgresConnection, ownPart: number): Outcome => {
  const { database, method, wrong } = plan;
  const named = plan.tls === 'none' || !plan.otherName;
  const right = plan.password === 'own' || plan.password === ownPart;
  if (!named || plan.stray !== undefined || !right) return 'denied';
  if (database === 'denied' || database === 'rebinding') return 'denied';
  if (wrong === 'refuses' || method === 'unknown') return 'failed';
  if (method === 'cleartext' && database === 'open') return 'failed';
  if (method === 'scram' && wrong !== 'nothing') return 'failed';
  return plan.greeting === undefined ? 'ready' : 'failed';
};

const spellOf = (found: Spelt | undefined, of: (value: ValueKey) => string): string =>
  found === undefined ? '' : ` ${SPELLINGS[found.spelling](of(found.value))} `;

const recordOf = (
  database: DatabaseKey,
  verdict: 'allowed' | 'denied',
  credential: number | undefined,
): WantedRecord => ({
  host: DATABASES[database],
  port: DATABASE_PORT,
  protocol: 'tcp',
  method: undefined,
  path: undefined,
  pathBegins: undefined,
  verdict,
  status: undefined,
  credential: credential === undefined ? undefined : `cred-${String(credential)}`,
});

/** Asks a server to stop a query, over a connection of its own; what came back is nothing. */
const cancel = async (
  world: MediatedWorld,
  { carrier, database }: PostgresConnection,
  session: Session,
  right: boolean,
): Promise<readonly Broken[]> => {
  const server = world.databases[database];
  const key = right ? session.key : session.key ^ 1;
  const stream = await openCarrier(world.rig, carrier, DATABASES[database], DATABASE_PORT);
  const body = Buffer.alloc(8);
  body.writeInt32BE(session.processId, 0);
  body.writeInt32BE(key, 4);
  stream.on('error', () => undefined);
  stream.resume();
  const closed = new Promise<void>((resolve) => {
    stream.once('end', () => resolve());
    stream.once('close', () => resolve());
  });
  stream.write(startPacket(CANCEL_REQUEST, body));
  await closed;
  stream.destroy();
  const wanted = `${String(session.processId)} ${String(key)}`;
  return (server?.cancels.includes(wanted) ?? false) === right
    ? []
    : [`a cancel request ${right ? 'did not arrive' : 'with another key arrived'}`];
};

const endSession = async (session: Session, end: PostgresConnection['end']): Promise<void> => {
  const { stream } = session;
  const closed = new Promise<void>((resolve) => {
    if (stream.closed) resolve();
    stream.once('close', () => resolve());
    stream.once('end', () => resolve());
  });
  if (end === 'break off') stream.destroy();
  else if (end === 'half') stream.end();
  else stream.end(wireMessage('X'));
  await closed;
  stream.destroy();
};

/** What is wrong with a login as its server saw it. */
const loginWrong = (
  plan: PostgresConnection,
  id: string,
  login: Login,
  parameters: readonly (readonly [string, string])[],
): readonly Broken[] => [
  ...same(
    `the parameters of ${id}`,
    JSON.stringify(login.parameters),
    JSON.stringify(parameters.filter(([name]) => !name.startsWith('_pq_.'))),
  ),
  ...(login.encrypted === (plan.database !== 'open')
    ? []
    : [`the login of ${id} is encrypted: ${String(login.encrypted)}`]),
];

/** Logs in, asks, and leaves, and says what became of it. */
export const runPostgres = async (
  world: MediatedWorld,
  plan: PostgresConnection,
  id: string,
): Promise<Judged> => {
  const { rig, values, databases } = world;
  const { database, queries } = plan;
  const host = DATABASES[database];
  const credential = CREDENTIAL_AT[database];
  const ownPart = partIndex(credential, 'value');
  const real = PASSWORDS[credential === CREDENTIAL.database ? 0 : 1];
  databases[database]?.scripts.set(id, {
    method: plan.method,
    wrong: plan.wrong,
    greeting: spellOf(plan.greeting, values.outside),
    error: spellOf(plan.error, values.outside),
    rows: queries.map(({ slip }) => spellOf(slip, values.outside)),
  });
  const parameters: readonly (readonly [string, string])[] = [
    ['user', plan.user],
    ['application_name', id],
    ['options', `-c a=${plan.words}${spellOf(plan.stray, values.inside)}`],
    ...(plan.option ? [['_pq_.some_option', 'on'] as const] : []),
  ];
  const passwords: Readonly<Record<string, string>> = {
    own: values.inside(ownPart),
    guess: 'a guess',
    real,
  };
  const stream = await openCarrier(rig, plan.carrier, host, DATABASE_PORT);
  const session = await logIn(stream, plan, {
    servername: plan.otherName ? 'elsewhere.test' : host,
    ca: rig.broker.authority.certificatePem,
    parameters,
    password: passwords[plan.password] ?? values.inside(Number(plan.password)),
  });
  const expected = outcomeOf(plan, ownPart);
  const broken: Broken[] = [];
  const records: WantedRecord[] = [];
  if (session.ready !== (expected === 'ready'))
    broken.push(`${id} should be ${expected}: ${session.refused ?? 'it is ready'}`);

  let verdict: 'allowed' | 'denied' = expected === 'denied' ? 'denied' : 'allowed';
  const heard: Buffer[] = [];
  const asked: Buffer[] = [];
  if (session.ready) {
    const told = parameters
      .filter(([name]) => !name.startsWith('_pq_.'))
      .map(([name, value]) => `${name}\0${value}\0`);
    broken.push(
      ...same(`what the server told ${id}`, JSON.stringify(session.told), JSON.stringify(told)),
    );
    if (plan.cancel !== 'none') {
      const right = plan.cancel === 'right';
      broken.push(...(await cancel(world, plan, session, right)));
      records.push(recordOf(database, right ? 'allowed' : 'denied', undefined));
    }
    for (const query of queries) {
      const message = wireMessage('Q', `${query.text}${spellOf(query.stray, values.inside)}\0`);
      const answer = await session.query(message);
      const trips = query.stray !== undefined;
      if (trips) verdict = 'denied';
      if ((answer === undefined) !== (trips || query.slip !== undefined))
        broken.push(`a query of ${id} was ${answer === undefined ? 'cut off' : 'let through'}`);
      if (answer === undefined) break;
      asked.push(message);
      heard.push(answer);
    }
  }
  await endSession(session, plan.end);
  stream.destroy();
  records.push(recordOf(database, verdict, expected === 'denied' ? undefined : credential));
  broken.push(...leakedIn(world, id, [session.given()]));

  const logins = databases[database]?.logins.get(id) ?? [];
  const [login, twice] = logins;
  if (expected === 'denied') {
    if (login !== undefined) broken.push(`${id} logged in at its server though it was refused`);
  } else if (login === undefined || twice !== undefined) {
    broken.push(`${id} logged in ${String(logins.length)} times`);
  } else {
    broken.push(
      ...loginWrong(plan, id, login, parameters),
      ...strayIn(world, host, id, login.received()),
    );
    if (login.cleartext !== undefined && !login.encrypted)
      broken.push(`${id} gave its password away unencrypted`);
    if (expected === 'ready') {
      const whole = Buffer.concat(asked).toString('latin1');
      if (!login.proved) broken.push(`${id} proved nothing to its server`);
      broken.push(
        ...same(
          `the queries of ${id}`,
          login.queries().subarray(0, whole.length).toString('latin1'),
          whole,
        ),
        ...same(
          `the answers of ${id}`,
          Buffer.concat(heard).toString('latin1'),
          login.said().subarray(0, Buffer.concat(heard).length).toString('latin1'),
        ),
      );
    }
  }
  return { broken, records };
};
