import { connect, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { fail, ok, type Clock, type Failure, type Result } from '../../kit/index.ts';
import type { Code } from '../../contract/index.ts';
import type { CanonicalHost } from '../../policy/index.ts';
import { dialFirst } from './dial-first.ts';
import { LANDING_BYTES, type Intake } from './intake.ts';
import type { Resolve } from './resolve.ts';
import { beginTls, secured, tlsFailure } from './start-tls.ts';
import { createTlsSessions } from './tls-sessions.ts';

export type DialFailure = Failure<Code> & { readonly address?: string };

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
  /** Where what comes can be read without a stream. */
  readonly intake?: Intake;
};

const HTTP1_ONLY = ['http/1.1'];

/** Resolve, judge, connect, and for TLS verify: the one way out of this process. */
export type Dial = (
  to: Upstream,
  alpn?: readonly string[],
) => Promise<Result<Dialled, DialFailure>>;

export const createDial = (clock: Clock, resolve: Resolve, secureContext: SecureContext): Dial => {
  const sessions = createTlsSessions();
  const landing = Buffer.allocUnsafeSlow(LANDING_BYTES);

  const unreached = (
    host: CanonicalHost,
    { failed, address }: { readonly failed: string; readonly address: string },
  ): Result<never, DialFailure> => {
    const code = failed === 'ETIMEDOUT' ? 'egress.timeout' : 'egress.upstream-unreachable';
    return {
      ok: false,
      error: { ...fail(code, `${host} could not be reached (${failed}).`).error, address },
    };
  };

  return async (to, alpn = HTTP1_ONLY) => {
    const { host } = to;
    const route = await resolve(host, to.port);
    if (!route.ok) return route;
    const { port } = route.value;
    if (!to.tls) {
      const plain = await dialFirst(clock, route.value, (address) => ({
        socket: connect({ host: address, port, noDelay: true, keepAlive: true }),
      }));
      return 'failed' in plain
        ? unreached(host, plain)
        : ok({ socket: plain.begun.socket, address: plain.address });
    }
    const key = `${host}:${String(to.port)} ${alpn.join()}`;
    const dialled = await dialFirst(clock, route.value, (address) =>
      beginTls(
        landing,
        { address, port },
        { host, secureContext, alpn, session: sessions.take(key) },
      ),
    );
    if ('failed' in dialled) return unreached(host, dialled);
    const { address, begun } = dialled;
    const result = await secured(begun.socket, (session) => sessions.keep(key, session));
    if ('failed' in result)
      return { ok: false, error: { ...tlsFailure(host, result.failed), address } };
    const { tls } = result;
    const protocol = tls.alpnProtocol === false ? {} : { protocol: tls.alpnProtocol ?? '' };
    return ok({ socket: tls, intake: begun.intake, address, ...protocol });
  };
};
