import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kit/index.ts';
import type { Hit } from '../search.ts';
import {
  CLOSE,
  closePayload,
  OPCODE,
  writeFrame,
  type CloseCode,
  type FrameFailure,
} from './frame.ts';
import type { FrameFlow } from './incoming.ts';

/** How long a WebSocket may be silent both ways, pings included, in milliseconds. */
export const IDLE_WEBSOCKET_MS = 60 * 60 * 1000;
/** How long one side may take to end after the other has, in milliseconds. */
export const WEBSOCKET_LINGER_MS = 5000;

/** Most pieces that are written one by one: a flood of tiny frames is put together first. */
export const MAX_PARTS_AT_ONCE = 16;

export type Side = 'program' | 'server';

/** How a WebSocket ended. */
export type WebSocketEnd =
  | { readonly type: 'closed' }
  | { readonly type: 'broke'; readonly side: Side }
  | { readonly type: 'silent' }
  | { readonly type: 'failed'; readonly side: Side; readonly failure: FrameFailure }
  | { readonly type: 'tripped'; readonly hit: Hit };

export type WebSocketJoin = {
  readonly clock: Clock;
  readonly program: Duplex;
  readonly server: Duplex;
  /** Frames on their way to the server. */
  readonly outgoing: FrameFlow;
  /** Frames on their way to the program. */
  readonly incoming: FrameFlow;
  /** Bytes of whole frames that went on, each way so far, and secrets replaced in them. */
  readonly onProgress: (so: { bytesOut: number; bytesIn: number; hits: number }) => void;
  /** What the close frame says where a placeholder or a watched value ended the WebSocket. */
  readonly tripReason: (hit: Hit) => string;
};

type Way = {
  readonly side: Side;
  readonly from: Duplex;
  readonly to: Duplex;
  readonly flow: FrameFlow;
  /** A close frame has gone by. */
  closed: boolean;
  ended: boolean;
  /** Its stream is no more. */
  gone: boolean;
};

/**
 * Joins both ends of a WebSocket after the handshake, with backpressure each way, and owns them from
 * then on. Where we end it ourselves, both sides get a close frame if one fits between frames, and a
 * moment to take it. Resolves with how it ended once both ends are gone.
 */
export const joinWebSocket = (join: WebSocketJoin): Promise<WebSocketEnd> =>
  new Promise((resolve) => {
    const { clock, program, server } = join;
    const out: Way = {
      side: 'program',
      from: program,
      to: server,
      flow: join.outgoing,
      closed: false,
      ended: false,
      gone: false,
    };
    const back: Way = {
      side: 'server',
      from: server,
      to: program,
      flow: join.incoming,
      closed: false,
      ended: false,
      gone: false,
    };
    const so = { bytesOut: 0, bytesIn: 0, hits: 0 };
    let result: WebSocketEnd | undefined;
    let lingering: (() => void) | undefined;
    let lastByte = clock.monotonic();

    const settle = (end: WebSocketEnd): void => {
      if (result !== undefined) return;
      result = end;
      cancelIdle();
    };
    const finish = (): void => {
      lingering?.();
      program.destroy();
      server.destroy();
      settle({ type: 'closed' });
      resolve(result ?? { type: 'closed' });
    };
    const linger = (): void => {
      lingering ??= clock.after(WEBSOCKET_LINGER_MS, finish);
    };

    const stop = (code: CloseCode, reason: string, end: WebSocketEnd): void => {
      if (result !== undefined) return;
      settle(end);
      const payload = closePayload(code, reason);
      const frame = { fin: true, opcode: OPCODE.close } as const;
      for (const { to, flow } of [out, back]) {
        const mask = to === server ? { mask: randomBytes(4) } : {};
        // In the middle of a frame a close frame would be read as its payload.
        if (flow.between() && to.writable) {
          for (const part of writeFrame({ ...frame, ...mask }, payload)) to.write(part);
        }
        to.end();
      }
      program.resume();
      server.resume();
      linger();
    };

    const pass = (way: Way, chunk: Buffer): void => {
      lastByte = clock.monotonic();
      const { to } = way;
      if (result !== undefined || !to.writable) return;
      const step = way.flow.push(chunk);
      to.cork();
      const parts = step.out.length > MAX_PARTS_AT_ONCE ? [Buffer.concat(step.out)] : step.out;
      for (const part of parts) {
        if (way === out) so.bytesOut += part.length;
        else so.bytesIn += part.length;
        to.write(part);
      }
      to.uncork();
      so.hits += step.hits;
      join.onProgress(so);
      if (to.writableNeedDrain) way.from.pause();
      if (step.failed !== undefined) {
        const { failed: failure } = step;
        stop(failure.code, failure.message, { type: 'failed', side: way.side, failure });
        return;
      }
      if (step.tripped !== undefined) {
        const { tripped: hit } = step;
        stop(CLOSE.policy, join.tripReason(hit), { type: 'tripped', hit });
        return;
      }
      if (step.closed && !way.closed) {
        way.closed = true;
        // After both close frames the server ends the connection (RFC 6455 7.1.1), if it does.
        if (out.closed && back.closed) linger();
      }
    };

    const checkIdle = (): void => {
      const left = IDLE_WEBSOCKET_MS - (clock.monotonic() - lastByte);
      if (left > 0) cancelIdle = clock.after(left, checkIdle);
      else stop(CLOSE.goingAway, 'silent for too long', { type: 'silent' });
    };
    let cancelIdle = clock.after(IDLE_WEBSOCKET_MS, checkIdle);

    for (const way of [out, back]) {
      const { from, to, side } = way;
      from.on('data', (chunk: Buffer) => pass(way, chunk));
      to.on('drain', () => from.resume());
      from.on('error', () => undefined);
      // A stream of HTTP/2 that is reset comes to a quiet end, as if all had been said.
      from.once('aborted', () => {
        if (!way.closed && !way.ended) settle({ type: 'broke', side });
      });
      from.once('end', () => {
        way.ended = true;
        to.end();
        if (out.ended && back.ended) settle({ type: 'closed' });
        linger();
      });
      from.once('close', () => {
        way.gone = true;
        settle(way.ended || way.closed ? { type: 'closed' } : { type: 'broke', side });
        if (way.ended) to.end();
        else to.destroy();
        if (out.gone && back.gone) finish();
        else linger();
      });
    }
    if (program.destroyed || server.destroyed) {
      settle({ type: 'broke', side: program.destroyed ? 'program' : 'server' });
      finish();
    }
  });
