import type { Socket, TcpNetConnectOpts } from 'node:net';
import {
  checkServerIdentity,
  connect,
  type ConnectionOptions,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { failure, type Failure } from '../../kit/index.ts';
import type { Code } from '../../contract/index.ts';
import type { CanonicalHost } from '../../policy/index.ts';
import { isAddress } from '../../policy/enforce.ts';
import { codedError, reasonOf } from './dial-first.ts';
import { openWithIntake, type Intake } from './intake.ts';

/** How long the TLS handshake with a server may take, in milliseconds. */
export const UPSTREAM_HANDSHAKE_MS = 15_000;

const isVerification = (code: string): boolean =>
  code.startsWith('ERR_TLS_CERT') ||
  /^(UNABLE_TO_|CERT_|DEPTH_ZERO|SELF_SIGNED|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH|CRL_|ERROR_IN_CERT|OUT_OF_MEM|CERT_UNTRUSTED)/.test(
    code,
  );

/** Why a server's TLS did not come about, in words. */
export const tlsFailure = (host: CanonicalHost, failed: string): Failure<Code> =>
  isVerification(failed)
    ? failure(
        'egress.upstream-unverified',
        `The certificate of ${host} could not be verified (${failed}).`,
        'If the server is yours, name its authority with --upstream-ca.',
      )
    : failure('egress.upstream-unreachable', `The TLS handshake with ${host} failed (${failed}).`);

/** What a handshake with a server is to be like. */
export type Handshake = {
  readonly host: CanonicalHost;
  readonly secureContext: SecureContext;
  /** What is offered in it. */
  readonly alpn: readonly string[];
  /** Of an earlier connection that was verified for the same name and port. */
  readonly session?: Buffer | undefined;
};

const optionsOf = ({ host, secureContext, alpn, session }: Handshake): ConnectionOptions => ({
  ...(isAddress(host) ? {} : { servername: host }),
  secureContext,
  ALPNProtocols: [...alpn],
  minVersion: 'TLSv1.2',
  rejectUnauthorized: true,
  // By the name that was judged, whatever the address is that it leads to.
  checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  ...(session === undefined ? {} : { session }),
});

type Secured = { readonly tls: TLSSocket } | { readonly failed: string };

/** Waits for the handshake. `keep` is told of sessions for later, once the server is verified. */
export const secured = (tls: TLSSocket, keep?: (session: Buffer) => void): Promise<Secured> =>
  new Promise((resolve) => {
    // TLS 1.2 tells it before the server is verified, TLS 1.3 after.
    let early: Buffer | undefined;
    let verified = false;
    if (keep !== undefined) {
      tls.on('session', (session: Buffer) => {
        if (verified) keep(session);
        else early = session;
      });
    }
    const onError = (thrown: unknown): void => {
      tls.destroy();
      resolve({ failed: reasonOf(thrown) });
    };
    const onTimeout = (): void => onError(codedError('ETIMEDOUT'));
    const onClose = (): void => onError(codedError('ECONNRESET'));
    tls.setTimeout(UPSTREAM_HANDSHAKE_MS, onTimeout);
    tls.once('error', onError);
    tls.once('close', onClose);
    tls.once('secureConnect', () => {
      verified = true;
      if (early !== undefined) keep?.(early);
      tls.setTimeout(0);
      tls.removeListener('timeout', onTimeout);
      tls.removeListener('close', onClose);
      tls.removeListener('error', onError);
      // Never fatal: reported by who reads it.
      tls.on('error', () => undefined);
      resolve({ tls });
    });
  });

/** Verified TLS on a connection that is there already. */
export const startTls = async (socket: Socket, handshake: Handshake): Promise<Secured> => {
  const result = await secured(connect({ ...optionsOf(handshake), socket }));
  if ('failed' in result) socket.destroy();
  return result;
};

/** Begins a connection to an address that speaks TLS from its first byte on; `secured` waits for it. */
export const beginTls = (
  landing: Buffer,
  { address, port }: { readonly address: string; readonly port: number },
  handshake: Handshake,
): { readonly socket: TLSSocket; readonly intake: Intake } =>
  openWithIntake(landing, (onread) => {
    // Node takes what sockets take too, which its types leave out.
    const options: ConnectionOptions & TcpNetConnectOpts = {
      ...optionsOf(handshake),
      host: address,
      port,
      noDelay: true,
      keepAlive: true,
      onread,
    };
    return connect(options);
  });
