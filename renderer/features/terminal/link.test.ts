import { describe, expect, it } from 'vitest';
import type {
  MethodInput,
  MethodName,
  SessionId,
  StreamItem,
  TerminalId,
} from '../../../app/contract/index.ts';
import { createManualClock, createScope, ok } from '../../../app/kit/index.ts';
import type { StreamObserver, WireClient } from '../../wire/index.ts';
import { ACK_BYTES, ACK_PAUSE_MS, createTerminalLink, INPUT_CHUNK_BYTES } from './link.ts';

const where = { session: 'abcdefgh1234' as SessionId, terminal: 'abcd1234' as TerminalId };
const size = { columns: 80, rows: 24 };

const setUp = () => {
  const clock = createManualClock();
  const calls: { method: MethodName; input: unknown }[] = [];
  let observer: StreamObserver<'terminal'> | undefined;
  const client: WireClient = {
    call: (method, input: MethodInput<typeof method>) => {
      calls.push({ method, input });
      return Promise.resolve(ok({} as never));
    },
    subscribe: (_stream, _input, given) => {
      observer = given as unknown as StreamObserver<'terminal'>;
      return () => undefined;
    },
    connection: () => ({ type: 'open' }),
    onConnection: () => () => undefined,
    retryNow: () => undefined,
  };
  const undrawn: (() => void)[] = [];
  const log: string[] = [];
  const link = createTerminalLink(
    { client, clock },
    where,
    {
      write: (bytes, done) => {
        log.push(`write ${bytes.length}`);
        undrawn.push(done);
      },
      reset: () => log.push('reset'),
      resize: ({ columns, rows }) => log.push(`resize ${columns}x${rows}`),
    },
    {
      onReady: () => log.push('ready'),
      onExit: (code) => log.push(`exit ${code}`),
      onProblem: ({ code }) => log.push(code),
    },
    createScope('test'),
  );
  const send = (item: StreamItem<'terminal'>): void => observer?.onItem(item);
  const draw = (): void => {
    for (const done of undrawn.splice(0)) done();
  };
  const acks = (): number[] =>
    calls
      .filter((call) => call.method === 'terminal.ack')
      .map((call) => (call.input as { bytes: number }).bytes);
  return { clock, calls, link, log, send, draw, acks, restart: () => observer?.onRestart?.() };
};

const snapshot = { type: 'snapshot', size, base64: btoa('hello') } as const;
const bytesOf = (count: number) => ({ type: 'bytes', base64: btoa('x'.repeat(count)) }) as const;

describe('terminal link', () => {
  it('starts from an empty screen of the host’s size, and is ready once the snapshot is drawn', () => {
    const { log, send, draw } = setUp();
    send(snapshot);
    expect(log).toEqual(['reset', 'resize 80x24', 'write 5']);
    draw();
    expect(log.at(-1)).toBe('ready');
  });

  it('acknowledges what is drawn, not what arrived, and never the snapshot', () => {
    const { send, draw, acks, clock } = setUp();
    send(snapshot);
    draw();
    send(bytesOf(100));
    send(bytesOf(50));
    clock.advance(10 * ACK_PAUSE_MS);
    expect(acks()).toEqual([]);
    draw();
    expect(acks()).toEqual([]);
    clock.advance(ACK_PAUSE_MS);
    expect(acks()).toEqual([150]);
    clock.advance(10 * ACK_PAUSE_MS);
    expect(acks()).toEqual([150]);
  });

  it('acknowledges at once past the mark', () => {
    const { send, draw, acks } = setUp();
    send(snapshot);
    draw();
    send(bytesOf(ACK_BYTES));
    draw();
    expect(acks()).toEqual([ACK_BYTES]);
  });

  it('forgets what an older subscription still draws', () => {
    const { send, draw, acks, clock, restart } = setUp();
    send(snapshot);
    draw();
    send(bytesOf(100));
    restart();
    send(snapshot);
    draw();
    clock.advance(ACK_PAUSE_MS);
    expect(acks()).toEqual([]);
  });

  it('swallows the widget’s answers to queries in the snapshot, and passes on what is typed after', () => {
    const { send, draw, link, calls } = setUp();
    link.input('early');
    send(snapshot);
    link.input('\u001b[?1;2c');
    expect(calls).toEqual([]);
    draw();
    link.input('ä');
    link.input('\u00e4', 'binary');
    expect(calls.map((call) => (call.input as { base64: string }).base64)).toEqual([
      btoa('\u00c3\u00a4'),
      btoa('\u00e4'),
    ]);
  });

  it('cuts a large paste into messages, in order', () => {
    const { send, draw, link, calls } = setUp();
    send(snapshot);
    draw();
    link.input(`${'a'.repeat(INPUT_CHUNK_BYTES)}b`);
    const sent = calls.map((call) => atob((call.input as { base64: string }).base64));
    expect(sent.map((text) => text.length)).toEqual([INPUT_CHUNK_BYTES, 1]);
    expect(sent[1]).toBe('b');
  });

  it('tells the host a size once', () => {
    const { send, link, calls } = setUp();
    send(snapshot);
    link.resize(size);
    link.resize({ columns: 100, rows: 30 });
    link.resize({ columns: 100, rows: 30 });
    expect(calls).toEqual([
      { method: 'terminal.resize', input: { ...where, size: { columns: 100, rows: 30 } } },
    ]);
  });
});
