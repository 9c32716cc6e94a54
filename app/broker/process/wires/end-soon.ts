import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kit/index.ts';

/** How long a connection that was refused may take to end from inside, in milliseconds. */
export const REFUSED_LINGER_MS = 2000;

/**
 * Says a last word and ends the connection once it is read. What still comes is thrown away: a
 * connection that is cut while its program sends never gets to read why.
 */
export const endSoon = (stream: Duplex, clock: Clock, lastWord: Buffer): void => {
  stream.end(lastWord);
  stream.resume();
  const cancel = clock.after(REFUSED_LINGER_MS, () => stream.destroy());
  stream.once('close', cancel);
};

/** A fatal TLS alert, access_denied (RFC 8446 6.2): what a client reads that is refused before any key is agreed. */
export const ACCESS_DENIED = Buffer.from([21, 3, 3, 0, 2, 2, 49]);
