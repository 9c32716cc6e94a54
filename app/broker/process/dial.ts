import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { fail, failure, ok, type Clock, type Failure, type Result } from '../../kit/index.ts';
import type { Code } from '../../contract/index.ts';
import type { CanonicalHost } from '../../policy/index.ts';
import { isAddress } from '../../policy/enforce.ts';
import type { JudgedRoute, Resolve } from './resolve.ts';
import { createTlsSessions } from './tls-sessions.ts';

/** How long one address may take to accept, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** How long to wait for one address before the next is tried beside it (RFC 8305 5). */
export const NEXT_ADDRESS_MS = 300;
/** How long the TLS handshake with a server may take, in milliseconds. */
export const UPSTREAM_HANDSHAKE_MS = 15_000;

export type DialFailure = Failure<Code> & { readonly address?: string };

const reason = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'failed';

const coded = (code: string): Error => Object.assign(new Error(code), { code });
const timedOut = (): Error => coded('ETIMEDOUT');

type Attempt = { readonly socket: Socket; readonly address: string };

/** Connects to the first judged address that answers. Never resolves anything. */
const dialTcp = (
  clock: Clock,
  route: JudgedRoute,
): Promise<Attempt | { readonly failed: string; readonly address: string }> =>
  new Promise((resolve) => {
    const sockets = new Set<Socket>();
    const waiting = [...route.addresses];
    let cancelNext: (() => void) | undefined;
    let settled = false;
    let last = { failed: 'no address', address: '' };

    const settle = (result: Attempt | { failed: string; address: string }): void => {
      settled = true;
      cancelNext?.();
      for (const other of sockets)
        if (!('socket' in result) || other !== result.socket) other.destroy();
      resolve(result);
    };
    const next = (): void => {
      cancelNext?.();
      const address = waiting.shift();
      if (settled || address === undefined) return;
      const socket = connectTcp({
        host: address,
        port: route.port,
        noDelay: true,
        keepAlive: true,
      });
      sockets.add(socket);
      const onTimeout = (): void => {
        socket.destroy(timedOut());
      };
      socket.setTimeout(CONNECT_TIMEOUT_MS, onTimeout);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.removeListener('timeout', onTimeout);
        if (settled) socket.destroy();
        else settle({ socket, address });
      });
      // Stays on for the socket's life: what reads it reports the break, this keeps it from being fatal.
      socket.on('error', (thrown) => {
        sockets.delete(socket);
        if (settled) return;
        last = { failed: reason(thrown), address };
        if (waiting.length > 0) next();
        else if (sockets.size === 0) settle(last);
      });
      if (waiting.length > 0) cancelNext = clock.after(NEXT_ADDRESS_MS, next);
    };
    next();
    if (route.addresses.length === 0) settle(last);
  });

const isVerification = (code: string): boolean =>
  code.startsWith('ERR_TLS_CERT') ||
  /^(UNABLE_TO_|CERT_|DEPTH_ZERO|SELF_SIGNED|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH|CRL_|ERROR_IN_CERT|OUT_OF_MEM|CERT_UNTRUSTED)/.test(
    code,
  );

/** Where a handshake's session comes from and goes to. */
export type Resumption = {
  readonly session: Buffer | undefined;
  readonly keep: (session: Buffer) => void;
};

/** Verified TLS on a connection that is there already; `alpn` is what is offered in it. */
export const startTls = (
  socket: Socket,
  host: CanonicalHost,
  secureContext: SecureContext,
  alpn: readonly string[],
  resumption?: Resumption,
): Promise<{ readonly tls: TLSSocket } | { readonly failed: string }> =>
  new Promise((resolve) => {
    const tls = connectTls({
      socket,
      host,
      ...(isAddress(host) ? {} : { servername: host }),
      secureContext,
      ALPNProtocols: [...alpn],
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(resumption?.session === undefined ? {} : { session: resumption.session }),
    });
    // TLS 1.2 tells it before the server is verified, TLS 1.3 after.
    let early: Buffer | undefined;
    let verified = false;
    if (resumption !== undefined) {
      tls.on('session', (session: Buffer) => {
        if (verified) resumption.keep(session);
        else early = session;
      });
    }
    const onError = (thrown: unknown): void => {
      tls.destroy();
      socket.destroy();
      resolve({ failed: reason(thrown) });
    };
    const onTimeout = (): void => onError(timedOut());
    const onClose = (): void => onError(coded('ECONNRESET'));
    tls.setTimeout(UPSTREAM_HANDSHAKE_MS, onTimeout);
    tls.once('error', onError);
    tls.once('close', onClose);
    tls.once('secureConnect', () => {
      verified = true;
      if (early !== undefined) resumption?.keep(early);
      tls.setTimeout(0);
      tls.removeListener('timeout', onTimeout);
      tls.removeListener('close', onClose);
      tls.removeListener('error', onError);
      // As above: never fatal, reported by who reads it.
      tls.on('error', () => undefined);
      resolve({ tls });
    });
  });

/** Why a server's TLS did not come about, in words. */
export const tlsFailure = (host: CanonicalHost, failed: string): Failure<Code> =>
  isVerification(failed)
    ? failure(
        'egress.upstream-unverified',
        `The certificate of ${host} could not be verified (${failed}).`,
        'If the server is yours, name its authority with --upstream-ca.',
      )
    : failure('egress.upstream-unreachable', `The TLS handshake with ${host} failed (${failed}).`);

export type Upstream = {
  readonly host: CanonicalHost;
  readonly port: number;
  readonly tls: boolean;
};
export type Dialled = {
  readonly socket: Socket;
  readonly address: string;
  /** What was chosen of the ALPN names that were offered. */
  readonly protocol?: string;
};

const HTTP1_ONLY = ['http/1.1'];

/** Resolve, judge, connect, and for TLS verify: the one way out of this process. */
export type Dial = (
  to: Upstream,
  alpn?: readonly string[],
) => Promise<Result<Dialled, DialFailure>>;

export const createDial = (clock: Clock, resolve: Resolve, secureContext: SecureContext): Dial => {
  const sessions = createTlsSessions();
  return async (to, alpn = HTTP1_ONLY) => {
    const route = await resolve(to.host, to.port);
    if (!route.ok) return route;
    const dialled = await dialTcp(clock, route.value);
    if ('failed' in dialled) {
      const { failed, address } = dialled;
      const code = failed === 'ETIMEDOUT' ? 'egress.timeout' : 'egress.upstream-unreachable';
      return {
        ok: false,
        error: { ...fail(code, `${to.host} could not be reached (${failed}).`).error, address },
      };
    }
    if (!to.tls) return ok(dialled);
    const key = `${to.host}:${String(to.port)} ${alpn.join()}`;
    const secured = await startTls(dialled.socket, to.host, secureContext, alpn, {
      session: sessions.take(key),
      keep: (session) => sessions.keep(key, session),
    });
    if ('tls' in secured) {
      const { tls } = secured;
      const protocol = tls.alpnProtocol === false ? {} : { protocol: tls.alpnProtocol ?? '' };
      return ok({ socket: tls, address: dialled.address, ...protocol });
    }
    const error = tlsFailure(to.host, secured.failed);
    return { ok: false, error: { ...error, address: dialled.address } };
  };
};
