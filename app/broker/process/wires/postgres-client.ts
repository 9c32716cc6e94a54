import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { err, fail, ok, type Clock, type Err, type Result } from '../../../kit/index.ts';
import { parseHost } from '../../../policy/enforce.ts';
import type { CanonicalHost } from '../../../policy/index.ts';
import type { AcceptTls } from '../accept-tls.ts';
import type { ClientHello } from '../client-hello.ts';
import type { Refusal } from '../refuse.ts';
import { sniff } from '../sniff.ts';
import {
  AUTH,
  authenticationMessage,
  MAX_LOGIN_MESSAGE_BYTES,
  negotiateVersion,
  readInitialResponse,
  readPostgresMessage,
} from './postgres-message.ts';
import { MAX_STARTUP_BYTES, readStartup, type Startup } from './postgres-startup.ts';
import { readFirst, type NotRead } from './read-first.ts';
import { createSaltedPasswords, createScramServer, SCRAM, SCRAM_PLUS } from './scram.ts';

/** How long a program may take over each message of its login, in milliseconds. */
export const CLIENT_MESSAGE_MS = 30_000;
/** Most requests for encryption before the start-up message: one of each sort, asked for once. */
export const MAX_ENCRYPTION_REQUESTS = 2;
/** The one protocol name of TLS that is spoken here (PostgreSQL protocol, SSL Session Encryption). */
export const POSTGRES_ALPN = 'postgresql';

export type PostgresClientDeps = { readonly clock: Clock; readonly acceptTls: AcceptTls };

/** A program's connection at the point where it has said what it wants. */
export type Opened = {
  /** What is spoken on from here: the connection itself, or TLS in it. */
  readonly stream: Duplex;
  readonly startup: Exclude<Startup, { readonly type: 'ssl' | 'gssenc' }>;
};

/** Why a connection got no further, and where words about it can be said; nowhere while TLS is not agreed. */
export type NotOpened = { readonly refusal: Refusal; readonly stream: Duplex | undefined };

/** The candidate whose password the program proved, and what ends the exchange well. */
export type Proved = { readonly index: number; readonly last: Buffer };

export type PostgresClient = {
  /** Goes through requests for encryption up to the start-up message; undefined where the program just left. */
  readonly open: (
    socket: Duplex,
    host: CanonicalHost,
    hello: ClientHello | undefined,
  ) => Promise<Result<Opened, NotOpened> | undefined>;
  /** Lets the program prove which placeholder it holds (SCRAM); undefined where it just left. */
  readonly authenticate: (
    stream: Duplex,
    minor: number,
    unknownOptions: readonly string[],
    candidates: readonly string[],
  ) => Promise<Result<Proved, Refusal> | undefined>;
};

const bad = (why: string): Err<Refusal> =>
  fail('egress.bad-request', `The PostgreSQL start-up was refused: ${why}.`);

const unread = (failed: NotRead): Err<Refusal> | undefined => {
  if (failed === 'gone') return undefined;
  return failed === 'late'
    ? fail('egress.timeout', 'The program took too long to log in.')
    : fail('egress.too-large', 'The program said too much to log in.');
};

export const createPostgresClient = ({ clock, acceptTls }: PostgresClientDeps): PostgresClient => {
  const passwords = createSaltedPasswords();
  const secure = async (
    socket: Duplex,
    host: CanonicalHost,
    { serverName, alpn }: ClientHello,
  ): Promise<Result<TLSSocket, Refusal>> => {
    const named = serverName === undefined ? undefined : parseHost(serverName);
    if (named !== undefined && (!named.ok || named.value !== host)) {
      return fail(
        'egress.authority-mismatch',
        `The TLS handshake names another server than ${host}, where the connection goes.`,
      );
    }
    if (alpn.length > 0 && !alpn.includes(POSTGRES_ALPN)) {
      return bad('its TLS handshake offers another protocol');
    }
    return acceptTls(socket, { shown: host, alpn: alpn.length > 0 ? [POSTGRES_ALPN] : [] });
  };

  const message = async (stream: Duplex): Promise<Result<Buffer, Refusal> | undefined> => {
    const limits = { maxBytes: MAX_LOGIN_MESSAGE_BYTES + 5, withinMs: CLIENT_MESSAGE_MS };
    const read = await readFirst(stream, clock, limits, (bytes) => {
      const reading = readPostgresMessage(bytes);
      if (reading.type === 'more') return undefined;
      return reading.type === 'bad'
        ? { value: undefined, used: 0 }
        : { value: reading.message, used: reading.message.raw.length };
    });
    if ('failed' in read) return unread(read.failed);
    return read.value?.type === 'p' ? ok(read.value.body) : bad('a message is not of the login');
  };

  return {
    open: async (socket, host, hello) => {
      let stream = socket;
      const refuse = (refused: Err<Refusal>): Err<NotOpened> =>
        err({ refusal: refused.error, stream });
      const refuseHandshake = (refused: Err<Refusal>): Err<NotOpened> =>
        err({ refusal: refused.error, stream: undefined });
      if (hello !== undefined) {
        const tls = await secure(socket, host, hello);
        if (!tls.ok) return refuseHandshake(tls);
        stream = tls.value;
      }
      const limits = { maxBytes: MAX_STARTUP_BYTES, withinMs: CLIENT_MESSAGE_MS };
      for (let round = 0; round <= MAX_ENCRYPTION_REQUESTS; round += 1) {
        const read = await readFirst(stream, clock, limits, (bytes) => {
          const reading = readStartup(bytes);
          if (reading.type === 'more') return undefined;
          return { value: reading, used: reading.type === 'read' ? reading.used : 0 };
        });
        if ('failed' in read) {
          const why = unread(read.failed);
          return why === undefined ? undefined : refuse(why);
        }
        if (read.value.type === 'bad') return refuse(bad(read.value.why));
        const { startup } = read.value;
        if (startup.type === 'startup' || startup.type === 'cancel') return ok({ stream, startup });
        if (startup.type === 'gssenc') {
          stream.write('N');
          continue;
        }
        if (stream !== socket) return refuse(bad('it asks for TLS inside TLS'));
        stream.write('S');
        const first = await sniff(socket, clock);
        if (first.type === 'gone') return undefined;
        if (first.type !== 'tls') {
          return refuseHandshake(bad('no TLS handshake followed its request'));
        }
        const tls = await secure(socket, host, first.hello);
        if (!tls.ok) return refuseHandshake(tls);
        stream = tls.value;
      }
      return refuse(bad('it asks for encryption again and again'));
    },

    authenticate: async (stream, minor, unknownOptions, candidates) => {
      if (minor > 0 || unknownOptions.length > 0) stream.write(negotiateVersion(unknownOptions));
      // The leaf is signed with SHA-256, and so that is its hash for the binding (RFC 5929 4.1).
      const leaf = stream instanceof TLSSocket ? stream.getCertificate() : undefined;
      const raw = leaf !== undefined && leaf !== null && 'raw' in leaf ? leaf.raw : undefined;
      const binding = Buffer.isBuffer(raw) ? createHash('sha256').update(raw).digest() : undefined;
      const offered = binding === undefined ? [SCRAM] : [SCRAM_PLUS, SCRAM];
      const list = `${offered.join('\0')}\0\0`;
      stream.write(authenticationMessage(AUTH.sasl, Buffer.from(list, 'latin1')));
      const first = await message(stream);
      if (first === undefined || !first.ok) return first;
      const initial = readInitialResponse(first.value);
      const mechanism = [SCRAM_PLUS, SCRAM].find((one) => one === initial?.mechanism);
      if (initial === undefined || mechanism === undefined || !offered.includes(mechanism)) {
        return bad('the program chose a way to log in that was not offered');
      }
      const server = createScramServer(
        candidates,
        mechanism === SCRAM_PLUS ? SCRAM_PLUS : SCRAM,
        binding,
        undefined,
        passwords,
      );
      const challenge = server.first(initial.message);
      if (challenge === undefined) return bad('its first message of SCRAM is malformed');
      stream.write(authenticationMessage(AUTH.saslContinue, Buffer.from(challenge, 'latin1')));
      const second = await message(stream);
      if (second === undefined || !second.ok) return second;
      const proved = await server.final(second.value.toString('latin1'));
      if (proved === undefined) {
        return fail(
          'grant.wrong-password',
          'The password is not the placeholder that this session holds.',
          'Log in with what is in PGPASSWORD.',
        );
      }
      const last = authenticationMessage(AUTH.saslFinal, Buffer.from(proved.message, 'latin1'));
      return ok({ index: proved.index, last });
    },
  };
};
