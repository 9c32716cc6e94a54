import { createServer, get, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, systemClock } from '../../kit/index.ts';
import { http1Caller } from './caller-http1.ts';
import { FRAME_HEAD_BYTES, FRAME_TAIL_BYTES } from './chunk-frame.ts';
import type { Caller } from './http-call.ts';

/** A text with room around it, which says when it is free again. */
const roomy = (text: string) => {
  const room = Buffer.alloc(FRAME_HEAD_BYTES + text.length + FRAME_TAIL_BYTES, '#');
  room.write(text, FRAME_HEAD_BYTES);
  return { room, start: FRAME_HEAD_BYTES, end: FRAME_HEAD_BYTES + text.length };
};

describe('the body of an answer over HTTP/1.1', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  const serve = async (answer: (caller: Caller) => void): Promise<number> => {
    const server = createServer((request, response) => {
      answer(http1Caller(systemClock, request, response));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    return (server.address() as AddressInfo).port;
  };
  const begin = (caller: Caller, headers: readonly (readonly [string, string])[] = []): void =>
    caller.begin({ status: 200, reason: 'OK', headers, follows: 'more' });
  const within = (caller: Caller, text: string, done: () => void = () => undefined): void => {
    const { room, start, end } = roomy(text);
    caller.sink.writeWithin?.(room, start, end, done);
  };
  const read = async (
    port: number,
  ): Promise<{
    text: string;
    trailers: NodeJS.Dict<string>;
    headers: IncomingMessage['headers'];
  }> =>
    new Promise((resolve, reject) => {
      const request = get({ port, host: '127.0.0.1', agent: false }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const { trailers, headers } = response;
          resolve({ text: Buffer.concat(parts).toString(), trailers, headers });
        });
      });
      request.on('error', reject);
    });
  /** All that is sent, as it is on the wire. */
  const wire = (port: number, version = '1.1', before = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('data', (part: Buffer) => {
        text += part.toString();
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
      socket.write(`${before}GET / HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    });

  it('is whole, whichever pieces came with room around them, trailers and all', async () => {
    const port = await serve((caller) => {
      begin(caller, [['Trailer', 'x-sum']]);
      within(caller, 'first ');
      caller.sink.write(Buffer.from('second '));
      within(caller, 'x'.repeat(70_000));
      within(caller, ' last');
      caller.end([['x-sum', '1']]);
    });
    const { text, trailers, headers } = await read(port);
    expect(text).toBe(`first second ${'x'.repeat(70_000)} last`);
    expect(trailers).toEqual({ 'x-sum': '1' });
    expect(headers['transfer-encoding']).toBe('chunked');
  });

  it('is framed chunk by chunk, once', async () => {
    const port = await serve((caller) => {
      begin(caller);
      within(caller, 'abc');
      caller.sink.write(Buffer.from('de'));
      caller.end([]);
    });
    expect((await wire(port)).split('\r\n\r\n').slice(1).join('\r\n\r\n')).toBe(
      '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    );
  });

  it.each([
    ['its length is told', '1.1', [['Content-Length', '5']] as const],
    ['the program speaks HTTP/1.0', '1.0', []],
  ])('is not framed where %s', async (_what, version, headers) => {
    const port = await serve((caller) => {
      begin(caller, headers);
      within(caller, 'abc');
      caller.sink.write(Buffer.from('de'));
      caller.end([]);
    });
    expect((await wire(port, version)).split('\r\n\r\n')[1]).toBe('abcde');
  });

  it('gives its memory back once it is written, and never where it was not', async () => {
    const told: string[] = [];
    const port = await serve((caller) => {
      begin(caller);
      within(caller, 'sent', () => told.push('sent'));
      caller.end([]);
    });
    await read(port);
    await expect.poll(() => told).toEqual(['sent']);
    const broken = await serve((caller) => {
      begin(caller);
      caller.breakOff();
      within(caller, 'lost', () => told.push('lost'));
    });
    await expect(read(broken)).rejects.toThrow('socket hang up');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual(['sent']);
  });

  it.each([
    ['an answer', 200, 'after'],
    ['a refusal', 400, '{"error"'],
  ])('comes after the leave to send, where %s waits for another', async (what, status, text) => {
    const waiting: Caller[] = [];
    const port = await serve((caller) => {
      if (waiting.push(caller) < 2) return;
      const [first] = waiting;
      caller.goOn();
      if (what === 'a refusal') caller.refuse(failure('egress.bad-request', 'Not this.'), false);
      else {
        begin(caller, [['Content-Length', '5']]);
        within(caller, 'after');
        caller.end([]);
      }
      setImmediate(() => {
        if (first !== undefined) begin(first, [['Content-Length', '6']]);
        first?.sink.write(Buffer.from('before'));
        first?.end([]);
      });
    });
    const earlier = 'GET /1 HTTP/1.1\r\nHost: x\r\n\r\n';
    const [, before, head, body] = (await wire(port, '1.1', earlier)).split('\r\n\r\n');
    expect(before).toBe('beforeHTTP/1.1 100 Continue');
    expect(head?.slice(0, 13)).toBe(`HTTP/1.1 ${String(status)} `);
    expect(body?.slice(0, text.length)).toBe(text);
  });
});
