import type { OnReadOpts, Socket } from 'node:net';

/** Most that one read of a TLS connection gives in Node, in bytes: a record (RFC 8446 5.1). */
export const LANDING_BYTES = 16 * 1024;

/**
 * Where what a socket receives goes: into its own stream, or by plain calls to whoever takes it. A
 * stream gives each read memory of its own, which took a quarter of the processor time of a download.
 */
export type Intake = {
  /**
   * From now on tells what comes, in memory that is the next read's once the call is over. Not while
   * the stream holds something that came before: then it stays with the stream, and answers false.
   */
  readonly take: (to: (bytes: Buffer) => void) => boolean;
  /** What comes from now on goes into the stream. */
  readonly giveBack: () => void;
};

/**
 * Opens a socket whose reads land in memory that all of them share. That is for TLS alone: Node copies
 * what it deciphered there and tells of it in the same breath. Of a plain socket the system itself would
 * write there, on some systems at any time.
 */
export const openWithIntake = <S extends Socket>(
  landing: Buffer,
  open: (onread: OnReadOpts) => S,
): { readonly socket: S; readonly intake: Intake } => {
  let taker: ((bytes: Buffer) => void) | undefined;
  const socket = open({
    buffer: landing,
    callback: (count) => {
      const bytes = landing.subarray(0, count);
      if (taker === undefined) return socket.push(Buffer.from(bytes));
      taker(bytes);
      return true;
    },
  });
  return {
    socket,
    intake: {
      take: (to) => {
        if (socket.readableLength > 0) return false;
        taker = to;
        return true;
      },
      giveBack: () => {
        taker = undefined;
      },
    },
  };
};
