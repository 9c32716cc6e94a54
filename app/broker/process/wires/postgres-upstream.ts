import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { fail, failure, ok, type Clock, type Result } from '../../../kit/index.ts';
import type { CanonicalHost } from '../../../policy/index.ts';
import type { Dial, DialFailure } from '../dial.ts';
import { startTls, tlsFailure } from '../start-tls.ts';
import type { Refusal } from '../refuse.ts';
import {
  AUTH,
  errorText,
  initialResponse,
  MAX_LOGIN_MESSAGE_BYTES,
  postgresMessage,
  readAuthentication,
  readMechanisms,
  readPostgresMessage,
  type Authentication,
  type PostgresMessage,
} from './postgres-message.ts';
import { sslRequest, startupMessage, type StartupParameter } from './postgres-startup.ts';
import { readFirst } from './read-first.ts';
import { createScramClient, SCRAM, SCRAM_PLUS, type ScramClient } from './scram.ts';
import { serverEndPoint } from './server-end-point.ts';

/** How long a server may take over each message of a login, in milliseconds. */
export const SERVER_MESSAGE_MS = 30_000;
/** Most bytes that a server may say between accepting a login and being ready. */
export const MAX_GREETING_BYTES = 262_144;
/** Most messages of one login. */
export const MAX_LOGIN_MESSAGES = 256;

export type PostgresUpstreamDeps = {
  readonly clock: Clock;
  readonly dial: Dial;
  readonly upstreamTrust: SecureContext;
  /** Whether the user named this destination's address, and with it a network of his own. */
  readonly named: (host: CanonicalHost, port: number) => boolean;
};

export type UpstreamConnection = { readonly socket: Socket; readonly address: string };

export type LoggedIn = {
  /** All that the server said from its acceptance to its readiness, for the client. */
  readonly greeting: Buffer;
  /** By which a running query may be cancelled; undefined where the server gave none. */
  readonly cancelKey: { readonly processId: number; readonly key: number } | undefined;
};

/** Why a login failed, and the server's own words for the client where it said some. */
export type LoginFailure = { readonly refusal: Refusal; readonly raw: Buffer | undefined };

export type PostgresUpstream = {
  /** A connection that is encrypted, or may do without. */
  readonly connect: (
    host: CanonicalHost,
    port: number,
  ) => Promise<Result<UpstreamConnection, DialFailure>>;
  /** Logs in with the real password; the connection is ready for queries then. */
  readonly login: (
    host: CanonicalHost,
    socket: Socket,
    parameters: readonly StartupParameter[],
    password: string,
  ) => Promise<Result<LoggedIn, LoginFailure>>;
};

/** MD5 authentication as PostgreSQL has it: md5(md5(password + user) + salt). */
export const md5Password = (user: string, password: string, salt: Buffer): string => {
  const md5 = (...parts: (string | Buffer)[]): string => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  return `md5${md5(md5(password, Buffer.from(user, 'latin1')), salt)}`;
};

const unverified = (host: CanonicalHost): Refusal =>
  failure('egress.upstream-unverified', `${host} could not prove that it knows the password.`);

const broke = (host: CanonicalHost, why: string): Refusal =>
  failure('egress.upstream-broke', `${host} ${why} while logging in.`);

/** One login's conversation about the password: at most one method, and proof where the method has one. */
const createAnswerer = (
  host: CanonicalHost,
  socket: Socket,
  user: string,
  password: string,
): ((request: Authentication) => Promise<Result<Buffer | 'done', Refusal>>) => {
  const encrypted = socket instanceof TLSSocket;
  let scram: ScramClient | undefined;
  let stage: 'start' | 'asked' | 'continued' | 'proved' = 'start';

  const startScram = (offered: readonly string[]): Result<Buffer, Refusal> => {
    const certificate = encrypted ? socket.getPeerCertificate().raw : undefined;
    const binding = certificate === undefined ? undefined : serverEndPoint(certificate);
    const bound = binding !== undefined && offered.includes(SCRAM_PLUS);
    if (!bound && !offered.includes(SCRAM)) {
      return fail('grant.login-refused', `${host} asks for a way to log in that is not spoken.`);
    }
    scram = createScramClient(password, bound ? binding : undefined, binding !== undefined);
    stage = 'asked';
    return ok(initialResponse(scram.mechanism, scram.first));
  };

  return async ({ kind, data }) => {
    if (kind === AUTH.ok) {
      // A server that started to prove itself must have finished, or it only wanted our proof.
      return stage === 'asked' || stage === 'continued'
        ? { ok: false, error: unverified(host) }
        : ok('done');
    }
    if (stage === 'start' && kind === AUTH.sasl) {
      const offered = readMechanisms(data);
      return offered === undefined
        ? { ok: false, error: broke(host, 'sent nonsense') }
        : startScram(offered);
    }
    if (stage === 'start' && kind === AUTH.md5 && data.length === 4) {
      stage = 'proved';
      return ok(postgresMessage('p', Buffer.from(`${md5Password(user, password, data)}\0`)));
    }
    if (stage === 'start' && kind === AUTH.cleartext) {
      if (!encrypted) {
        return fail('grant.cleartext', `${host} asks for the password itself, unencrypted.`);
      }
      stage = 'proved';
      return ok(postgresMessage('p', Buffer.from(`${password}\0`)));
    }
    if (stage === 'asked' && kind === AUTH.saslContinue) {
      const final = await scram?.final(data.toString('latin1'));
      if (final === undefined) return { ok: false, error: broke(host, 'sent nonsense') };
      stage = 'continued';
      return ok(postgresMessage('p', Buffer.from(final, 'latin1')));
    }
    if (stage === 'continued' && kind === AUTH.saslFinal) {
      if (scram?.verify(data.toString('latin1')) !== true) {
        return { ok: false, error: unverified(host) };
      }
      stage = 'proved';
      return ok(Buffer.alloc(0));
    }
    return fail('grant.login-refused', `${host} asks for a way to log in that is not spoken.`);
  };
};

export const createPostgresUpstream = (deps: PostgresUpstreamDeps): PostgresUpstream => {
  const { clock, dial, upstreamTrust, named } = deps;

  const nextMessage = async (
    host: CanonicalHost,
    socket: Socket,
  ): Promise<Result<PostgresMessage, Refusal>> => {
    const limits = { maxBytes: MAX_LOGIN_MESSAGE_BYTES + 5, withinMs: SERVER_MESSAGE_MS };
    const read = await readFirst(socket, clock, limits, (bytes) => {
      const reading = readPostgresMessage(bytes);
      if (reading.type === 'more') return undefined;
      return reading.type === 'bad'
        ? { value: undefined, used: 0 }
        : { value: reading.message, used: reading.message.raw.length };
    });
    if ('failed' in read) {
      const late = failure('egress.timeout', `${host} took too long to log in.`);
      return { ok: false, error: read.failed === 'late' ? late : broke(host, 'broke off') };
    }
    return read.value === undefined
      ? { ok: false, error: broke(host, 'sent nonsense') }
      : ok(read.value);
  };

  return {
    connect: async (host, port) => {
      const dialled = await dial({ host, port, tls: false });
      if (!dialled.ok) return dialled;
      const { socket, address } = dialled.value;
      const refuse = (refusal: Refusal): Result<never, DialFailure> => {
        socket.destroy();
        return { ok: false, error: { ...refusal, address } };
      };
      socket.write(sslRequest());
      const limits = { maxBytes: 1, withinMs: SERVER_MESSAGE_MS };
      const answer = await readFirst(socket, clock, limits, (bytes) => ({
        value: String.fromCharCode(bytes[0] ?? 0),
        used: 1,
      }));
      if ('failed' in answer) return refuse(broke(host, 'broke off'));
      // What came with the answer came unencrypted, and would be read as if it had not (CVE-2021-23222).
      if (socket.readableLength > 0) return refuse(broke(host, 'said more than it was asked'));
      if (answer.value === 'N' && named(host, port)) return ok(dialled.value);
      if (answer.value === 'N') {
        return refuse(
          failure(
            'egress.upstream-cleartext',
            `${host} offers no encryption, and a password would be seen on the way.`,
            `If it is on your own network, name its address: --resolve ${host}:${String(port)}:ADDRESS.`,
          ),
        );
      }
      if (answer.value !== 'S') return refuse(broke(host, 'spoke another protocol'));
      const secured = await startTls(socket, {
        host,
        secureContext: upstreamTrust,
        alpn: ['postgresql'],
      });
      return 'tls' in secured
        ? ok({ socket: secured.tls, address })
        : refuse(tlsFailure(host, secured.failed));
    },

    login: async (host, socket, parameters, password) => {
      const user = parameters.find(([name]) => name === 'user')?.[1] ?? '';
      const answer = createAnswerer(host, socket, user, password);
      const failed = (refusal: Refusal, raw?: Buffer): Result<never, LoginFailure> => ({
        ok: false,
        error: { refusal, raw },
      });
      socket.write(startupMessage(parameters));
      const greeting: Buffer[] = [];
      let bytes = 0;
      let accepted = false;
      let cancelKey: LoggedIn['cancelKey'];
      for (let count = 0; count < MAX_LOGIN_MESSAGES && bytes <= MAX_GREETING_BYTES; count += 1) {
        const read = await nextMessage(host, socket);
        if (!read.ok) return failed(read.error);
        const { type, body, raw } = read.value;
        if (type === 'E') {
          const why = `${host} refused the login: ${errorText(body)}.`;
          return failed(failure('grant.login-refused', why), raw);
        }
        if (type === 'R' && !accepted) {
          const request = readAuthentication(body);
          if (request === undefined) return failed(broke(host, 'sent nonsense'));
          const next = await answer(request);
          if (!next.ok) return failed(next.error);
          if (next.value === 'done') accepted = true;
          else if (next.value.length > 0) socket.write(next.value);
          if (!accepted) continue;
        } else if (type === 'K' && body.length === 8) {
          cancelKey = { processId: body.readInt32BE(0), key: body.readInt32BE(4) };
        } else if (!accepted && type !== 'N') {
          return failed(broke(host, 'sent nonsense'));
        }
        greeting.push(raw);
        bytes += raw.length;
        if (type === 'Z' && accepted) return ok({ greeting: Buffer.concat(greeting), cancelKey });
      }
      return failed(broke(host, 'said too much'));
    },
  };
};
