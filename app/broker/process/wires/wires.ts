import type { SecureContext } from 'node:tls';
import type { Clock } from '../../../kit/index.ts';
import { findResolve } from '../../../policy/enforce.ts';
import type { NetworkPolicy } from '../../../policy/index.ts';
import { createAcceptTls } from '../accept-tls.ts';
import type { ConnectionRoute, Patience } from '../connection-route.ts';
import type { CredentialBook } from '../credential-book.ts';
import type { Dial } from '../dial.ts';
import type { DnsZone } from '../dns-zone.ts';
import type { Exchanges } from '../exchange.ts';
import type { LeafCache } from '../leaf-cache.ts';
import type { NativeSockets } from '../native-sockets.ts';
import { createCarry } from './carry.ts';
import { createPassThrough } from './pass-through.ts';
import { createPostgresClient } from './postgres-client.ts';
import { createPostgresUpstream } from './postgres-upstream.ts';
import { createPostgres } from './postgres.ts';
import { createProxy } from './proxy.ts';
import { createRawTcp } from './raw-tcp.ts';

export type WiresDeps = {
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly zone: DnsZone;
  readonly leaves: LeafCache;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly dial: Dial;
  readonly upstreamTrust: SecureContext;
  readonly native: NativeSockets;
};

/** Everything that a captured connection may be beside HTTP over it, in the order in which it is asked. */
export const createWires = (
  deps: WiresDeps,
): { readonly routes: readonly ConnectionRoute[]; readonly patience: Patience } => {
  const { clock, policy, zone, leaves, book, exchanges, dial, upstreamTrust, native } = deps;
  const carry = createCarry({ clock, book, exchanges, native });
  const postgres = createPostgres({
    clock,
    book,
    exchanges,
    carry,
    client: createPostgresClient({ clock, acceptTls: createAcceptTls({ clock, leaves }) }),
    upstream: createPostgresUpstream({
      clock,
      dial,
      upstreamTrust,
      named: (host, port) => findResolve(policy, host, port) !== undefined,
    }),
  });
  const raw = createRawTcp({ clock, policy, dial, exchanges, carry, spoken: postgres.covers });
  return {
    routes: [
      createProxy({ clock, zone, book, exchanges }),
      postgres.route,
      createPassThrough({ clock, policy, dial, exchanges, carry }),
      raw.route,
    ],
    patience: raw.patience,
  };
};
