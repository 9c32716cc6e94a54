import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { fail, failure, ok, type Clock, type Result } from '../../../kit/index.ts';
import { parseHost } from '../../../policy/enforce.ts';
import type { CanonicalHost } from '../../../policy/index.ts';
import type { CapturedConnection, ConnectionRoute, RouteWays } from '../connection-route.ts';
import type { CredentialBook } from '../credential-book.ts';
import { isZoneAddress, type DnsZone } from '../dns-zone.ts';
import type { Exchanges } from '../exchange.ts';
import { caught } from '../judge-request.ts';
import { refusalMessage, refusalStatus, type Refusal } from '../refuse.ts';
import { pairsOf } from '../request-head.ts';
import { parseConnectTarget, type ProxyTarget } from './connect-target.ts';
import { endSoon } from './end-soon.ts';
import { isProxyAddress, PROXY_NAME, PROXY_PORTS } from './proxy-place.ts';
import { readFirst, type NotRead, type Parsed } from './read-first.ts';
import {
  MAX_SOCKS_BYTES,
  readSocks4Request,
  readSocksGreeting,
  readSocksLogin,
  readSocksRequest,
  SOCKS4,
  SOCKS_METHOD,
  SOCKS_REPLY,
  socks4Reply,
  socksLoginAnswer,
  socksMethod,
  socksReply,
} from './socks.ts';

/** How long each message to the proxy may take, in milliseconds. */
export const PROXY_MESSAGE_MS = 10_000;

export type ProxyDeps = {
  readonly clock: Clock;
  readonly zone: DnsZone;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
};

const ESTABLISHED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n');

/** What a SOCKS conversation came to. */
type Asked = { readonly target: ProxyTarget; readonly granted: Buffer };
type Denied = {
  readonly refusal: Refusal;
  /** What the program is told; undefined where nothing in its protocol says it. */
  readonly lastWord: Buffer | undefined;
};

const unread = (failed: NotRead): Refusal | undefined => {
  if (failed === 'gone') return undefined;
  return failed === 'late'
    ? failure('egress.timeout', 'The program did not say in time where the proxy should lead.')
    : failure('egress.too-large', 'The program said too much to the proxy.');
};

/** A parser's word as `readFirst` takes it: nothing while it wants more. */
const settled = <T extends { readonly type: string }>(
  reading: T,
): Parsed<Exclude<T, { readonly type: 'more' }>> => {
  if (reading.type === 'more') return undefined;
  const used = 'used' in reading ? Number(reading.used) : 0;
  return { value: reading as Exclude<T, { readonly type: 'more' }>, used };
};

/**
 * Serves programs that insist on a proxy, at a place that the sandbox can reach by name: CONNECT and
 * plain HTTP requests, SOCKS5, SOCKS4 and 4a, told apart by the first byte. Where a tunnel leads, it
 * is taken as if the program had connected there itself, with the same verdicts and the same record.
 */
export const createProxy = ({ clock, zone, book, exchanges }: ProxyDeps): ConnectionRoute => {
  const record = (
    { host, port, program }: CapturedConnection,
    refusal: Refusal,
    facts: {
      readonly method?: string;
      readonly status?: number;
      readonly target?: ProxyTarget;
    } = {},
  ): void => {
    const { method, status, target } = facts;
    const exchange = exchanges.begin(
      {
        verdict: 'denied',
        scheme: 'tcp',
        host: target?.host ?? host,
        port: target?.port ?? port,
        protocol: 'tcp',
        inspected: true,
        bytesOut: 0,
        bytesIn: 0,
        ...(method === undefined ? {} : { method }),
        ...(status === undefined ? {} : { status }),
      },
      program,
    );
    exchange.refuse(refusal);
    exchange.finish();
  };

  /** A placeholder in what only the proxy reads is out of place whatever the target. */
  const trip = (
    { host, port, program }: CapturedConnection,
    texts: readonly string[],
    where: string,
  ): Refusal | undefined => {
    const found = texts.map((text) => book.textTrip(text)).find((finding) => finding !== undefined);
    return found === undefined
      ? undefined
      : caught(
          exchanges,
          { to: { host, port, tls: false }, program },
          found,
          where,
          'grant.wrong-place',
        );
  };

  /** A name goes to resolvers outside by the proxy as well: what the zone would not answer leads nowhere here. */
  const tripName = (
    { host, port, program }: CapturedConnection,
    target: ProxyTarget,
  ): Refusal | undefined => {
    const found = book.nameTrip(target.host);
    const to = { host, port, tls: false };
    return found === undefined
      ? undefined
      : caught(exchanges, { to, program }, found, 'the name', 'grant.wrong-place');
  };

  /** Names stay names, resolved by nobody but the broker; addresses of the zone become the names they stand for. */
  const resolveTarget = ({ host, port }: ProxyTarget): Result<ProxyTarget, Refusal> => {
    if (host === PROXY_NAME || isProxyAddress(host)) {
      return fail('egress.loop', 'The proxy was asked to lead to itself.');
    }
    if (!isZoneAddress(host)) return ok({ host, port });
    const name = zone.nameOf(host);
    return name === undefined
      ? fail('egress.bad-host', 'The address belongs to no name that was asked for.')
      : ok({ host: name, port });
  };

  const sameHost = (text: string | undefined, host: CanonicalHost): boolean => {
    if (text === undefined) return true;
    const named = parseConnectTarget(text);
    const alone = parseHost(text);
    return (named.ok && named.value.host === host) || (alone.ok && alone.value === host);
  };

  const readConnect = (
    connection: CapturedConnection,
    request: IncomingMessage,
  ): Result<ProxyTarget, Refusal> => {
    const pairs = pairsOf(request.rawHeaders);
    const texts = [request.url ?? '', ...pairs.map(([name, value]) => `${name}: ${value}`)];
    // Basic credentials for the proxy hide what they hold in base64.
    const values = pairs.map(([, value]) => value);
    const refusal = trip(connection, [...texts, ...values], 'the head');
    if (refusal !== undefined) return { ok: false, error: refusal };
    const target = parseConnectTarget(request.url ?? '');
    if (!target.ok) return target;
    const tripped = tripName(connection, target.value);
    if (tripped !== undefined) return { ok: false, error: tripped };
    const valueOf = (wanted: string): string | undefined =>
      pairs.find(([name]) => name.toLowerCase() === wanted)?.[1];
    if (valueOf('content-length') !== undefined || valueOf('transfer-encoding') !== undefined) {
      return fail('egress.bad-request', 'A CONNECT request has no body.');
    }
    if (!sameHost(valueOf('host'), target.value.host)) {
      return fail('egress.authority-mismatch', 'The Host header names another host than CONNECT.');
    }
    return resolveTarget(target.value);
  };

  const tunnel =
    (connection: CapturedConnection, ways: RouteWays) =>
    (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      // The HTTP server's own way to end a connection is of no use to what comes now.
      Reflect.deleteProperty(socket, 'destroySoon');
      const target = readConnect(connection, request);
      if (!target.ok) {
        const asked = parseConnectTarget(request.url ?? '');
        const status = refusalStatus(target.error);
        record(connection, target.error, {
          method: 'CONNECT',
          status,
          // A name that holds what may not leave is nothing to write down.
          ...(asked.ok && book.nameTrip(asked.value.host) === undefined
            ? { target: asked.value }
            : {}),
        });
        endSoon(socket, clock, refusalMessage(target.error));
        return;
      }
      socket.write(ESTABLISHED);
      if (head.length > 0) socket.unshift(head);
      ways.reenter(socket, target.value, connection.program);
    };

  const message = <T extends { readonly type: string }>(
    stream: Duplex,
    read: (bytes: Buffer) => T,
  ): ReturnType<typeof readFirst<Exclude<T, { readonly type: 'more' }>>> =>
    readFirst(stream, clock, { maxBytes: MAX_SOCKS_BYTES, withinMs: PROXY_MESSAGE_MS }, (bytes) =>
      settled(read(bytes)),
    );

  const denied = (refusal: Refusal | undefined, lastWord?: Buffer): Denied | undefined =>
    refusal === undefined ? undefined : { refusal, lastWord };

  const unfit = (why: string): Refusal =>
    failure('egress.bad-request', `The SOCKS request was refused: ${why}.`);

  const socks4 = async (connection: CapturedConnection): Promise<Asked | Denied | undefined> => {
    const request = await message(connection.socket, readSocks4Request);
    if ('failed' in request) return denied(unread(request.failed), socks4Reply(false));
    if (request.value.type === 'bad') return denied(unfit(request.value.why), socks4Reply(false));
    const { target, user } = request.value;
    const refusal = trip(connection, [user], 'the SOCKS user id');
    if (refusal !== undefined) return denied(refusal, socks4Reply(false));
    return { target, granted: socks4Reply(true) };
  };

  const socks5 = async (connection: CapturedConnection): Promise<Asked | Denied | undefined> => {
    const { socket } = connection;
    const greeting = await message(socket, readSocksGreeting);
    if ('failed' in greeting) return denied(unread(greeting.failed));
    if (greeting.value.type === 'bad') return denied(unfit(greeting.value.why));
    const { methods } = greeting.value;
    // Whoever is in the sandbox may use the proxy: a name and a password are taken, and mean nothing.
    const method = [SOCKS_METHOD.none, SOCKS_METHOD.password].find((one) => methods.includes(one));
    if (method === undefined) {
      const why = 'the program offers no way to sign in that is served';
      return denied(unfit(why), socksMethod(SOCKS_METHOD.refused));
    }
    socket.write(socksMethod(method));
    if (method === SOCKS_METHOD.password) {
      const login = await message(socket, readSocksLogin);
      if ('failed' in login) return denied(unread(login.failed));
      if (login.value.type === 'bad')
        return denied(unfit(login.value.why), socksLoginAnswer(false));
      const { user, password } = login.value;
      const refusal = trip(connection, [user, password], 'the SOCKS login');
      if (refusal !== undefined) return denied(refusal, socksLoginAnswer(false));
      socket.write(socksLoginAnswer(true));
    }
    const request = await message(socket, readSocksRequest);
    if ('failed' in request) return denied(unread(request.failed), socksReply(SOCKS_REPLY.failed));
    if (request.value.type === 'bad') {
      return denied(unfit(request.value.why), socksReply(request.value.reply));
    }
    return { target: request.value.target, granted: socksReply(SOCKS_REPLY.succeeded) };
  };

  const runSocks = async (connection: CapturedConnection, ways: RouteWays): Promise<void> => {
    const { socket, program } = connection;
    const version = await readFirst(
      socket,
      clock,
      { maxBytes: 1, withinMs: PROXY_MESSAGE_MS },
      (bytes) => ({ value: bytes[0], used: 0 }),
    );
    if ('failed' in version) {
      socket.destroy();
      return;
    }
    const speaks4 = version.value === SOCKS4;
    const asked = await (speaks4 ? socks4(connection) : socks5(connection));
    if (asked === undefined) {
      socket.destroy();
      return;
    }
    const refuse = ({ refusal, lastWord }: Denied, target?: ProxyTarget): void => {
      record(connection, refusal, target === undefined ? {} : { target });
      endSoon(socket, clock, lastWord ?? Buffer.alloc(0));
    };
    if ('refusal' in asked) {
      refuse(asked);
      return;
    }
    const lastWord = speaks4 ? socks4Reply(false) : socksReply(SOCKS_REPLY.notAllowed);
    const tripped = tripName(connection, asked.target);
    if (tripped !== undefined) {
      refuse({ refusal: tripped, lastWord });
      return;
    }
    const target = resolveTarget(asked.target);
    if (!target.ok) {
      refuse({ refusal: target.error, lastWord }, asked.target);
      return;
    }
    socket.write(asked.granted);
    ways.reenter(socket, target.value, program);
  };

  return (connection, ways) => {
    const { host, port, first, socket } = connection;
    if (!isProxyAddress(host) || !PROXY_PORTS.includes(port)) return false;
    if (first.type === 'http') {
      ways.serveProxy(connection, tunnel(connection, ways));
      return true;
    }
    if (first.type === 'unknown') {
      runSocks(connection, ways).catch(() => socket.destroy());
      return true;
    }
    const why =
      first.type === 'tls'
        ? 'The proxy is spoken to without TLS: http://, socks5h://.'
        : 'The program said nothing to the proxy.';
    record(connection, failure('egress.unknown-protocol', why));
    socket.destroy();
    return true;
  };
};
