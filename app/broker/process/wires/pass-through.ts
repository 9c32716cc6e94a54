import { failure, type Clock } from '../../../kit/index.ts';
import { parseHost, passesThrough } from '../../../policy/enforce.ts';
import type { CanonicalHost, NamedRule, NetworkPolicy } from '../../../policy/index.ts';
import type { ClientHello } from '../client-hello.ts';
import type { CapturedConnection, ConnectionRoute } from '../connection-route.ts';
import type { Dial } from '../dial.ts';
import type { Exchanges } from '../exchange.ts';
import type { Refusal } from '../refuse.ts';
import { dialFailed, type Carry } from './carry.ts';
import { ACCESS_DENIED, endSoon } from './end-soon.ts';

export type PassThroughDeps = {
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly dial: Dial;
  readonly exchanges: Exchanges;
  readonly carry: Carry;
};

const hint = 'Only a TLS handshake that names the host in the clear is passed through.';

/** Why a handshake may not pass unopened to this host; undefined where it may. */
export const againstPassing = (
  { serverName, encrypted }: ClientHello,
  host: CanonicalHost,
): Refusal | undefined => {
  if (encrypted) {
    return failure(
      'egress.encrypted-hello',
      `The TLS handshake with ${host} carries an encrypted ClientHello.`,
      hint,
    );
  }
  if (serverName === undefined) {
    return failure('egress.authority-mismatch', 'The TLS handshake names no server.', hint);
  }
  const named = parseHost(serverName);
  if (!named.ok) return failure('egress.bad-host', 'The TLS server name is no valid name.');
  return named.value === host
    ? undefined
    : failure(
        'egress.authority-mismatch',
        `The TLS handshake names ${named.value}, the connection goes to ${host}.`,
        hint,
      );
};

/**
 * Passes TLS on unopened to hosts that a rule names for it: the ClientHello as it came, then
 * whatever both sides say. Nothing can be put in or scrubbed there; the record says so.
 */
export const createPassThrough = (deps: PassThroughDeps): ConnectionRoute => {
  const { clock, policy, dial, exchanges, carry } = deps;

  const run = async (
    { socket, host, port, program }: CapturedConnection,
    hello: ClientHello,
    rule: NamedRule,
  ): Promise<void> => {
    const exchange = exchanges.begin(
      {
        verdict: 'allowed',
        scheme: 'tls',
        host,
        port,
        protocol: 'tls',
        inspected: false,
        rule: rule.words,
        bytesOut: 0,
        bytesIn: 0,
      },
      program,
    );
    const refusal = againstPassing(hello, host);
    if (refusal !== undefined) {
      exchange.refuse(refusal);
      exchange.finish();
      endSoon(socket, clock, ACCESS_DENIED);
      return;
    }
    exchange.open();
    const dialled = await dial({ host, port, tls: false });
    if (!dialled.ok) {
      dialFailed(socket, exchange, dialled.error);
      return;
    }
    const { socket: outside, address } = dialled.value;
    exchange.set({ address });
    const to = { host, port, tls: true };
    await carry({ inside: socket, outside, to, program, exchange, readable: false });
  };

  return (connection) => {
    const { first, host, port, socket } = connection;
    const rule = first.type === 'tls' ? passesThrough(policy, host, port) : undefined;
    if (first.type !== 'tls' || rule === undefined) return false;
    run(connection, first.hello, rule).catch(() => socket.destroy());
    return true;
  };
};
