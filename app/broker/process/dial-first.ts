import type { Socket } from 'node:net';
import type { Clock } from '../../kit/index.ts';
import type { JudgedRoute } from './resolve.ts';

/** How long one address may take to accept, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** How long to wait for one address before the next is tried beside it (RFC 8305 5). */
export const NEXT_ADDRESS_MS = 300;

/** Words for how a socket failed: a system error's code. */
export const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'failed';

export const codedError = (code: string): Error => Object.assign(new Error(code), { code });

/** A connection that was begun, with what belongs to it. */
type Begun = { readonly socket: Socket };

type Failed = { readonly failed: string; readonly address: string };

/** Connects to the first judged address that answers. Never resolves anything. */
export const dialFirst = <T extends Begun>(
  clock: Clock,
  route: JudgedRoute,
  begin: (address: string) => T,
): Promise<{ readonly begun: T; readonly address: string } | Failed> =>
  new Promise((resolve) => {
    const sockets = new Set<Socket>();
    const waiting = [...route.addresses];
    let cancelNext: (() => void) | undefined;
    let settled = false;
    let last: Failed = { failed: 'no address', address: '' };

    const settle = (result: { readonly begun: T; readonly address: string } | Failed): void => {
      settled = true;
      cancelNext?.();
      for (const other of sockets)
        if (!('begun' in result) || other !== result.begun.socket) other.destroy();
      resolve(result);
    };
    const next = (): void => {
      cancelNext?.();
      const address = waiting.shift();
      if (settled || address === undefined) return;
      const begun = begin(address);
      const { socket } = begun;
      sockets.add(socket);
      const onTimeout = (): void => {
        socket.destroy(codedError('ETIMEDOUT'));
      };
      socket.setTimeout(CONNECT_TIMEOUT_MS, onTimeout);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.removeListener('timeout', onTimeout);
        if (settled) socket.destroy();
        else settle({ begun, address });
      });
      // Stays on for the socket's life: what reads it reports the break, this keeps it from being fatal.
      socket.on('error', (thrown) => {
        sockets.delete(socket);
        if (settled) return;
        last = { failed: reasonOf(thrown), address };
        if (waiting.length > 0) next();
        else if (sockets.size === 0) settle(last);
      });
      if (waiting.length > 0) cancelNext = clock.after(NEXT_ADDRESS_MS, next);
    };
    next();
    if (route.addresses.length === 0) settle(last);
  });
