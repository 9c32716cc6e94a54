import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { fail, failure, ok, type Clock, type Result } from '../../kit/index.ts';
import { isAddress, parseHost } from '../../policy/enforce.ts';
import type { CanonicalHost } from '../../policy/index.ts';
import type { ClientHello } from './client-hello.ts';
import type { Destination } from './inject.ts';
import type { LeafCache } from './leaf-cache.ts';
import type { Refusal } from './refuse.ts';

/** How long the TLS handshake with a program inside may take, in milliseconds. */
export const HANDSHAKE_MS = 15_000;

/** What a ClientHello's server name says against the connection's destination. */
export type NamedServer = {
  /** The name that the certificate is for. */
  readonly shown: CanonicalHost;
  /** Why no request on the connection is passed on. */
  readonly refusal: Refusal | undefined;
};

const mismatch = (message: string): Refusal =>
  failure('egress.authority-mismatch', message, 'Connect to the host that the request names.');

/** Compares the server name with the destination; fails where it is no name at all. */
export const readServerName = (
  { serverName }: ClientHello,
  to: Destination,
): Result<NamedServer, Refusal> => {
  const named = serverName === undefined ? undefined : parseHost(serverName);
  if (named === undefined) {
    const refusal = isAddress(to.host) ? undefined : mismatch('The TLS handshake names no server.');
    return ok({ shown: to.host, refusal });
  }
  if (!named.ok) return fail('egress.bad-host', 'The TLS server name is no valid name.');
  if (named.value === to.host) return ok({ shown: to.host, refusal: undefined });
  // The certificate is for the name that the program will check, so that it can read the refusal.
  return ok({
    shown: named.value,
    refusal: mismatch(`The TLS handshake names ${named.value}, the connection goes to ${to.host}.`),
  });
};

export type AcceptTlsDeps = { readonly clock: Clock; readonly leaves: LeafCache };

/** Ends the TLS of a program inside, with a certificate of the session's authority. */
export type AcceptTls = (
  carrier: Duplex,
  offer: {
    readonly shown: CanonicalHost;
    /** What may be chosen of what the program offers, in order of preference. */
    readonly alpn: readonly string[];
  },
) => Promise<Result<TLSSocket, Refusal>>;

export const createAcceptTls =
  ({ clock, leaves }: AcceptTlsDeps): AcceptTls =>
  async (carrier, { shown, alpn }) => {
    const failed = (why: string): Result<never, Refusal> =>
      fail(
        'egress.tls-failed',
        `The TLS handshake from inside failed (${why}).`,
        'The program may not trust the session’s authority.',
      );
    const secureContext = leaves.contextFor(shown);
    if (carrier.destroyed) return failed('closed');
    return new Promise((resolve) => {
      const tls = new TLSSocket(carrier, {
        isServer: true,
        secureContext,
        ALPNProtocols: [...alpn],
        requestCert: false,
        rejectUnauthorized: false,
      });
      const giveUp = (why: string): void => {
        cancel();
        tls.destroy();
        carrier.destroy();
        resolve(failed(why));
      };
      const onClose = (): void => giveUp('closed');
      const cancel = clock.after(HANDSHAKE_MS, () => giveUp('timeout'));
      // Stays on for the socket's life: what reads it sees the end, this keeps it from being fatal.
      tls.on('error', (error: NodeJS.ErrnoException) => giveUp(error.code ?? 'failed'));
      tls.once('close', onClose);
      // A program that goes away in mid-handshake ends its side alone, and nothing of ours would follow.
      tls.once('end', onClose);
      tls.once('secure', () => {
        cancel();
        tls.removeListener('close', onClose);
        tls.removeListener('end', onClose);
        // Only Node's own TLS server says so; HTTP/2 on top would wait for it.
        resolve(ok(Object.assign(tls, { secureConnecting: false })));
      });
    });
  };
