import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import { judgeDestination } from '../../policy/enforce.ts';
import type { CanonicalHost, NetworkPolicy } from '../../policy/index.ts';
import { createAcceptTls, readServerName } from './accept-tls.ts';
import type { Asker } from './asker.ts';
import type { ClientHello } from './client-hello.ts';
import type {
  CapturedConnection,
  ConnectionRoute,
  Patience,
  RouteWays,
} from './connection-route.ts';
import type { CredentialBook } from './credential-book.ts';
import { isZoneAddress, type DnsZone } from './dns-zone.ts';
import type { Endpoint } from './endpoint.ts';
import type { Exchanges } from './exchange.ts';
import { caught, createJudge, createRecordUse, type Approach } from './judge-request.ts';
import type { Http2Pool } from './http2-pool.ts';
import type { ProtocolChoice } from './protocol-choice.ts';
import type { LeafCache } from './leaf-cache.ts';
import type { Mediator } from './mediate.ts';
import { remember } from './mediators/remember.ts';
import { proxyApproach } from './proxy-target.ts';
import type { Refusal } from './refuse.ts';
import { createServeHttp1 } from './serve-http1.ts';
import { createServeHttp2 } from './serve-http2.ts';
import { SILENCE_MS, sniff } from './sniff.ts';
import type { Upgrade } from './upgrade.ts';
import type { UpstreamPool } from './upstream-pool.ts';

export type InterceptDeps = {
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly zone: DnsZone;
  readonly leaves: LeafCache;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly pool: UpstreamPool;
  readonly http2Pool: Http2Pool;
  readonly protocol: ProtocolChoice;
  readonly mediators: readonly Mediator[];
  readonly asker: Asker;
  readonly upgrades: readonly Upgrade[];
  readonly routes: readonly ConnectionRoute[];
  readonly patience: Patience;
};

export type Intercept = {
  /** Takes a captured connection and owns it to its end. */
  readonly accept: (
    stream: Socket,
    destination: Endpoint,
    program: Promise<Program | undefined>,
  ) => Promise<void>;
  readonly close: () => void;
};

const hostOf = (zone: DnsZone, destination: Endpoint): CanonicalHost | undefined =>
  isZoneAddress(destination.address) ? zone.nameOf(destination.address) : destination.address;

const isSpoken = (name: string): boolean => name === 'h2' || name === 'http/1.1';

/** Where captured connections come in: looked at, given to who knows their protocol, or refused. */
export const createIntercept = (deps: InterceptDeps): Intercept => {
  const { clock, policy, zone, exchanges, book } = deps;
  const recordUse = createRecordUse(exchanges);
  const { mediators, asker } = deps;
  const judge = createJudge({ book, exchanges, recordUse, mediators, asker });
  const serving = {
    clock,
    exchanges,
    judge,
    forward: { clock, book, exchanges, recordUse },
    upgrades: deps.upgrades,
  };
  const http1 = createServeHttp1({ ...serving, pool: deps.pool });
  const http2 = createServeHttp2({ ...serving, pool: deps.http2Pool });
  const acceptTls = createAcceptTls({ clock, leaves: deps.leaves });
  const streams = new Set<Duplex>();

  const recordConnection = (
    { host, port, program }: { host: string; port: number; program: Promise<Program | undefined> },
    kind: 'tcp' | 'tls',
    refusal: Refusal,
  ): void => {
    const exchange = exchanges.begin(
      {
        verdict: 'denied',
        scheme: kind,
        host,
        port,
        protocol: kind,
        inspected: false,
        bytesOut: 0,
        bytesIn: 0,
      },
      program,
    );
    exchange.refuse(refusal);
    exchange.finish();
  };

  const serveTls = async (connection: CapturedConnection, hello: ClientHello): Promise<void> => {
    const { socket, host, port, program, verdict } = connection;
    const to = { host, port, tls: true };
    const refuse = (refusal: Refusal): void => {
      recordConnection(connection, 'tls', refusal);
      socket.destroy();
    };
    const named = readServerName(hello, to);
    if (!named.ok) {
      refuse(named.error);
      return;
    }
    const { shown, refusal: disagreement } = named.value;
    const offered = hello.alpn.length === 0 ? ['http/1.1'] : hello.alpn.filter(isSpoken);
    if (offered.length === 0) {
      const why = 'The program offers neither HTTP/2 nor HTTP/1.1 in its TLS handshake.';
      refuse(failure('egress.unknown-protocol', why));
      return;
    }
    // A refused destination is never dialled; what the program offers is taken, so that it can read why.
    const asks = verdict.verdict === 'ask' && !asker.given(to);
    const may = disagreement === undefined && verdict.verdict !== 'denied' && !asks;
    const choice = may && offered.includes('h2') ? await deps.protocol.of(to) : undefined;
    // Before a person has answered nothing is dialled either: what nearly every server speaks is offered.
    const guess = asks && offered.includes('http/1.1') ? ['http/1.1'] : offered;
    const speaks = choice?.ok === true ? [choice.value] : guess;
    const alpn = offered.filter((name) => speaks.includes(name));
    if (alpn.length === 0) {
      const why = `${host} does not speak HTTP/2, and the program offers nothing else.`;
      refuse(failure('egress.unknown-protocol', why));
      return;
    }
    const refusal = disagreement ?? (choice?.ok === false ? choice.error : undefined);
    const tls = await acceptTls(socket, { shown, alpn });
    if (!tls.ok) {
      refuse(tls.error);
      return;
    }
    const approach: Approach = { to, program, refusal, verdict };
    if (tls.value.alpnProtocol === 'h2') {
      http2.take(tls.value, socket, { approach, extended: deps.http2Pool.extended(to) });
    } else {
      http1.take(tls.value, socket, { approach });
    }
  };

  const serve = async (
    socket: Duplex,
    destination: { readonly host: CanonicalHost | undefined; readonly shown: string; port: number },
    program: Promise<Program | undefined>,
  ): Promise<void> => {
    const { host, shown, port } = destination;
    const silence = host === undefined ? undefined : deps.patience(host, port);
    const first = await sniff(socket, clock, silence ?? SILENCE_MS);
    const refuse = (refusal: Refusal): void => {
      const kind = first.type === 'tls' ? 'tls' : 'tcp';
      recordConnection({ host: shown, port, program }, kind, refusal);
      socket.destroy();
    };
    if (first.type === 'gone') {
      const why = 'The program inside broke off before it had said what it wanted.';
      refuse(failure('egress.aborted', why));
      return;
    }
    if (host !== undefined) {
      const verdict = judgeDestination(policy, host, port);
      const connection: CapturedConnection = { socket, host, port, first, program, verdict };
      if (deps.routes.some((route) => route(connection, ways))) return;
      if (first.type === 'tls') {
        await serveTls(connection, first.hello);
        return;
      }
      if (first.type === 'http2') {
        const approach = { to: { host, port, tls: false }, program, refusal: undefined, verdict };
        http2.take(socket, socket, { approach, extended: false });
        return;
      }
      if (first.type === 'http') {
        const approach = { to: { host, port, tls: false }, program, refusal: undefined, verdict };
        http1.take(socket, socket, { approach });
        return;
      }
    }
    // Nothing in such a protocol could say more: what to do stands with the reason, on the record.
    const unread = `If it may pass unread, allow exactly this: --allow ${shown}:${String(port)}.`;
    if (first.type === 'silent') {
      const why = `The program waits for the server to speak first. ${unread}`;
      refuse(failure('egress.raw-tcp', why));
    } else if (first.type === 'unknown') {
      const why = `The connection was refused: ${first.why}. ${unread}`;
      refuse(failure('egress.unknown-protocol', why));
    } else {
      const why = 'The address belongs to no name that was asked for.';
      refuse(failure('egress.bad-host', why, 'Resolve the name again.'));
    }
  };

  const ways: RouteWays = {
    reenter: (socket, { host, port }, program) => {
      serve(socket, { host, shown: host, port }, program).catch(() => socket.destroy());
    },
    serveProxy: ({ socket, host, port, program, verdict }, tunnel) => {
      const approach = { to: { host, port, tls: false }, program, refusal: undefined, verdict };
      const against = (name: CanonicalHost): Refusal | undefined => {
        const found = book.nameTrip(name);
        return found === undefined
          ? undefined
          : caught(exchanges, approach, found, 'the name', 'grant.wrong-place');
      };
      http1.take(socket, socket, {
        approach,
        // Once for each request: what trips is put on the record.
        approachOf: remember((request: IncomingMessage) =>
          proxyApproach(policy, approach, request.url ?? '', against),
        ),
        tunnel,
      });
    },
  };

  return {
    accept: async (stream, destination, program) => {
      streams.add(stream);
      const unpin = zone.pin(destination.address);
      stream.on('error', () => undefined);
      stream.once('close', () => {
        streams.delete(stream);
        unpin();
      });
      const { address, port } = destination;
      const host = hostOf(zone, destination);
      await serve(stream, { host, shown: host ?? address, port }, program);
    },
    close: () => {
      for (const stream of streams) stream.destroy();
      http1.close();
      http2.close();
    },
  };
};
