import { expect } from 'vitest';
import type { Outcome } from '../fixtures/inside.ts';
import { claimOf, type ClientName } from './claims.ts';
import type { Matrix } from './rig.ts';
import { shapesIn } from './secret.ts';
import type { Upstream } from './upstream.ts';

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
  const { protocol } = claimOf(use.client);
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

  const records = (await matrix.egress()).filter(own);
  const called = (list: readonly { method?: string | undefined; path?: string | undefined }[]) =>
    list.map(({ method, path }) => `${method ?? ''} ${path ?? ''}`).toSorted();
  expect(called(records)).toEqual(called(arrived));
  for (const record of records) {
    expect(record).toMatchObject({ verdict: 'allowed', inspected: true, protocol });
    expect(JSON.stringify(record.program?.command ?? 'nobody')).toMatch(use.program);
  }
  expect(records.some(({ credential }) => credential === use.credential)).toBe(true);
  expect(records.some(({ scrubbed = 0 }) => scrubbed > 0)).toBe(true);
};
