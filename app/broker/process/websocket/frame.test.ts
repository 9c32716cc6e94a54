import { isUtf8 } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyMask,
  closePayload,
  createFrameParser,
  MAX_FRAME_BYTES,
  OPCODE,
  readClose,
  writeFrame,
  type FrameEvent,
  type Opcode,
} from './frame.ts';
import { createTextCheck, cutText } from './utf8.ts';

const client = (): ReturnType<typeof createFrameParser> =>
  createFrameParser({ from: 'client', reserved: 0 });
const server = (): ReturnType<typeof createFrameParser> =>
  createFrameParser({ from: 'server', reserved: 0 });

const badOf = (events: readonly FrameEvent[]): number | undefined => {
  const last = events.at(-1);
  return last?.type === 'bad' ? last.failure.code : undefined;
};

const MASK = Buffer.from([1, 2, 3, 4]);

describe('createFrameParser', () => {
  it('reads the examples of RFC 6455 5.7', () => {
    const [begin, piece] = server().push(Buffer.from('810548656c6c6f', 'hex'));
    expect(begin).toMatchObject({
      type: 'begin',
      head: { fin: true, opcode: OPCODE.text, length: 5 },
    });
    expect(piece).toMatchObject({ type: 'piece', last: true, wire: Buffer.from('Hello') });

    const masked = client().push(Buffer.from('818537fa213d7f9f4d5158', 'hex'))[1];
    if (masked?.type !== 'piece') throw new Error('no piece');
    expect(applyMask(masked.wire, masked.head.mask, 0).toString()).toBe('Hello');

    const parts = server().push(Buffer.from('010348656c80026c6f', 'hex'));
    expect(parts.filter(({ type }) => type === 'begin').map((event) => event)).toMatchObject([
      { head: { fin: false, opcode: OPCODE.text, message: OPCODE.text } },
      { head: { fin: true, opcode: OPCODE.continuation, message: OPCODE.text } },
    ]);
    expect(server().push(Buffer.from('890548656c6c6f', 'hex'))).toMatchObject([
      { type: 'control', payload: Buffer.from('Hello') },
    ]);
  });

  it.each<[string, string, 'client' | 'server', number]>([
    ['a frame of a client without a mask', '810141', 'client', 1002],
    ['a masked frame of a server', '81810000000041', 'server', 1002],
    ['reserved bit 1', 'c10141', 'server', 1002],
    ['reserved bit 2', 'a10141', 'server', 1002],
    ['reserved bit 3', '910141', 'server', 1002],
    ['opcode 3', '830141', 'server', 1002],
    ['opcode 7', '870141', 'server', 1002],
    ['opcode 11', '8b00', 'server', 1002],
    ['opcode 15', '8f00', 'server', 1002],
    ['a fragmented ping', '0900', 'server', 1002],
    ['a ping of 126 bytes', `897e007e${'41'.repeat(126)}`, 'server', 1002],
    ['a close of 126 bytes', `887e007e${'41'.repeat(126)}`, 'server', 1002],
    ['a continuation of nothing', '800141', 'server', 1002],
    ['a continuation after the last', '810141800141', 'server', 1002],
    ['a message inside a message', '010141010142', 'server', 1002],
    ['a length of 125 in two bytes', '827e007d', 'server', 1002],
    ['a length of 65535 in eight bytes', '827f000000000000ffff', 'server', 1002],
    ['a length with the highest bit', '827f8000000000000000', 'server', 1002],
    ['a length past the cap', '827f0000010000000001', 'server', 1009],
    ['the longest length', '827f7fffffffffffffff', 'server', 1009],
  ])('refuses %s', (_what, hex, from, code) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(badOf(createFrameParser({ from, reserved: 0 }).push(bytes))).toBe(code);
    const slow = createFrameParser({ from, reserved: 0 });
    const events = Array.from(bytes).flatMap((byte) => slow.push(Buffer.from([byte])));
    expect(badOf(events)).toBe(code);
    expect(slow.push(Buffer.from('8100', 'hex'))).toEqual([]);
  });

  it('takes a length at the cap, and bits that an extension uses', () => {
    const header = Buffer.from('827f0000000000000000', 'hex');
    header.writeBigUInt64BE(BigInt(MAX_FRAME_BYTES), 2);
    expect(badOf(server().push(header))).toBeUndefined();
    const extended = createFrameParser({ from: 'server', reserved: 0x40 });
    expect(badOf(extended.push(Buffer.from('c10141', 'hex')))).toBeUndefined();
    expect(badOf(extended.push(Buffer.from('a10141', 'hex')))).toBe(1002);
  });

  it('hands a control frame over in the middle of a message', () => {
    const parser = server();
    expect(parser.push(Buffer.from('0101418900', 'hex')).map(({ type }) => type)).toEqual([
      'begin',
      'piece',
      'control',
    ]);
    expect(parser.push(Buffer.from('800142', 'hex')).map(({ type }) => type)).toEqual([
      'begin',
      'piece',
    ]);
    expect(parser.idle()).toBe(true);
  });

  it('reads what was written, wherever it is cut', () => {
    const frames = fc.array(
      fc.record({
        opcode: fc.constantFrom<Opcode>(OPCODE.text, OPCODE.binary, OPCODE.ping, OPCODE.pong),
        size: fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 127, 65_535, 65_536, 70_000)),
      }),
      { minLength: 1, maxLength: 6 },
    );
    const cuts = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 3, maxLength: 40 });
    fc.assert(
      fc.property(frames, cuts, fc.boolean(), (list, sizes, masked) => {
        const made = list.map(({ opcode, size }, index) => ({
          opcode,
          payload: Buffer.alloc(opcode >= 8 ? Math.min(size, 125) : size, index + 65),
        }));
        const bytes = Buffer.concat(
          made.flatMap(({ opcode, payload }) =>
            writeFrame({ fin: true, opcode, ...(masked ? { mask: MASK } : {}) }, payload),
          ),
        );
        const parser = masked ? client() : server();
        const seen: { opcode: Opcode; payload: Buffer }[] = [];
        let at = 0;
        for (let turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          for (const event of parser.push(bytes.subarray(at, at + size))) {
            if (event.type === 'bad') throw new Error(event.failure.message);
            const { head } = event;
            if (event.type === 'control')
              seen.push({ opcode: head.opcode, payload: event.payload });
            else if (event.type === 'begin')
              seen.push({ opcode: head.opcode, payload: Buffer.alloc(0) });
            else {
              const last = seen.at(-1);
              if (last === undefined) throw new Error('a piece without its beginning');
              if (event.at !== last.payload.length) throw new Error('a piece out of place');
              last.payload = Buffer.concat([
                last.payload,
                applyMask(event.wire, head.mask, event.at),
              ]);
            }
          }
          at += size;
        }
        const plain = (all: typeof seen): unknown[] =>
          all.map(({ opcode, payload }) => [opcode, payload.toString('latin1')]);
        expect(plain(seen)).toEqual(plain(made));
        expect(parser.idle()).toBe(true);
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});

describe('createFrameParser with any bytes', () => {
  it('never throws, and hands on what it took, byte for byte', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
        fc.constantFrom<'client' | 'server'>('client', 'server'),
        fc.constantFrom(0, 0x40, 0x70),
        (chunks, from, reserved) => {
          const parser = createFrameParser({ from, reserved });
          const events = chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)));
          const wire = Buffer.concat(
            events.map((event) => (event.type === 'bad' ? Buffer.alloc(0) : event.wire)),
          );
          const all = Buffer.concat(chunks);
          expect(all.subarray(0, wire.length).equals(wire)).toBe(true);
          const good = events.every(({ type }) => type !== 'bad');
          expect(!good || all.length - wire.length < 14 + 125).toBe(true);
          expect(events.slice(0, -1).some(({ type }) => type === 'bad')).toBe(false);
        },
      ),
      { numRuns: 2000, seed: 3 },
    );
  });
});

describe('readClose', () => {
  it.each([1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])('takes code %i', (code) => {
    const read = readClose(closePayload(code, 'bye'), isUtf8);
    expect(read).toEqual({ ok: true, value: { code, reason: Buffer.from('bye') } });
  });
  it.each([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])(
    'refuses code %i',
    (code) => {
      expect(readClose(closePayload(code, ''), isUtf8)).toMatchObject({ ok: false });
    },
  );
  it('takes nothing, refuses half a code and a reason that is no text', () => {
    expect(readClose(Buffer.alloc(0), isUtf8)).toEqual({ ok: true, value: undefined });
    expect(readClose(Buffer.from([3]), isUtf8)).toMatchObject({ ok: false, error: { code: 1002 } });
    expect(readClose(Buffer.from([3, 232, 255]), isUtf8)).toMatchObject({
      ok: false,
      error: { code: 1007 },
    });
  });
});

describe('createTextCheck', () => {
  it('agrees with a check of the whole, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
          fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
        ),
        fc.integer({ min: 1, max: 5 }),
        (bytes, size) => {
          const check = createTextCheck();
          let good = true;
          for (let at = 0; at < bytes.length; at += size) {
            good = good && check.push(bytes.subarray(at, at + size));
          }
          expect(good && check.end()).toBe(isUtf8(bytes));
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });
  it('cuts a text at the end of a character', () => {
    expect(cutText(Buffer.from('aé€😀'), 9).toString()).toBe('aé€');
    expect(cutText(Buffer.from('aé€😀'), 10).toString()).toBe('aé€😀');
    expect(cutText(Buffer.from('aé'), 2).toString()).toBe('a');
  });
});
