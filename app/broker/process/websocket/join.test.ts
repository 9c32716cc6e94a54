import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createManualClock, type ManualClock } from '../../../kit/index.ts';
import { OPCODE, writeFrame, type Opcode } from './frame.ts';
import {
  IDLE_WEBSOCKET_MS,
  joinWebSocket,
  MAX_PARTS_AT_ONCE,
  WEBSOCKET_LINGER_MS,
  type WebSocketEnd,
} from './join.ts';
import { createCheckedFrames } from './outgoing.ts';

const MASK = Buffer.from([1, 2, 3, 4]);
const masked = (text: string, opcode: Opcode = OPCODE.text): Buffer =>
  Buffer.concat(writeFrame({ fin: true, opcode, mask: MASK }, Buffer.from(text)));
const plain = (text: string, opcode: Opcode = OPCODE.text): Buffer =>
  Buffer.concat(writeFrame({ fin: true, opcode }, Buffer.from(text)));

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Peer = { readonly stream: Duplex; readonly got: () => string; readonly ended: () => boolean };
const peerOf = (stream: Duplex): Peer => {
  const parts: Buffer[] = [];
  let ended = false;
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('end', () => {
    ended = true;
  });
  stream.on('error', () => undefined);
  return { stream, got: () => Buffer.concat(parts).toString('hex'), ended: () => ended };
};

const start = (): {
  clock: ManualClock;
  program: Peer;
  server: Peer;
  ours: readonly Duplex[];
  end: Promise<WebSocketEnd>;
  bytes: { bytesOut: number; bytesIn: number };
} => {
  const clock = createManualClock();
  const [program, inner] = duplexPair();
  const [server, outer] = duplexPair();
  const bytes = { bytesOut: 0, bytesIn: 0 };
  const end = joinWebSocket({
    clock,
    program: inner,
    server: outer,
    outgoing: createCheckedFrames('client', false),
    incoming: createCheckedFrames('server', false),
    onProgress: (so) => Object.assign(bytes, { bytesOut: so.bytesOut, bytesIn: so.bytesIn }),
    tripReason: () => 'never',
  });
  return {
    clock,
    program: peerOf(program),
    server: peerOf(server),
    ours: [inner, outer],
    end,
    bytes,
  };
};

describe('joinWebSocket', () => {
  it('passes frames both ways, counts them, and ends with both ends', async () => {
    const { program, server, end, bytes } = start();
    program.stream.write(masked('to'));
    server.stream.write(plain('fro!'));
    await settled();
    expect([server.got(), program.got()]).toEqual([
      masked('to').toString('hex'),
      plain('fro!').toString('hex'),
    ]);
    expect(bytes).toEqual({ bytesOut: 8, bytesIn: 6 });
    program.stream.end();
    await settled();
    expect(server.ended()).toBe(true);
    server.stream.write(plain('last'));
    server.stream.end();
    expect(await end).toEqual({ type: 'closed' });
    expect(program.got()).toContain(plain('last').toString('hex'));
  });

  it('passes a flood of tiny frames in few pieces, each in its place', async () => {
    const { program, server } = start();
    let pieces = 0;
    server.stream.on('data', () => {
      pieces += 1;
    });
    const all = Array.from({ length: 5000 }, (_, at) => masked(String(at % 10)));
    program.stream.write(Buffer.concat(all));
    await settled();
    expect(server.got()).toBe(Buffer.concat(all).toString('hex'));
    expect(pieces).toBeLessThan(MAX_PARTS_AT_ONCE);
  });

  it('ends both sides when nothing came for too long, and not before', async () => {
    const { clock, program, server, end, ours } = start();
    clock.advance(IDLE_WEBSOCKET_MS - 1);
    program.stream.write(masked('', OPCODE.ping));
    await settled();
    clock.advance(IDLE_WEBSOCKET_MS - 1);
    await settled();
    expect(program.ended()).toBe(false);
    clock.advance(1);
    await settled();
    expect(program.got()).toContain('03e9');
    expect(server.ended() && program.ended()).toBe(true);
    clock.advance(WEBSOCKET_LINGER_MS);
    expect(await end).toEqual({ type: 'silent' });
    expect(ours.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  it('waits a moment for a side that does not end, then cuts it off', async () => {
    const { clock, program, server, end, ours } = start();
    program.stream.write(masked('', OPCODE.close));
    server.stream.write(plain('', OPCODE.close));
    await settled();
    expect(ours.map(({ destroyed }) => destroyed)).toEqual([false, false]);
    clock.advance(WEBSOCKET_LINGER_MS);
    expect(await end).toEqual({ type: 'closed' });
    expect(ours.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  it('cuts off what stays half open', async () => {
    const { clock, program, server, end, ours } = start();
    server.stream.end();
    await settled();
    expect(program.ended()).toBe(true);
    clock.advance(WEBSOCKET_LINGER_MS);
    expect(await end).toEqual({ type: 'closed' });
    expect(ours.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  it('says which side broke off', async () => {
    const { end, ours } = start();
    ours[1]?.destroy();
    expect(await end).toEqual({ type: 'broke', side: 'server' });
    await settled();
    expect(ours[0]?.destroyed).toBe(true);
  });

  it('says so too where a reset looks like an end, as on a stream of HTTP/2', async () => {
    const { program, server, end, ours } = start();
    ours[0]?.emit('aborted');
    program.stream.end();
    await settled();
    expect(server.ended()).toBe(true);
    server.stream.end();
    expect(await end).toEqual({ type: 'broke', side: 'program' });
  });

  it('writes no close frame into the middle of a frame', async () => {
    const { clock, program, server, end } = start();
    program.stream.write(masked('a long message').subarray(0, 10));
    await settled();
    server.stream.write(Buffer.from('830141', 'hex'));
    await settled();
    clock.advance(WEBSOCKET_LINGER_MS);
    expect(await end).toMatchObject({ type: 'failed', side: 'server', failure: { code: 1002 } });
    expect(server.got()).toBe(masked('a long message').subarray(0, 10).toString('hex'));
    expect(server.ended()).toBe(true);
    expect(program.got()).toContain('03ea');
  });

  it.each(['program', 'server'] as const)('lets a slow %s hold the other back', async (slow) => {
    const { program, server, ours } = start();
    const [from, to, inner, outer] =
      slow === 'program'
        ? [server, program, ours[0], ours[1]]
        : [program, server, ours[1], ours[0]];
    to.stream.pause();
    const text = 'x'.repeat(60_000);
    const part = slow === 'program' ? plain(text) : masked(text);
    let taken = 0;
    for (let count = 0; count < 200; count += 1) {
      if (from.stream.write(part)) taken += 1;
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
      await settled();
    }
    expect(outer?.isPaused()).toBe(true);
    expect(taken).toBeLessThan(20);
    expect(inner?.writableLength ?? 0).toBeLessThan(4 * part.length);
  });
});
