import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createFrameReader,
  MAX_FRAME_BYTES,
  MAX_FRAME_FIELDS,
  MAX_QUESTION_BYTES,
  writeFrame,
  type Frame,
} from './frames.ts';
import { messageOf } from './messages.ts';

const SEED = 20_261_121;

const encode = (kind: string, fields: readonly (string | Buffer)[]): Buffer => {
  const body = Buffer.concat([
    Buffer.from(kind, 'latin1'),
    ...fields.flatMap((field) => [Buffer.from(field), Buffer.from([0])]),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
};

const read = (parts: readonly Buffer[]): { frames: Frame[]; broken: string[] } => {
  const frames: Frame[] = [];
  const broken: string[] = [];
  const reader = createFrameReader(
    (frame) => {
      frames.push({ kind: frame.kind, fields: frame.fields.map((field) => Buffer.from(field)) });
      return true;
    },
    (why) => broken.push(why),
  );
  for (const part of parts) reader.push(part);
  return { frames, broken };
};

const field = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.map((byte) => byte || 1)));
const frame = fc.tuple(
  fc.constantFrom('R', 'P', 'T', 'G', 'A', 'E', '?'),
  fc.array(field, { maxLength: 9 }),
);

describe('createFrameReader', () => {
  it('reads the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 8 }),
        fc.array(fc.nat(30), { maxLength: 60 }),
        (sent, cuts) => {
          const whole = Buffer.concat(sent.map(([kind, fields]) => encode(kind, fields)));
          const parts: Buffer[] = [];
          let at = 0;
          for (const cut of cuts) {
            parts.push(whole.subarray(at, at + cut));
            at += cut;
          }
          parts.push(whole.subarray(at));
          const { frames, broken } = read(parts);
          expect(broken).toEqual([]);
          expect(frames).toEqual(sent.map(([kind, fields]) => ({ kind, fields })));
        },
      ),
      { seed: SEED },
    );
  });

  it('never throws on junk, and says once that the stream is broken', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (parts) => {
        const broken: string[] = [];
        const reader = createFrameReader(
          (one) => messageOf(one) !== undefined,
          (why) => broken.push(why),
        );
        for (const part of parts) reader.push(Buffer.from(part));
        expect(broken.length).toBeLessThanOrEqual(1);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  it('takes a frame of the longest length and breaks one byte past it, before it has come', () => {
    const longest = encode('T', ['x'.repeat(MAX_FRAME_BYTES - 2)]);
    expect(read([longest])).toMatchObject({ broken: [], frames: [{ kind: 'T' }] });
    const past = Buffer.alloc(4);
    past.writeUInt32BE(MAX_FRAME_BYTES + 1);
    expect(read([past]).broken).toHaveLength(1);
    expect(read([Buffer.alloc(4)]).broken).toHaveLength(1);
  });

  it('breaks on a field without an end and on too many fields', () => {
    const cut = encode('T', ['abc']);
    cut.writeUInt32BE(cut.length - 4 - 1);
    expect(read([cut.subarray(0, -1)]).broken).toHaveLength(1);
    const many = (count: number) =>
      read([
        encode(
          'P',
          Array.from({ length: count }, () => 'a'),
        ),
      ]);
    expect(many(MAX_FRAME_FIELDS).broken).toEqual([]);
    expect(many(MAX_FRAME_FIELDS + 1).broken).toHaveLength(1);
  });

  it('is over once a frame was refused', () => {
    const frames: string[] = [];
    const reader = createFrameReader(
      ({ kind }) => frames.push(kind) < 2,
      () => undefined,
    );
    expect(reader.push(Buffer.concat([encode('A', []), encode('B', []), encode('C', [])]))).toBe(
      false,
    );
    expect(reader.push(encode('D', []))).toBe(false);
    expect(frames).toEqual(['A', 'B']);
  });
});

describe('writeFrame', () => {
  it('writes what the reader reads, up to the longest question', () => {
    expect(read([writeFrame('Q', [7, 'tcp'])]).frames).toEqual([
      { kind: 'Q', fields: [Buffer.from('7'), Buffer.from('tcp')] },
    ]);
    expect(writeFrame('Q', ['x'.repeat(MAX_QUESTION_BYTES - 2)])).toHaveLength(
      MAX_QUESTION_BYTES + 4,
    );
    expect(() => writeFrame('Q', ['x'.repeat(MAX_QUESTION_BYTES - 1)])).toThrow('too long');
  });
});

describe('messageOf', () => {
  const message = (kind: string, ...fields: (string | Buffer)[]) =>
    messageOf({ kind, fields: fields.map((one) => Buffer.from(one)) });

  it('reads each kind', () => {
    expect(message('R', '1', '1')).toEqual({ type: 'ready', version: '1', seesEntries: true });
    expect(message('P', '3', '42', '0', 'node', '')).toEqual({
      type: 'program',
      slot: 3,
      pid: 42,
      parent: 0,
      command: ['node', ''],
    });
    expect(message('T', 'm', '0', '42', '1', '1500', '/p/a', '/p/b')).toEqual({
      type: 'touch',
      op: 'rename',
      slot: 0,
      pid: 42,
      count: 1,
      time: 1.5,
      path: '/p/a',
      to: '/p/b',
    });
    expect(message('G', '0', 'why')).toEqual({ type: 'gap', lost: 0, message: 'why' });
    expect(message('A', '9', '0')).toEqual({ type: 'answer', id: 9, slot: 0 });
    expect(message('E', 'no')).toEqual({ type: 'failed', message: 'no' });
  });

  it.each([
    ['an unknown kind', message('Z')],
    ['an unknown op', message('T', 'q', '0', '1', '1', '1', '/p', '')],
    ['a touch of nothing', message('T', 'o', '0', '1', '0', '1', '/p', '')],
    ['a touch without a path', message('T', 'o', '0', '1', '1', '1', '', '')],
    ['a time past all dates', message('T', 'o', '0', '1', '1', '9007199254740993', '/p', '')],
    ['a negative number', message('G', '-1', 'x')],
    ['a number with a point', message('A', '1.5', '0')],
    ['an empty number', message('A', '', '0')],
    ['a slot past the table', message('A', '1', '1025')],
    ['slot 0 as a program', message('P', '0', '1', '0')],
    ['a field too many', message('G', '1', 'x', 'y')],
  ])('refuses %s', (_what, parsed) => {
    expect(parsed).toBeUndefined();
  });

  it('keeps names that are no UTF-8, as escapes', () => {
    const touch = message('T', 'o', '0', '1', '1', '1', Buffer.from('/p/\\é\xff', 'latin1'), '');
    expect(touch).toMatchObject({ path: '/p/\\\\\\xe9\\xff' });
    expect(message('T', 'o', '0', '1', '1', '1', '/p/\\é', '')).toMatchObject({ path: '/p/\\é' });
  });
});
