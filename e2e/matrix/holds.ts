import { expect } from 'vitest';
import type { Outcome } from '../fixtures/inside.ts';
import { claimOf, CLAIMS, type Claim, type ClientName, type Family } from './claims.ts';
import type { EgressEvent, Matrix } from './rig.ts';
import { shapesIn } from './secret.ts';
import type { Upstream } from './upstream.ts';

const held = new Set<ClientName>();

/** Notes that a claim was held against a real session; says what it claims. */
export const hold = (client: ClientName): Claim => {
  held.add(client);
  return claimOf(client);
};

const sorted = (names: Iterable<string>): readonly string[] =>
  Array.from(names).toSorted((a, b) => a.localeCompare(b));

/** The clients whose claims were held so far. */
export const heldClients = (): readonly string[] => sorted(held);

/** The clients that something is claimed of: to be compared last, so that no claim goes unheld. */
export const claimedClients = (family: Family): readonly string[] =>
  sorted(CLAIMS.filter((claim) => claim.family === family).map(({ client }) => client));

/** The command lines of the programs behind these records, as far as they are known. */
export const commandsOf = (records: readonly Pick<EgressEvent, 'program'>[]): readonly string[] =>
  records.flatMap(({ program }) => (program === undefined ? [] : [program.command.join(' ')]));

/**
 * Programs on the records are the right ones. On a busy machine one that is gone within a moment may stay
 * unnamed (absent, never invented), so not each record needs a name, but some must have it.
 */
export const expectPrograms = (
  records: readonly Pick<EgressEvent, 'program'>[],
  program: RegExp,
): void => {
  const commands = commandsOf(records);
  for (const command of commands) expect(command).toMatch(program);
  expect(commands.length).toBeGreaterThan(0);
};

/** One client's use of one host, which no other client uses. */
export type Use = {
  readonly client: ClientName;
  readonly host: string;
  readonly secret: string;
  /** Name of the lent credential, and the variable that holds its placeholder. */
  readonly credential: string;
  readonly variable: string;
  /** The login as the service wants it. */
  readonly login: string;
  /** Only requests with this method, where others at the host belong to another client. */
  readonly method?: string;
  /** What the timeline calls the programs that spoke. */
  readonly program: RegExp;
};

/**
 * Holds what the table says of a client against what happened: the real secret arrived (or nothing, where
 * the client asks before it logs in), what came back had the placeholder in its place in every shape, and
 * each request is on the record once, with its program, over the protocol that the service saw.
 */
export const expectClaimHolds = async (
  use: Use,
  matrix: Matrix,
  upstream: Upstream,
  ran: Pick<Outcome, 'stdout' | 'stderr'>,
): Promise<void> => {
  const { protocol } = hold(use.client);
  const said = ran.stdout + ran.stderr;
  const own = ({ host, method }: { host: string; method?: string | undefined }): boolean =>
    host === use.host && (use.method === undefined || method === use.method);
  const arrived = upstream.seen.filter(own);
  expect(arrived.map(({ login }) => login)).toContain(use.login);
  for (const one of arrived) {
    expect(['', use.login]).toContain(one.login);
    expect(one.protocol).toBe(protocol);
  }

  expect(shapesIn(said, use.secret)).toEqual([]);
  const placeholder = (await matrix.inside.run(`printf %s "$${use.variable}"`)).stdout;
  expect(placeholder).not.toBe('');
  expect(said).toContain(placeholder);

  const records = await matrix.egress(own, arrived.length);
  const called = (list: readonly { method?: string | undefined; path?: string | undefined }[]) =>
    list.map(({ method, path }) => `${method ?? ''} ${path ?? ''}`).toSorted();
  expect(called(records)).toEqual(called(arrived));
  for (const record of records) {
    expect(record).toMatchObject({ verdict: 'allowed', inspected: true, protocol });
  }
  expectPrograms(records, use.program);
  expect(records.some(({ credential }) => credential === use.credential)).toBe(true);
  expect(records.some(({ scrubbed = 0 }) => scrubbed > 0)).toBe(true);
};
