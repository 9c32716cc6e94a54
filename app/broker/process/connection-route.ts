import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Program } from '../../contract/index.ts';
import type { CanonicalHost, DestinationVerdict } from '../../policy/index.ts';
import type { Sniffed } from './sniff.ts';

/** A captured connection whose first bytes were looked at and put back, before anything is done with it. */
export type CapturedConnection = {
  readonly socket: Duplex;
  readonly host: CanonicalHost;
  readonly port: number;
  /** What the first bytes are; `gone` never gets this far. */
  readonly first: Sniffed;
  readonly program: Promise<Program | undefined>;
  /** What the policy says of host and port. */
  readonly verdict: DestinationVerdict;
};

/** Takes over what follows a `CONNECT` that came to a proxy; `head` holds bytes that came with it. */
export type Tunnel = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** What a route may do with a connection beside carrying it by itself. */
export type RouteWays = {
  /** Judges and serves the stream as if it had been captured on its way to that host and port. */
  readonly reenter: (
    socket: Duplex,
    to: { readonly host: CanonicalHost; readonly port: number },
    program: Promise<Program | undefined>,
  ) => void;
  /** Serves HTTP/1.1 to a program that takes us for its proxy: targets in absolute form, each judged for itself. */
  readonly serveProxy: (connection: CapturedConnection, tunnel: Tunnel) => void;
};

/**
 * Takes a connection and owns it to its end, its record included, or answers false and leaves it
 * untouched to the next. Asked in order, before TLS is ended and HTTP is read; what none takes and
 * is neither TLS nor HTTP is refused and recorded.
 */
export type ConnectionRoute = (connection: CapturedConnection, ways: RouteWays) => boolean;

/**
 * How long a connection to a destination may stay silent before it counts as a protocol in which
 * the server speaks first, in milliseconds; undefined for the usual time.
 */
export type Patience = (host: CanonicalHost, port: number) => number | undefined;
