import type { Duplex } from 'node:stream';
import { failure, type Clock } from '../../../kit/index.ts';
import type { CanonicalHost } from '../../../policy/index.ts';
import type { ClientHello } from '../client-hello.ts';
import type { CapturedConnection, ConnectionRoute } from '../connection-route.ts';
import type { CredentialBook } from '../credential-book.ts';
import type { Exchange, Exchanges } from '../exchange.ts';
import type { HeldCredential } from '../inject.ts';
import { caught, createRecordUse, tripped } from '../judge-request.ts';
import type { Refusal } from '../refuse.ts';
import { grantCovers } from '../trip.ts';
import type { Carry } from './carry.ts';
import { ACCESS_DENIED, endSoon } from './end-soon.ts';
import { POSTGRES_ALPN, type PostgresClient } from './postgres-client.ts';
import { errorResponse } from './postgres-message.ts';
import { cancelRequest, type Startup } from './postgres-startup.ts';
import type { PostgresUpstream } from './postgres-upstream.ts';

/** Most placeholders that a password is tried against. */
export const MAX_LOGIN_CANDIDATES = 16;
/** How long a server may take over a cancel request, in milliseconds. */
export const CANCEL_MS = 10_000;

export type PostgresDeps = {
  readonly clock: Clock;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly carry: Carry;
  readonly client: PostgresClient;
  readonly upstream: PostgresUpstream;
};

export type Postgres = {
  readonly route: ConnectionRoute;
  /** Whether a PostgreSQL credential is granted for this destination. */
  readonly covers: (host: CanonicalHost, port: number) => boolean;
};

type StartupMessage = Extract<Startup, { readonly type: 'startup' }>;
type CancelMessage = Extract<Startup, { readonly type: 'cancel' }>;

/** What a client shows and acts on (PostgreSQL, Appendix A): who you are, or that there is no way. */
const stateOf = ({ code }: Refusal): string => {
  if (code === 'egress.bad-request') return '08P01';
  if (code === 'grant.wrong-password') return '28P01';
  return code.startsWith('grant.') ? '28000' : '08006';
};

const refusalBytes = (refusal: Refusal): Buffer =>
  errorResponse({
    state: stateOf(refusal),
    message: `glovebox: ${refusal.message} (${refusal.code})`,
    hint: refusal.hint,
  });

/**
 * Logs in to PostgreSQL in the program's place: the program proves that it holds the placeholder, the
 * broker proves to the server that it holds the password. The password is never in a message to the
 * program, and what both say after the login is watched like any stream that can't be altered.
 */
export const createPostgres = (deps: PostgresDeps): Postgres => {
  const { clock, book, exchanges, carry, client, upstream } = deps;
  const recordUse = createRecordUse(exchanges);
  /** Keys by which queries of this session may be cancelled: a program can't make one up. */
  const cancelKeys = new Set<string>();
  const cancelKey = (host: string, port: number, processId: number, key: number): string =>
    `${host} ${String(port)} ${String(processId)} ${String(key)}`;

  const held = (host: CanonicalHost, port: number): readonly HeldCredential[] =>
    book
      .held()
      .filter(
        ({ grant }) =>
          grant.sites.some(({ type }) => type === 'postgres') && grantCovers(grant, host, port),
      );

  const begin = ({ host, port, program, verdict }: CapturedConnection): Exchange =>
    exchanges.begin(
      {
        verdict: 'denied',
        scheme: 'tcp',
        host,
        port,
        protocol: 'tcp',
        inspected: false,
        rule: verdict.rule,
        bytesOut: 0,
        bytesIn: 0,
      },
      program,
    );

  const refuse = (
    stream: Duplex,
    exchange: Exchange,
    refusal: Refusal,
    verdict: 'allowed' | 'denied' = 'denied',
    lastWord: Buffer = refusalBytes(refusal),
  ): void => {
    exchange.refuse(refusal, verdict);
    exchange.finish();
    endSoon(stream, clock, lastWord);
  };

  const cancel = async (
    connection: CapturedConnection,
    stream: Duplex,
    { processId, key }: CancelMessage,
  ): Promise<void> => {
    const { host, port } = connection;
    const exchange = begin(connection);
    if (!cancelKeys.has(cancelKey(host, port, processId, key))) {
      const why = 'A cancel request names no connection of this session.';
      refuse(stream, exchange, failure('egress.bad-request', why), 'denied', Buffer.alloc(0));
      return;
    }
    exchange.set({ verdict: 'allowed', detail: 'A query was cancelled.' });
    const connected = await upstream.connect(host, port);
    if (!connected.ok) {
      refuse(stream, exchange, connected.error, 'allowed', Buffer.alloc(0));
      return;
    }
    const { socket, address } = connected.value;
    const bytes = cancelRequest(processId, key);
    exchange.set({ address, bytesOut: bytes.length });
    await new Promise<void>((resolve) => {
      const stop = clock.after(CANCEL_MS, () => socket.destroy());
      socket.once('close', () => {
        stop();
        resolve();
      });
      // The server answers with its end alone.
      socket.end(bytes);
      socket.resume();
    });
    exchange.finish();
    endSoon(stream, clock, Buffer.alloc(0));
  };

  /** Of all placeholders, those granted here first: which one the program proved says what it tried. */
  const candidatesFor = (host: CanonicalHost, port: number): readonly HeldCredential[] => {
    const here = held(host, port);
    const others = book.held().filter((credential) => !here.includes(credential));
    return [...here, ...others].slice(0, Math.max(here.length, MAX_LOGIN_CANDIDATES));
  };

  const login = async (
    connection: CapturedConnection,
    stream: Duplex,
    { minor, parameters }: StartupMessage,
  ): Promise<void> => {
    const { host, port, program, verdict } = connection;
    const to = { host, port, tls: true };
    const exchange = begin(connection);
    const found = parameters
      .map(([name, value]) => book.textTrip(`${name}=${value}`, { to }))
      .find((finding) => finding !== undefined);
    if (found !== undefined) {
      refuse(stream, exchange, caught(exchanges, { to, program }, found, 'the start-up'));
      return;
    }
    if (verdict.verdict !== 'allowed') {
      const why = `${host}:${String(port)} may not be reached from this session (${verdict.rule}).`;
      const hint = `If it should be, allow it: --allow ${host}:${String(port)}.`;
      // A login is no question that could wait: only rules give leave here.
      const code = verdict.verdict === 'denied' ? verdict.code : 'egress.no-rule';
      refuse(stream, exchange, failure(code, why, hint));
      return;
    }
    const candidates = candidatesFor(host, port);
    // Protocol options begin so; none is known here, and none is passed on.
    const isOption = ([name]: readonly [string, string]): boolean => name.startsWith('_pq_.');
    const options = parameters.filter(isOption).map(([name]) => name);
    const placeholders = candidates.map(({ grant }) => grant.placeholder);
    const proved = await client.authenticate(stream, minor, options, placeholders);
    if (proved === undefined) {
      exchange.refuse(failure('egress.aborted', 'The program inside broke off.'));
      exchange.finish();
      stream.destroy();
      return;
    }
    if (!proved.ok) {
      refuse(stream, exchange, proved.error);
      return;
    }
    const credential = candidates[proved.value.index];
    if (credential === undefined || !held(host, port).includes(credential)) {
      const refusal =
        credential === undefined
          ? failure('grant.wrong-password', 'The password is not a placeholder of this session.')
          : tripped(exchanges, { to, program }, credential.grant, 'the password');
      refuse(stream, exchange, refusal);
      return;
    }
    exchange.set({ verdict: 'allowed', credential: credential.grant.credential });
    exchange.open();
    const connected = await upstream.connect(host, port);
    if (!connected.ok) {
      const { address, code } = connected.error;
      if (address !== undefined) exchange.set({ address });
      const denied = code === 'egress.private-address' || code === 'egress.upstream-cleartext';
      refuse(stream, exchange, connected.error, denied ? 'denied' : 'allowed');
      return;
    }
    const { socket: outside, address } = connected.value;
    exchange.set({ address });
    const kept = parameters.filter((parameter) => !isOption(parameter));
    const loggedIn = await upstream.login(host, outside, kept, credential.secret);
    const scrubber = book.scrubber();
    const leaks = (bytes: Buffer): boolean => scrubber.text(bytes.toString('latin1')).hits > 0;
    if (!loggedIn.ok) {
      outside.destroy();
      const { refusal, raw } = loggedIn.error;
      if (raw !== undefined && leaks(raw)) {
        const why = `${host} refused the login, in words that hold a secret.`;
        refuse(stream, exchange, failure(refusal.code, why), 'allowed');
        return;
      }
      refuse(stream, exchange, refusal, 'allowed', raw);
      return;
    }
    const { greeting, cancelKey: given } = loggedIn.value;
    if (leaks(greeting)) {
      outside.destroy();
      const why = `${host} sent a secret back where it cannot be replaced.`;
      refuse(stream, exchange, failure('scrub.cut', why), 'allowed');
      return;
    }
    recordUse(credential.grant, { to, program });
    stream.write(Buffer.concat([proved.value.last, greeting]));
    const key = given === undefined ? '' : cancelKey(host, port, given.processId, given.key);
    cancelKeys.add(key);
    try {
      await carry({ inside: stream, outside, to, program, exchange, readable: true });
    } finally {
      cancelKeys.delete(key);
    }
  };

  const run = async (
    connection: CapturedConnection,
    hello: ClientHello | undefined,
  ): Promise<void> => {
    const { socket, host } = connection;
    const opened = await client.open(socket, host, hello);
    if (opened === undefined) {
      socket.destroy();
      return;
    }
    if (!opened.ok) {
      const { refusal, stream } = opened.error;
      if (stream === undefined) refuse(socket, begin(connection), refusal, 'denied', ACCESS_DENIED);
      else refuse(stream, begin(connection), refusal);
      return;
    }
    const { stream, startup } = opened.value;
    stream.on('error', () => undefined);
    if (startup.type === 'cancel') await cancel(connection, stream, startup);
    else await login(connection, stream, startup);
  };

  const covers: Postgres['covers'] = (host, port) => held(host, port).length > 0;

  return {
    covers,
    route: (connection) => {
      const { first, host, port, socket } = connection;
      const hello = first.type === 'tls' ? first.hello : undefined;
      const speaksIt = first.type === 'unknown' || (hello?.alpn.includes(POSTGRES_ALPN) ?? false);
      if (!speaksIt || !covers(host, port)) return false;
      run(connection, hello).catch(() => socket.destroy());
      return true;
    },
  };
};
