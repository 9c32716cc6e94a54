import type { Duplex } from 'node:stream';
import type { Program } from '../../contract/index.ts';
import { ok, type Result } from '../../kit/index.ts';
import type { CredentialGrant } from '../../policy/index.ts';
import type { Exchange } from './exchange.ts';
import type { Destination, HeaderPairs } from './inject.ts';
import type { Refusal } from './refuse.ts';
import type { RequestHead } from './request-head.ts';

/** A request that asks for another protocol: `Upgrade` (RFC 9110 7.8) or extended CONNECT (RFC 8441). */
export type UpgradeRequest = {
  readonly to: Destination;
  /** The protocol asked for, lower case, such as `websocket`. */
  readonly protocol: string;
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly version: 'h1' | 'h2';
};

/** One end of an upgraded connection: a raw socket, or the stream of an extended CONNECT. */
export type UpgradedEnd = {
  readonly stream: Duplex;
  /** Bytes that came together with the head and belong to the new protocol. */
  readonly early: Buffer;
};

/** Both ends of an upgraded connection, the heads already exchanged. */
export type UpgradedEnds = {
  readonly request: UpgradeRequest;
  /** Credentials that were put into the handshake. */
  readonly used: readonly CredentialGrant[];
  readonly program: Promise<Program | undefined>;
  /** The server's answer as the server sent it. */
  readonly answer: { readonly status: number; readonly headers: HeaderPairs };
  readonly inner: UpgradedEnd;
  readonly outer: UpgradedEnd;
  /** The exchange's facts may be set and refused; the core finishes it when `join` resolves. */
  readonly exchange: Exchange;
};

/** One protocol that connections may change to. */
export type Upgrade = {
  /** The protocol's name in `Upgrade` and `:protocol`, lower case. */
  readonly protocol: string;
  /** Called before injection: what of the head goes on, or why the request is refused. `Connection` and `Upgrade` are the core's. */
  readonly prepare: (request: UpgradeRequest) => Result<HeaderPairs, Refusal>;
  /** Called with the answer's head (101, or 200 on HTTP/2): what of it the program gets, or why it is refused; scrubbed by the core afterwards. */
  readonly confirm: (
    request: UpgradeRequest,
    answer: { readonly status: number; readonly headers: HeaderPairs },
  ) => Result<HeaderPairs, Refusal>;
  /** Carries both ends until they are over, owns both streams, never rejects for what a peer does. */
  readonly join: (ends: UpgradedEnds) => Promise<void>;
};

/** An upgrade that a request asks for, its head prepared by the protocol. */
export type AskedUpgrade = {
  readonly by: Upgrade;
  readonly request: UpgradeRequest;
  readonly headers: HeaderPairs;
};

/** Finds the protocol that a request asks to change to; undefined where it asks for none. */
export const readUpgrade = (
  upgrades: readonly Upgrade[],
  head: RequestHead,
  to: Destination,
  version: 'h1' | 'h2',
): Result<AskedUpgrade | undefined, Refusal> => {
  const by = upgrades.find(({ protocol }) => protocol === head.upgrade);
  if (by === undefined) return ok(undefined);
  const { method, target, headers } = head;
  const request: UpgradeRequest = {
    to,
    protocol: by.protocol,
    method,
    target,
    headers,
    version,
  };
  const prepared = by.prepare(request);
  return prepared.ok ? ok({ by, request, headers: prepared.value }) : prepared;
};
