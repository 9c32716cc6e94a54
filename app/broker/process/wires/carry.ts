import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Program } from '../../../contract/index.ts';
import { failure, type Clock } from '../../../kit/index.ts';
import { breakUnlessEnded } from '../captured-socket.ts';
import type { CredentialBook } from '../credential-book.ts';
import type { DialFailure } from '../dial.ts';
import type { Exchange, Exchanges } from '../exchange.ts';
import type { Destination } from '../inject.ts';
import { caught } from '../judge-request.ts';
import type { NativeSockets } from '../native-sockets.ts';
import type { Hit } from '../search.ts';
import type { Refusal } from '../refuse.ts';
import { resetSocket, splice } from './splice.ts';

/** How long a connection that carries bytes we do not read may be silent, in milliseconds. */
export const RAW_IDLE_MS = 60 * 60 * 1000;

export type CarryDeps = {
  readonly clock: Clock;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
  readonly native: NativeSockets;
};

/** A connection whose other end is dialled: what is left is to join the two. */
export type Carried = {
  readonly inside: Duplex;
  readonly outside: Duplex;
  readonly to: Destination;
  readonly program: Promise<Program | undefined>;
  readonly exchange: Exchange;
  /** Whether the bytes can be read, and so are searched both ways. */
  readonly readable: boolean;
};

/** Joins both ends until they are over; the exchange is told what became of it, and finished. */
export type Carry = (carried: Carried) => Promise<void>;

export const createCarry = ({ clock, book, exchanges, native }: CarryDeps): Carry => {
  const leaving = ({ to, program }: Carried, hit: Hit): Refusal => {
    const found = book.findingOf(hit);
    return found === undefined
      ? failure('grant.wrong-place', `Something that may not leave was on its way to ${to.host}.`)
      : caught(exchanges, { to, program }, found, 'the stream');
  };

  return async (carried) => {
    const { inside, outside, to, exchange, readable } = carried;
    // Without a protocol to tell it by, what this process's end cuts short must not look whole to the server.
    if (outside instanceof Socket && !(outside instanceof TLSSocket)) {
      breakUnlessEnded(native, outside);
    }
    const scrubber = book.scrubber();
    const { end, bytesOut, bytesIn } = await splice({
      clock,
      inside,
      outside,
      outgoing: readable ? book.bodyTrip({ to }) : undefined,
      incoming: readable && scrubber.active ? scrubber.stream() : undefined,
      idleMs: RAW_IDLE_MS,
    });
    exchange.set({ bytesOut, bytesIn });
    if (end.type === 'idle') {
      const why = `Neither the program nor ${to.host} said anything for too long.`;
      exchange.refuse(failure('egress.timeout', why), 'allowed');
    } else if (end.type === 'broke') {
      const refusal =
        end.side === 'inside'
          ? failure('egress.aborted', `The program inside broke off (${end.code}).`)
          : failure('egress.upstream-broke', `${to.host} broke off (${end.code}).`);
      exchange.refuse(refusal, 'allowed');
    } else if (end.type === 'hit' && end.way === 'out') {
      exchange.refuse(leaving(carried, end.hit));
    } else if (end.type === 'hit') {
      const why = `${to.host} sent a secret back where it cannot be replaced; the connection was cut.`;
      exchange.set({ scrubbed: 1 });
      exchange.refuse(failure('scrub.cut', why), 'allowed');
    }
    exchange.finish();
  };
};

/** Puts a failed dial on the record and breaks the program's connection off, as the network would. */
export const dialFailed = (inside: Duplex, exchange: Exchange, failed: DialFailure): void => {
  if (failed.address !== undefined) exchange.set({ address: failed.address });
  exchange.refuse(failed, failed.code === 'egress.private-address' ? 'denied' : 'allowed');
  exchange.finish();
  resetSocket(inside);
};
