import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createManualClock, systemClock } from '../../../kit/index.ts';
import { prepareNeedles } from '../needles.ts';
import { createSearch, type Search } from '../search.ts';
import { createGuard, MAX_RELEASED_BYTES } from './guard.ts';
import { splice, type SpliceEnd, type Spliced } from './splice.ts';

const VALUE = 'sk-real-0123456789-abcdefghij';

const search = (): Search =>
  createSearch(
    prepareNeedles([
      {
        find: Buffer.from(VALUE),
        replace: () => Buffer.alloc(0),
        owner: 7,
        escapes: false,
        wraps: false,
      },
    ]),
  );

/** Two ends of a real TCP connection. */
const pair = async (): Promise<[Socket, Socket]> => {
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const near = createConnection({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  const far = await accepted;
  server.close();
  for (const socket of [near, far]) socket.on('error', () => undefined);
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
};

const collect = (socket: Socket): { text: () => string; ended: Promise<void> } => {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return {
    text: () => text,
    ended: new Promise((resolve) => {
      socket.once('end', resolve);
      socket.once('close', () => resolve());
    }),
  };
};

const until = async (test: () => boolean): Promise<void> => {
  for (let round = 0; round < 1000 && !test(); round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(test()).toBe(true);
};

const rig = async (
  options: Partial<{ outgoing: Search; incoming: Search; idleMs: number }> = {},
) => {
  const [program, inside] = await pair();
  const [outside, server] = await pair();
  const done: Promise<Spliced> = splice({
    clock: systemClock,
    inside,
    outside,
    outgoing: options.outgoing,
    incoming: options.incoming,
    idleMs: options.idleMs ?? 60_000,
  });
  return { program, server, done, end: async (): Promise<SpliceEnd> => (await done).end };
};

describe('two joined connections', () => {
  it('carry bytes both ways and count them', async () => {
    const { program, server, done } = await rig({ outgoing: search(), incoming: search() });
    const atServer = collect(server);
    const atProgram = collect(program);
    program.write('ask');
    await until(() => atServer.text() === 'ask');
    server.write('answer');
    await until(() => atProgram.text() === 'answer');
    program.end();
    server.end();
    expect(await done).toEqual({ end: { type: 'done' }, bytesOut: 3, bytesIn: 6 });
  });

  it('pass an end of one direction on and keep the other open', async () => {
    const { program, server, end } = await rig();
    const atServer = collect(server);
    const atProgram = collect(program);
    program.end('all I have');
    await atServer.ended;
    expect(atServer.text()).toBe('all I have');
    server.end('and the answer');
    await atProgram.ended;
    expect(atProgram.text()).toBe('and the answer');
    expect(await end()).toEqual({ type: 'done' });
  });

  it('keep the way to the server open when the server has ended', async () => {
    const { program, server, end } = await rig();
    const atServer = collect(server);
    server.end('bye');
    const atProgram = collect(program);
    await atProgram.ended;
    program.end('one thing more');
    await atServer.ended;
    expect(atServer.text()).toBe('one thing more');
    expect(await end()).toEqual({ type: 'done' });
  });

  it.each(['program', 'server'] as const)('pass on a reset by the %s', async (who) => {
    const { end, ...ends } = await rig();
    const other = who === 'program' ? ends.server : ends.program;
    let code: string | undefined;
    other.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code;
    });
    other.resume();
    ends[who].resetAndDestroy();
    expect(await end()).toMatchObject({
      type: 'broke',
      side: who === 'program' ? 'inside' : 'outside',
    });
    await until(() => code === 'ECONNRESET');
  });

  it('make a fast writer wait for a slow reader', async () => {
    const { program, server } = await rig();
    server.pause();
    let sent = 0;
    const chunk = Buffer.alloc(1024 * 1024);
    // Without backpressure all of it would be taken at once.
    for (let round = 0; round < 64; round += 1) {
      if (!program.write(chunk)) {
        const drained = await Promise.race([
          new Promise<boolean>((resolve) => program.once('drain', () => resolve(true))),
          new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300)),
        ]);
        if (!drained) break;
      }
      sent += 1;
    }
    expect(sent).toBeLessThan(64);
  });

  it('are cut when nothing is said for too long', async () => {
    const { program, end } = await rig({ idleMs: 50 });
    program.resume();
    expect(await end()).toEqual({ type: 'idle' });
  });

  it.each([
    ['out', 'in one piece', [VALUE], 0],
    ['out', 'byte by byte', VALUE.match(/./g) ?? [], VALUE.length - 1],
    ['in', 'in one piece', [`x${VALUE}y`], 0],
    ['in', 'in two pieces', [VALUE.slice(0, 20), VALUE.slice(20)], 0],
  ] as const)('are cut when a value goes %s, %s', async (way, _how, pieces, longest) => {
    const { program, server, end } = await rig({ outgoing: search(), incoming: search() });
    const [from, to] = way === 'out' ? [program, server] : [server, program];
    const seen = collect(to);
    for (const piece of pieces) {
      from.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(await end()).toEqual({ type: 'hit', way, hit: expect.objectContaining({ owner: 7 }) });
    await seen.ended;
    expect(seen.text()).not.toContain(VALUE.slice(0, longest + 1));
  });

  it('do not hold a message back that ends like the beginning of a value', async () => {
    const { program, server } = await rig({ outgoing: search() });
    const seen = collect(server);
    program.write('question: s');
    await until(() => seen.text() === 'question: s');
    program.write(' and a longer one: sk-real-');
    await until(() => seen.text().endsWith('sk-real-'));
    expect(seen.text()).toBe('question: s and a longer one: sk-real-');
  });
});

describe('a guard', () => {
  it('keeps the better part of a value however long the pause', () => {
    const guard = createGuard(search());
    const head = VALUE.slice(0, MAX_RELEASED_BYTES + 1);
    const step = guard.push(Buffer.from(head));
    expect(step).toMatchObject({ type: 'pass', bytes: Buffer.alloc(0) });
    expect(guard.release()).toHaveLength(0);
    expect(guard.push(Buffer.from(VALUE.slice(head.length)))).toMatchObject({ type: 'hit' });
  });

  it('lets everything else through unchanged, wherever it is cut', () => {
    const guard = createGuard(search());
    const text = `sk-real-sk-real-0123456789-abcdefghi sk-sk-real-0123 ${VALUE.slice(1)}`;
    const out: Buffer[] = [];
    for (const character of text) {
      const step = guard.push(Buffer.from(character));
      if (step.type === 'pass') out.push(Buffer.from(step.bytes));
      if (character === ' ') out.push(Buffer.from(guard.release()));
    }
    const last = guard.end();
    if (last.type === 'pass') out.push(last.bytes);
    expect(Buffer.concat(out).toString()).toBe(text);
  });

  it('is not fooled by what it released', () => {
    const clock = createManualClock();
    const guard = createGuard(search());
    guard.push(Buffer.from(VALUE.slice(0, 10)));
    clock.advance(1000);
    guard.release();
    expect(guard.push(Buffer.from(VALUE.slice(10)))).toMatchObject({ type: 'hit' });
  });
});
