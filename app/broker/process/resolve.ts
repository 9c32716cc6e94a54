import { lookup, Resolver } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { fail, ok, sleep, type Clock, type Failure, type Result } from '../../kit/index.ts';
import type { Code } from '../../contract/index.ts';
import { findResolve, isAddress, judgeAddress } from '../../policy/enforce.ts';
import type { CanonicalHost, NetworkPolicy } from '../../policy/index.ts';

/** Most addresses of one name that are looked at. */
export const MAX_RESOLVED_ADDRESSES = 32;
/** How long a name may take to resolve, in milliseconds. */
export const RESOLVE_TIMEOUT_MS = 10_000;

/** Where a connection may go: addresses that were judged, in order of preference, and the port. */
export type JudgedRoute = { readonly addresses: readonly string[]; readonly port: number };

export type ResolveFailure = Failure<Code>;
/** Resolves a destination once and judges every address it leads to. What comes back may be dialled, nothing else. */
export type Resolve = (
  host: CanonicalHost,
  port: number,
) => Promise<Result<JudgedRoute, ResolveFailure>>;

const NOT_FOUND = new Set(['ENOTFOUND', 'ENODATA', 'NOTFOUND', 'NODATA']);

const codeOf = (failure: unknown): string =>
  failure instanceof Error && 'code' in failure ? String(failure.code) : '';

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));

type Lookup = (host: string) => Promise<readonly string[]>;

const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);

const lookupAt = (server: { readonly address: string; readonly port: number }): Lookup => {
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  const { address, port } = server;
  resolver.setServers([
    address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`,
  ]);
  return async (host) => {
    const [four, six] = await Promise.allSettled([
      resolver.resolve4(host),
      resolver.resolve6(host),
    ]);
    const found = [four, six].flatMap((part) => (part.status === 'fulfilled' ? part.value : []));
    if (found.length > 0) return found;
    // A name is unknown only where both questions were answered; a silent server is another matter.
    const failed = [four, six].flatMap((part) =>
      part.status === 'rejected' ? [part.reason as unknown] : [],
    );
    throw (
      failed.find((reason) => !NOT_FOUND.has(codeOf(reason))) ?? failed[0] ?? new Error('no answer')
    );
  };
};

export const createResolve = (policy: NetworkPolicy, clock: Clock): Resolve => {
  const lookUp = policy.dns === undefined ? systemLookup : lookupAt(policy.dns);
  const withTimeout = async (host: string): Promise<readonly string[]> => {
    const done = new AbortController();
    try {
      return await Promise.race([
        lookUp(host),
        sleep(clock, RESOLVE_TIMEOUT_MS, done.signal).then(() => {
          throw Object.assign(new Error('the resolver did not answer'), { code: 'ETIMEOUT' });
        }),
      ]);
    } finally {
      done.abort();
    }
  };

  return async (host, port) => {
    const named = findResolve(policy, host, port);
    if (named !== undefined) return ok({ addresses: [named.address], port: named.addressPort });
    let found: readonly string[];
    try {
      found = isAddress(host) ? [host] : await withTimeout(host);
    } catch (failure) {
      const code = codeOf(failure);
      if (NOT_FOUND.has(code))
        return fail('egress.name-not-found', `The name ${host} does not exist.`);
      return fail(
        'egress.upstream-unreachable',
        `The name ${host} could not be resolved (${code}).`,
      );
    }
    const own = ownAddresses();
    const addresses: string[] = [];
    let refusal: Failure | undefined;
    for (const address of new Set(found.slice(0, MAX_RESOLVED_ADDRESSES))) {
      const judged = judgeAddress(address, own);
      if (judged.ok) addresses.push(address);
      else refusal ??= judged.error;
    }
    if (addresses.length > 0) return ok({ addresses, port });
    if (refusal === undefined)
      return fail('egress.name-not-found', `The name ${host} leads to no address.`);
    return fail(
      'egress.private-address',
      isAddress(host) ? refusal.message : `${host} leads to a refused address: ${refusal.message}`,
      refusal.hint,
    );
  };
};
