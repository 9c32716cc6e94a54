import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import type { Clock } from '../../../kit/index.ts';
import type { Hit, Search } from '../search.ts';
import { spend } from '../spent-buffers.ts';
import { createGuard, type Guard } from './guard.ts';

/** How long bytes wait that might be the beginning of a value, in milliseconds. */
export const TAIL_WAIT_MS = 250;

/** How a joined pair of connections came to its end. */
export type SpliceEnd =
  | { readonly type: 'done' }
  | { readonly type: 'idle' }
  | { readonly type: 'broke'; readonly side: 'inside' | 'outside'; readonly code: string }
  /** A value turned up that may not go that way; nothing of it was passed on but its beginning. */
  | { readonly type: 'hit'; readonly way: 'out' | 'in'; readonly hit: Hit };

export type SpliceOptions = {
  readonly clock: Clock;
  readonly inside: Duplex;
  readonly outside: Duplex;
  /** What may not leave; undefined where nothing can be read. */
  readonly outgoing: Search | undefined;
  /** What may not come back. */
  readonly incoming: Search | undefined;
  /** How long both directions may be silent, in milliseconds. */
  readonly idleMs: number;
};

export type Spliced = {
  readonly end: SpliceEnd;
  readonly bytesOut: number;
  readonly bytesIn: number;
};

/** Ends a connection the hard way, so that the other end sees it broken off rather than finished. */
export const resetSocket = (stream: Duplex): void => {
  if (stream instanceof Socket && !stream.destroyed) {
    try {
      stream.resetAndDestroy();
      return;
    } catch {
      // No TCP socket below (TLS, a pipe): there is no reset to send, only an end.
    }
  }
  stream.destroy();
};

/**
 * Joins two connections byte for byte until both directions have ended: an end of one direction is
 * passed on as such, a reset as a reset, and who writes faster than the other side reads has to wait.
 */
export const splice = (options: SpliceOptions): Promise<Spliced> =>
  new Promise((resolve) => {
    const { clock, inside, outside, idleMs } = options;
    const counts = { out: 0, in: 0 };
    let over = false;
    let last = clock.monotonic();
    let cancelIdle: () => void = () => undefined;
    const cancelTails: (() => void)[] = [];

    const settle = (end: SpliceEnd): void => {
      if (over) return;
      over = true;
      cancelIdle();
      for (const cancel of cancelTails) cancel();
      if (end.type === 'broke') resetSocket(end.side === 'inside' ? outside : inside);
      if (end.type !== 'done') for (const stream of [inside, outside]) resetSocket(stream);
      resolve({ end, bytesOut: counts.out, bytesIn: counts.in });
    };
    const watchIdle = (): void => {
      const left = last + idleMs - clock.monotonic();
      if (left <= 0) settle({ type: 'idle' });
      else cancelIdle = clock.after(left, watchIdle);
    };
    const finished = { inside: false, outside: false };
    const onFinish = (side: 'inside' | 'outside'): void => {
      finished[side] = true;
      if (finished.inside && finished.outside) settle({ type: 'done' });
    };

    const pump = (from: Duplex, to: Duplex, way: 'out' | 'in', guard: Guard): void => {
      let cancelTail: () => void = () => undefined;
      cancelTails.push(() => cancelTail());
      const pass = (bytes: Buffer): void => {
        if (bytes.length === 0 || to.destroyed) return;
        counts[way] += bytes.length;
        if (to.write(bytes)) return;
        from.pause();
        to.once('drain', () => from.resume());
      };
      from.on('data', (chunk: Buffer) => {
        if (over) return;
        last = clock.monotonic();
        cancelTail();
        spend(chunk.length);
        const step = guard.push(chunk);
        if (step.type === 'hit') {
          settle({ type: 'hit', way, hit: step.hit });
          return;
        }
        pass(step.bytes);
        if (guard.waiting() > 0)
          cancelTail = clock.after(TAIL_WAIT_MS, () => pass(guard.release()));
      });
      const onEnd = (): void => {
        if (over) return;
        cancelTail();
        const step = guard.end();
        if (step.type === 'hit') {
          settle({ type: 'hit', way, hit: step.hit });
          return;
        }
        pass(step.bytes);
        to.end();
      };
      if (from.readableEnded) onEnd();
      else from.once('end', onEnd);
    };

    for (const [side, stream] of [
      ['inside', inside],
      ['outside', outside],
    ] as const) {
      let code = 'closed';
      stream.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code ?? 'failed';
      });
      stream.once('finish', () => onFinish(side));
      stream.once('close', () => {
        const whole = stream.readableEnded && (stream.writableFinished || finished[side]);
        if (!whole) settle({ type: 'broke', side, code });
      });
      if (stream.destroyed) settle({ type: 'broke', side, code });
    }
    if (over) return;
    // A server's end must not close the way to it (RFC 9293 3.6): Node would by default.
    for (const stream of [inside, outside]) stream.allowHalfOpen = true;
    pump(inside, outside, 'out', createGuard(options.outgoing));
    pump(outside, inside, 'in', createGuard(options.incoming));
    watchIdle();
  });
