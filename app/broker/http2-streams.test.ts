import { randomBytes } from 'node:crypto';
import { constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerOf, ask } from './testing/http2.ts';
import { openHttp2, request, type Http2Rig } from './testing/http2-rig.ts';

describe('HTTP/2', () => {
  let http2: Http2Rig;
  beforeAll(async () => {
    http2 = await openHttp2();
  });
  afterAll(() => http2.close());

  it('passes trailers-only answers on as such', async () => {
    const session = await http2.open();
    const stream = session.request(request('/trailers-only', {}, 'POST'), { endStream: false });
    const flags = new Promise<number>((resolve) => {
      stream.once('response', (_headers, got) => resolve(got));
    });
    const answered = answerOf(stream);
    stream.end('x');
    expect((await flags) & constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0);
    expect((await answered).headers['grpc-status']).toBe('5');
    session.close();
  });

  it('carries both directions at once, each to its own end', async () => {
    const session = await http2.open();
    const stream = session.request(
      request('/chat', { 'content-type': 'application/grpc' }, 'POST'),
      {
        endStream: false,
      },
    );
    const answered = answerOf(stream);
    const heard: string[] = [];
    stream.on('data', (part: Buffer) => heard.push(part.toString()));
    for (const word of ['one', 'two', 'three']) {
      stream.write(word);
      await http2.rig.until(() => heard.join('').endsWith(word.toUpperCase()), word);
    }
    stream.end();
    expect((await answered).trailers['grpc-status']).toBe('0');
    session.close();
  });

  it('carries large bodies both ways unchanged', async () => {
    const session = await http2.open();
    const body = randomBytes(6 * 1024 * 1024);
    const answer = await ask(session, request('/', {}, 'POST'), body);
    expect(answer.body.equals(body)).toBe(true);
    session.close();
  });

  it('holds a program back whose server does not read', async () => {
    const session = await http2.open();
    const stream = session.request(request('/stall', {}, 'POST'), { endStream: false });
    stream.on('error', () => undefined);
    let taken = 0;
    const part = Buffer.alloc(65_536, 97);
    const write = (): void => {
      while (stream.write(part)) taken += part.length;
      taken += part.length;
    };
    stream.on('drain', write);
    write();
    // Two windows and a few buffers, and then not one byte more, however long it is tried.
    // oxlint-disable-next-line no-unmodified-loop-condition -- the stream's listener modifies it
    for (let before = 0; taken !== before || taken <= 65_536;) {
      before = taken;
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(taken).toBeLessThan(8 * 1024 * 1024);
    }
    stream.close(constants.NGHTTP2_CANCEL);
    session.close();
  });

  it('passes an early answer on while the upload goes on', async () => {
    const session = await http2.open();
    const stream = session.request(request('/early', {}, 'POST'), { endStream: false });
    stream.write(Buffer.alloc(65_536));
    const answer = await Promise.race([
      answerOf(stream),
      http2.rig.until(() => false, 'the answer').then(() => undefined),
    ]);
    expect([answer?.status, answer?.text]).toEqual([413, 'enough']);
    session.close();
  });

  it('keeps reset codes in both directions', async () => {
    const session = await http2.open();
    const reset = await ask(session, request('/reset'));
    expect(reset.code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    for (const path of ['/break', '/half']) {
      const stream = session.request(request(path));
      const answer = answerOf(stream);
      await new Promise<void>((resolve) => stream.once('data', () => resolve()));
      http2.echo.breaks.get(path)?.();
      const { status, text, code } = await answer;
      expect([path, status, text, code]).toEqual([
        path,
        200,
        'some',
        constants.NGHTTP2_INTERNAL_ERROR,
      ]);
    }
    // Others were cancelled here before.
    const before = http2.echo.closed.length;
    const cancelled = () => http2.echo.closed.slice(before).find(({ path }) => path === '/stall');
    const stalled = session.request(request('/stall'));
    await new Promise<void>((resolve) => stalled.once('response', () => resolve()));
    stalled.close(constants.NGHTTP2_CANCEL);
    await http2.rig.until(() => cancelled() !== undefined, 'the cancellation');
    expect(cancelled()?.code).toBe(constants.NGHTTP2_CANCEL);
    session.close();
  });

  it('never ends an upload that its program broke off', async () => {
    const session = await http2.open();
    const before = http2.echo.seen.length;
    const stream = session.request(request('/cut', {}, 'POST'), {
      endStream: false,
      waitForTrailers: true,
    });
    stream.on('error', () => undefined);
    stream.write('half');
    await http2.rig.until(() => http2.echo.seen.length > before, 'the request');
    stream.close(constants.NGHTTP2_CANCEL);
    await http2.rig.until(() => http2.echo.closed.some(({ path }) => path === '/cut'), 'the end');
    expect(http2.echo.closed.find(({ path }) => path === '/cut')?.code).not.toBe(0);
    session.close();
  });
});
