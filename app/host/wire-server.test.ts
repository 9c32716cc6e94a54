import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  MAX_CALLS_UNDER_WAY,
  MAX_MESSAGE_JSON_CHARS,
  MAX_SUBSCRIPTIONS,
  METHODS,
  ServerMessage,
  STREAMS,
  type Wire,
} from '../contract/index.ts';
import { createScope, fail, ok, type Scope } from '../kit/index.ts';
import type { Handlers, StreamOpeners } from './port.ts';
import { serveWire } from './wire-server.ts';

const METHOD_NAMES = Object.keys(METHODS);
const STREAM_NAMES = Object.keys(STREAMS);

/** Both ends of a connection in memory; what the host says is parsed against the contract. */
const createPair = () => {
  const said: ServerMessage[] = [];
  let onMessage: ((message: string) => void) | undefined;
  let onClose: (() => void) | undefined;
  let closed = 0;
  const wire: Wire = {
    send: (message) => {
      said.push(ServerMessage.parse(JSON.parse(message)));
    },
    onMessage: (listener) => {
      onMessage = listener;
    },
    onClose: (listener) => {
      onClose = listener;
    },
    close: () => {
      closed += 1;
      onClose?.();
    },
  };
  return {
    wire,
    said,
    isClosed: () => closed > 0,
    say: (message: unknown) => onMessage?.(JSON.stringify(message)),
    sayText: (message: string) => onMessage?.(message),
    hangUp: () => onClose?.(),
  };
};

const handled: { method: string; input: unknown }[] = [];
let answer: (method: string) => Promise<unknown>;
const handlers = Object.fromEntries(
  METHOD_NAMES.map((method) => [
    method,
    async (input: unknown) => {
      handled.push({ method, input });
      return answer(method);
    },
  ]),
) as unknown as Handlers;

let opened: { sink: { send: (item: unknown) => void; end: (why?: unknown) => void } }[] = [];
let stopped = 0;
const streams = Object.fromEntries(
  STREAM_NAMES.map((stream) => [
    stream,
    async (_input: unknown, sink: (typeof opened)[number]['sink']) => {
      opened.push({ sink });
      return ok(() => {
        stopped += 1;
      });
    },
  ]),
) as unknown as StreamOpeners;

const logged: unknown[] = [];
let scope: Scope;
let pair: ReturnType<typeof createPair>;

beforeEach(() => {
  handled.length = 0;
  logged.length = 0;
  opened = [];
  stopped = 0;
  answer = async () => ok({});
  scope = createScope('connection');
  pair = createPair();
  serveWire(pair.wire, { handlers, streams, log: (...line) => logged.push(line) }, scope);
});
afterEach(() => scope.close());

const settle = () => new Promise((resolve) => setImmediate(resolve));
const call = (id: number, method: string, input: unknown = {}) =>
  pair.say({ type: 'call', id, method, input });

const subscribe = (id: number, stream = 'host') =>
  pair.say({ type: 'subscribe', id, stream, input: {} });

describe('calls', () => {
  it('are answered with the same id', async () => {
    answer = async () => ok([]);
    call(7, 'host.guarantees');
    await settle();
    expect(pair.said).toEqual([{ type: 'result', id: 7, output: [] }]);
  });

  it('carry a failure of their own with its code and hint', async () => {
    answer = async () => fail('credential.exists', 'there', 'rotate it');
    call(1, 'credential.remove', { name: 'a' });
    await settle();
    expect(pair.said).toEqual([
      {
        type: 'failure',
        id: 1,
        problem: { code: 'credential.exists', message: 'there', hint: 'rotate it' },
      },
    ]);
  });

  it('that break are told as such, without what broke; the log has it', async () => {
    answer = () => Promise.reject(new Error('secret detail'));
    call(1, 'host.status');
    await settle();
    expect(pair.said[0]).toMatchObject({ type: 'failure', problem: { code: 'wire.internal' } });
    expect(JSON.stringify(pair.said)).not.toContain('secret detail');
    expect(logged).toHaveLength(1);
  });

  it('of methods that do not exist are told so', async () => {
    call(1, 'host.explode');
    call(2, 'toString');
    pair.say({ type: 'subscribe', id: 3, stream: 'constructor', input: {} });
    await settle();
    expect(pair.said.map((message) => message.type === 'failure' && message.problem.code)).toEqual(
      Array.from({ length: 3 }, () => 'wire.unknown-method'),
    );
    expect(handled).toEqual([]);
  });

  it('with a bad input say where, and never repeat it', async () => {
    call(1, 'credential.add', { name: 'a', kind: 'bearer', secret: 'hunter22', extra: 'hunter22' });
    call(2, 'credential.rotate', { name: '../x', secret: 'hunter22' });
    await settle();
    expect(pair.said.map((message) => message.type === 'failure' && message.problem.code)).toEqual([
      'wire.bad-message',
      'wire.bad-message',
    ]);
    expect(JSON.stringify([pair.said, logged])).not.toContain('hunter22');
    expect(handled).toEqual([]);
  });

  it(`are at most ${MAX_CALLS_UNDER_WAY} at once`, async () => {
    answer = () => new Promise(() => undefined);
    for (let id = 0; id < MAX_CALLS_UNDER_WAY; id += 1) call(id, 'host.status');
    await settle();
    expect(pair.said).toEqual([]);
    call(MAX_CALLS_UNDER_WAY, 'host.status');
    await settle();
    expect(pair.said).toMatchObject([
      { type: 'failure', id: MAX_CALLS_UNDER_WAY, problem: { code: 'wire.too-large' } },
    ]);
    expect(handled).toHaveLength(MAX_CALLS_UNDER_WAY);
  });

  it('whose answer is too large are told so', async () => {
    answer = async () => ok('x'.repeat(MAX_MESSAGE_JSON_CHARS));
    call(1, 'host.status');
    await settle();
    expect(pair.said).toMatchObject([
      { type: 'failure', id: 1, problem: { code: 'wire.too-large' } },
    ]);
  });
});

describe('messages', () => {
  it('at the limit are read, past it refused', async () => {
    const shell = JSON.stringify({ type: 'call', id: 5, method: 'host.status', input: { x: '' } });
    const fill = MAX_MESSAGE_JSON_CHARS - shell.length;
    pair.sayText(shell.replace('""', `"${'x'.repeat(fill)}"`));
    pair.sayText(shell.replace('""', `"${'x'.repeat(fill + 1)}"`));
    await settle();
    expect(pair.said).toMatchObject([
      { type: 'failure', id: 5, problem: { code: 'wire.bad-message' } },
      { type: 'failure', id: 5, problem: { code: 'wire.too-large' } },
    ]);
  });

  it.each(['', 'nonsense', '[]', '7', 'null', '{"type":"call"}', '{"id":-1}', '{"id":1.5}'])(
    'that nobody can be answered for close the connection: %s',
    async (text) => {
      pair.sayText(text);
      await settle();
      expect(pair.isClosed()).toBe(true);
      expect(handled).toEqual([]);
    },
  );

  it('of any shape never throw, never reach a handler unparsed', async () => {
    const name = fc.oneof(fc.constantFrom(...METHOD_NAMES, ...STREAM_NAMES), fc.string());
    const junk = fc.oneof(
      fc.record(
        {
          type: fc.oneof(fc.constantFrom('call', 'subscribe', 'unsubscribe'), fc.string()),
          id: fc.oneof(fc.nat(), fc.anything()),
          method: name,
          stream: name,
          input: fc.anything(),
        },
        { requiredKeys: [] },
      ),
      fc.anything(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { maxLength: 20 }), async (messages) => {
        const own = createScope('junk');
        const other = createPair();
        handled.length = 0;
        serveWire(other.wire, { handlers, streams, log: () => undefined }, own);
        for (const message of messages) other.sayText(JSON.stringify(message) ?? '');
        await settle();
        for (const { method, input } of handled) {
          const again = METHODS[method as keyof typeof METHODS].input.safeParse(input);
          expect(again.success).toBe(true);
        }
        await own.close();
      }),
      { numRuns: 300 },
    );
  });

  it('with junk for every method’s input are refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...METHOD_NAMES),
        fc.dictionary(fc.string(), fc.anything()),
        async (method, input) => {
          handled.length = 0;
          pair.said.length = 0;
          call(1, method, input);
          await settle();
          const text = JSON.parse(JSON.stringify({ input })) as { input: unknown };
          const fits = METHODS[method as keyof typeof METHODS].input.safeParse(text.input).success;
          expect(handled).toHaveLength(fits ? 1 : 0);
          expect(pair.said).toHaveLength(1);
          expect(pair.said[0]?.type).toBe(fits ? 'result' : 'failure');
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('streams', () => {
  it('number their items from zero, each on its own', async () => {
    subscribe(1);
    subscribe(2, 'sessions');
    await settle();
    opened[0]?.sink.send('a');
    opened[0]?.sink.send('b');
    opened[1]?.sink.send('c');
    expect(pair.said).toEqual([
      { type: 'item', id: 1, seq: 0, item: 'a' },
      { type: 'item', id: 1, seq: 1, item: 'b' },
      { type: 'item', id: 2, seq: 0, item: 'c' },
    ]);
  });

  it('end when unsubscribed, by themselves, and when the connection goes; nothing follows', async () => {
    for (const id of [1, 2, 3]) subscribe(id);
    await settle();
    pair.say({ type: 'unsubscribe', id: 1 });
    opened[1]?.sink.end();
    expect(stopped).toBe(2);
    pair.hangUp();
    expect(stopped).toBe(3);
    const before = pair.said.length;
    for (const { sink } of opened) sink.send('late');
    expect(pair.said).toHaveLength(before);
    expect(pair.said).toEqual([
      { type: 'end', id: 1 },
      { type: 'end', id: 2 },
    ]);
  });

  it(`are at most ${MAX_SUBSCRIPTIONS} at once, and one per id`, async () => {
    for (let id = 0; id < MAX_SUBSCRIPTIONS; id += 1) subscribe(id);
    await settle();
    subscribe(MAX_SUBSCRIPTIONS);
    subscribe(0);
    await settle();
    expect(opened).toHaveLength(MAX_SUBSCRIPTIONS);
    expect(pair.said).toMatchObject([
      { type: 'failure', id: MAX_SUBSCRIPTIONS, problem: { code: 'wire.too-large' } },
      { type: 'failure', id: 0, problem: { code: 'wire.bad-message' } },
    ]);
    pair.say({ type: 'unsubscribe', id: 0 });
    subscribe(0);
    await settle();
    expect(opened).toHaveLength(MAX_SUBSCRIPTIONS + 1);
  });

  it('opened for someone who left meanwhile are stopped again', async () => {
    subscribe(1);
    pair.hangUp();
    await settle();
    expect(stopped).toBe(1);
  });

  it('stop with the scope', async () => {
    subscribe(1);
    await settle();
    await scope.close();
    expect(stopped).toBe(1);
    expect(pair.isClosed()).toBe(true);
  });
});

it('survives a wire that breaks while it is written to', async () => {
  const broken = createPair();
  const own = createScope('broken');
  const send = vi.fn<Wire['send']>(() => {
    throw new Error('gone');
  });
  serveWire({ ...broken.wire, send }, { handlers, streams, log: () => undefined }, own);
  broken.say({ type: 'call', id: 1, method: 'host.status', input: {} });
  broken.say({ type: 'call', id: 2, method: 'host.status', input: {} });
  await settle();
  expect(broken.isClosed()).toBe(true);
  expect(send).toHaveBeenCalledTimes(1);
  await own.close();
});
