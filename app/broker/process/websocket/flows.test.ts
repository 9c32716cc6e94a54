import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGrant } from '../../../policy/index.ts';
import { createCredentialBook } from '../credential-book.ts';
import { createScrubber } from '../scrub.ts';
import {
  applyMask,
  closePayload,
  createFrameParser,
  OPCODE,
  writeFrame,
  type Opcode,
} from './frame.ts';
import { createScrubbedFrames, MAX_REFRAMED_BYTES, type FrameFlow } from './incoming.ts';
import { createCheckedFrames, createSearchedFrames, MAX_SEARCHED_FRAME_BYTES } from './outgoing.ts';

const SECRET = 'sk-real-0123456789/ABCDEFGH+ijklmnop';
const PLACEHOLDER = 'sk-fake-zyxwvutsrqponmlkjihgfedcba';
const scrubber = createScrubber([{ secret: SECRET, placeholder: PLACEHOLDER }]);
const scrubbed = (): FrameFlow => createScrubbedFrames(() => scrubber);
const grant = buildGrant({ name: 'key', kind: 'bearer', hosts: [], addedAt: '' }, ['live.test']);
if (!grant.ok) throw new Error('no grant');
const PLACEHOLDER_OUT = grant.value.placeholder;
const trip = createCredentialBook([{ grant: grant.value, secret: SECRET }]).bodyTrip;
const MASK = Buffer.from([9, 8, 7, 6]);

type Message = { opcode: number; payload: Buffer };

/** Messages and control frames as an endpoint would see them; throws where a frame is wrong. */
const endpoint = (from: 'client' | 'server') => {
  const parser = createFrameParser({ from, reserved: 0 });
  const seen: Message[] = [];
  const frames: number[] = [];
  let open: Message | undefined;
  return {
    seen,
    frames,
    take: (bytes: Buffer): void => {
      for (const event of parser.push(bytes)) {
        if (event.type === 'bad') throw new Error(event.failure.message);
        const { head } = event;
        if (event.type === 'control') seen.push({ opcode: head.opcode, payload: event.payload });
        else if (event.type === 'begin') {
          frames.push(head.length);
          open ??= { opcode: head.message, payload: Buffer.alloc(0) };
        } else if (open !== undefined) {
          const piece = applyMask(event.wire, head.mask, event.at);
          open.payload = Buffer.concat([open.payload, piece]);
          if (event.last && head.fin) {
            seen.push(open);
            open = undefined;
          }
        }
      }
    },
  };
};

const frame = (text: string | Buffer, opcode: Opcode = OPCODE.text, fin = true): Buffer =>
  Buffer.concat(writeFrame({ fin, opcode }, Buffer.from(text)));
const masked = (text: string | Buffer, opcode: Opcode = OPCODE.text, fin = true): Buffer =>
  Buffer.concat(writeFrame({ fin, opcode, mask: MASK }, Buffer.from(text)));

/** What a program gets of the server's bytes. */
const through = (flow: FrameFlow, chunks: readonly Buffer[]): Message[] => {
  const end = endpoint('server');
  for (const chunk of chunks) {
    const step = flow.push(chunk);
    if (step.failed !== undefined) throw new Error(step.failed.message);
    for (const part of step.out) end.take(part);
  }
  return end.seen;
};

const texts = (messages: readonly Message[]): string[] =>
  messages.map(({ payload }) => payload.toString());

describe('createScrubbedFrames', () => {
  it('replaces a secret in text, in binary and in control frames', () => {
    const flow = scrubbed();
    const chunks = [
      frame(`echo ${SECRET}!`),
      frame(Buffer.from(`\u0000${SECRET}\u0001`), OPCODE.binary),
      frame(SECRET, OPCODE.ping),
      frame(Buffer.concat([Buffer.from([3, 232]), Buffer.from(SECRET)]), OPCODE.close),
    ];
    expect(texts(through(flow, chunks))).toEqual([
      `echo ${PLACEHOLDER}!`,
      `\u0000${PLACEHOLDER}\u0001`,
      PLACEHOLDER,
      expect.stringContaining(PLACEHOLDER),
    ]);
  });

  it('replaces a secret that is cut by fragments, a ping in between, and counts it once', () => {
    for (let cut = 1; cut < SECRET.length; cut += 1) {
      const flow = scrubbed();
      const end = endpoint('server');
      let hits = 0;
      for (const chunk of [
        frame(`a${SECRET.slice(0, cut)}`, OPCODE.text, false),
        frame('now', OPCODE.ping),
        frame(`${SECRET.slice(cut)}z`, OPCODE.continuation),
      ]) {
        const step = flow.push(chunk);
        hits += step.hits;
        for (const part of step.out) end.take(part);
      }
      expect(texts(end.seen)).toEqual(['now', `a${PLACEHOLDER}z`]);
      expect(hits).toBe(1);
    }
  });

  it('replaces a secret in fragments of one byte and of none', () => {
    const bytes = Array.from(`<${SECRET}>`);
    const chunks = bytes.flatMap((byte, index) => [
      frame(byte, index === 0 ? OPCODE.text : OPCODE.continuation, false),
      frame('', OPCODE.continuation, false),
    ]);
    expect(texts(through(scrubbed(), [...chunks, frame('', OPCODE.continuation)]))).toEqual([
      `<${PLACEHOLDER}>`,
    ]);
  });

  it('never tells more than half of a secret over consecutive messages', () => {
    for (let size = 1; size < SECRET.length; size += 1) {
      for (let lead = 0; lead < size; lead += 1) {
        const whole = `${'-'.repeat(lead)}${SECRET} and on`;
        const messages: string[] = [];
        for (let at = 0; at < whole.length; at += size) messages.push(whole.slice(at, at + size));
        const out = texts(
          through(
            scrubbed(),
            messages.map((text) => frame(text)),
          ),
        ).join('');
        for (let at = 0; at + SECRET.length / 2 + 1 <= SECRET.length; at += 1) {
          expect(out).not.toContain(SECRET.slice(at, at + SECRET.length / 2 + 1));
        }
        expect(out).toContain(' and on');
      }
    }
  });

  it('gives each message at its end, though it ends like the beginning of a secret', () => {
    const flow = scrubbed();
    for (const text of ['s', 'sk', 'sk-re', 'sk-real-01', 'the end is sk-real-0']) {
      expect(texts(through(flow, [frame(text)]))).toEqual([text]);
    }
    expect(texts(through(flow, [frame('other')]))).toEqual(['other']);
  });

  it('streams a large frame and collects none of it past the bound', () => {
    const flow = scrubbed();
    const size = MAX_REFRAMED_BYTES * 5;
    const payload = Buffer.alloc(size, 'x');
    payload.write(SECRET, MAX_REFRAMED_BYTES - 10);
    const whole = frame(payload, OPCODE.binary);
    const end = endpoint('server');
    let given = 0;
    for (let at = 0; at < whole.length; at += 10_000) {
      for (const part of flow.push(whole.subarray(at, at + 10_000)).out) {
        given += part.length;
        end.take(part);
      }
      expect(Math.min(at + 10_000, whole.length) - given).toBeLessThan(MAX_REFRAMED_BYTES + 20_000);
    }
    const expected = payload.toString().replace(SECRET, PLACEHOLDER);
    expect(end.seen.map(({ payload: got }) => got.toString() === expected)).toEqual([true]);
  });

  it('keeps small frames one to one', () => {
    const flow = scrubbed();
    const end = endpoint('server');
    const chunks = [frame('one', OPCODE.text, false), frame('two', OPCODE.continuation)];
    for (const chunk of chunks) for (const part of flow.push(chunk).out) end.take(part);
    expect(end.frames).toEqual([3, 3]);
  });

  it('stops at text that is no UTF-8, and passes binary that is none', () => {
    const bytes = Buffer.from([0xff, 0xfe]);
    expect(scrubbed().push(frame(bytes)).failed?.code).toBe(1007);
    expect(through(scrubbed(), [frame(bytes, OPCODE.binary)])[0]?.payload).toEqual(bytes);
    expect(scrubbed().push(frame(Buffer.from('€').subarray(0, 2))).failed?.code).toBe(1007);
  });

  it('passes nothing after a close frame', () => {
    const flow = scrubbed();
    const step = flow.push(Buffer.concat([frame('', OPCODE.close), frame('late')]));
    expect([Buffer.concat(step.out).toString('hex'), step.closed]).toEqual(['8800', true]);
    expect(flow.push(frame('later')).out).toEqual([]);
  });

  it('gives equal messages for random frames cut at random places', () => {
    const message = fc.record({
      opcode: fc.constantFrom<Opcode>(OPCODE.text, OPCODE.binary),
      parts: fc.array(
        fc.oneof(fc.string({ maxLength: 200 }), fc.constantFrom(SECRET, 'sk-real-')),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      ping: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 30 }),
        (messages, sizes) => {
          const bytes = Buffer.concat(
            messages.flatMap(({ opcode, parts, ping }) =>
              parts.flatMap((part, index) => [
                frame(part, index === 0 ? opcode : OPCODE.continuation, index === parts.length - 1),
                ...(ping ? [frame('ping', OPCODE.ping)] : []),
              ]),
            ),
          );
          const chunks: Buffer[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          const got = through(scrubbed(), chunks).filter(({ opcode }) => opcode < OPCODE.close);
          expect(got.map(({ opcode, payload }) => [opcode, payload.toString()])).toEqual(
            messages.map(({ opcode, parts }) => [
              opcode,
              parts.join('').replaceAll(SECRET, PLACEHOLDER),
            ]),
          );
        },
      ),
      { numRuns: 300, seed: 2 },
    );
  });
});

describe('createSearchedFrames', () => {
  const found = (chunks: readonly Buffer[]): { owner: number | undefined; sent: string } => {
    const flow = createSearchedFrames(trip);
    const out: Buffer[] = [];
    for (const chunk of chunks) {
      const step = flow.push(chunk);
      out.push(...step.out);
      if (step.tripped !== undefined || step.failed !== undefined) {
        return { owner: step.tripped?.owner, sent: Buffer.concat(out).toString('hex') };
      }
    }
    return { owner: undefined, sent: Buffer.concat(out).toString('hex') };
  };

  it('passes everything else on, byte for byte, masks included', () => {
    const chunks = [
      masked('hello', OPCODE.text, false),
      masked('ping', OPCODE.ping),
      masked(' there', OPCODE.continuation),
      masked(Buffer.alloc(MAX_SEARCHED_FRAME_BYTES + 1, 'x'), OPCODE.binary),
    ];
    expect(found(chunks)).toEqual({
      owner: undefined,
      sent: Buffer.concat(chunks).toString('hex'),
    });
  });

  it.each([
    ['text', [masked(`a ${PLACEHOLDER_OUT}`)]],
    ['binary', [masked(PLACEHOLDER_OUT, OPCODE.binary)]],
    ['a ping', [masked(PLACEHOLDER_OUT, OPCODE.ping)]],
    ['a close reason', [masked(closePayload(1000, PLACEHOLDER_OUT), OPCODE.close)]],
  ])('finds a placeholder in %s before any of its frame has gone', (_where, chunks) => {
    expect(found(chunks)).toEqual({ owner: 0, sent: '' });
  });

  it('finds one that is cut by fragments and by messages, and never lets it out whole', () => {
    for (let cut = 1; cut < PLACEHOLDER_OUT.length; cut += 1) {
      const [head, tail] = [PLACEHOLDER_OUT.slice(0, cut), PLACEHOLDER_OUT.slice(cut)];
      const first = masked(head, OPCODE.text, false);
      expect(found([first, masked('', OPCODE.ping), masked(tail, OPCODE.continuation)])).toEqual({
        owner: 0,
        sent: Buffer.concat([first, masked('', OPCODE.ping)]).toString('hex'),
      });
      const message = masked(head);
      expect(found([message, masked(tail)])).toEqual({ owner: 0, sent: message.toString('hex') });
    }
  });

  it('finds one in a large frame that streams, cut anywhere', () => {
    const payload = Buffer.alloc(MAX_SEARCHED_FRAME_BYTES * 2, 'x');
    payload.write(PLACEHOLDER_OUT, MAX_SEARCHED_FRAME_BYTES + 500);
    const whole = masked(payload, OPCODE.binary);
    const chunks: Buffer[] = [];
    for (let at = 0; at < whole.length; at += 777) chunks.push(whole.subarray(at, at + 777));
    expect(found(chunks).owner).toBe(0);
  });

  it('says when a close frame of ours would fall into a frame', () => {
    const flow = createSearchedFrames(trip);
    const whole = masked(Buffer.alloc(MAX_SEARCHED_FRAME_BYTES + 1, 'x'), OPCODE.binary);
    expect(flow.between()).toBe(true);
    flow.push(whole.subarray(0, 50));
    expect(flow.between()).toBe(false);
    flow.push(whole.subarray(50));
    expect(flow.between()).toBe(true);
  });
});

describe('createCheckedFrames', () => {
  it('passes frames of an extension untouched, and stops at what no extension makes right', () => {
    const chunk = Buffer.from('c10141', 'hex');
    expect(Buffer.concat(createCheckedFrames('server', true).push(chunk).out)).toEqual(chunk);
    expect(createCheckedFrames('server', false).push(chunk).failed?.code).toBe(1002);
    expect(createCheckedFrames('client', true).push(chunk).failed?.code).toBe(1002);
  });
});
