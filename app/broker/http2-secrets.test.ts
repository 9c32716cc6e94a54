import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerOf, ask, connectHttp2 } from './testing/http2.ts';
import { BODY_SECRET, openHttp2, request, type Http2Rig } from './testing/http2-rig.ts';
import { SECRET } from './testing/setup.ts';

describe('HTTP/2', () => {
  let http2: Http2Rig;
  beforeAll(async () => {
    http2 = await openHttp2();
  });
  afterAll(() => http2.close());

  it('swaps in the head, scrubs head, body and trailers, and records it', async () => {
    const session = await http2.open();
    const before = http2.rig.events.length;
    const answer = await ask(session, request('/echo', { 'x-api-key': http2.placeholder() }));
    expect(http2.field('x-api-key')).toBe(SECRET);
    expect(answer.headers['x-echo']).toBe(http2.placeholder());
    expect(answer.text).toBe(`${http2.placeholder()}.`);
    const unary = await ask(
      session,
      request('/unary', { 'x-api-key': http2.placeholder(), te: 'trailers' }, 'POST'),
      'message',
    );
    expect([unary.text, unary.trailers['grpc-status'], unary.trailers['x-bin']]).toEqual([
      'message',
      '0',
      '1, 2',
    ]);
    expect(unary.trailers['grpc-message']).toBe(`ok ${http2.placeholder()}`);
    expect(http2.field('te')).toBe('trailers');
    const mine = () =>
      http2.rig.events
        .slice(before)
        .filter((event) => event.kind === 'egress' && event.protocol === 'h2');
    await http2.rig.until(() => mine().length >= 2, 'records');
    const [first] = mine();
    expect(first).toMatchObject({
      protocol: 'h2',
      scheme: 'https',
      status: 200,
      credential: 'cred-0',
      scrubbed: 2,
      address: '127.0.0.1',
    });
    session.close();
  });

  it('decodes what it has to read', async () => {
    const session = await http2.open();
    const answer = await ask(session, request('/gzip', { 'x-api-key': http2.placeholder() }));
    expect(answer.text).toBe(`zipped ${http2.placeholder()}`);
    expect([answer.headers['content-encoding'], answer.headers.etag]).toEqual([
      undefined,
      undefined,
    ]);
    await ask(session, request('/', { 'grpc-accept-encoding': 'gzip', 'accept-encoding': 'br' }));
    expect([http2.field('grpc-accept-encoding'), http2.field('accept-encoding')]).toEqual([
      'identity',
      'identity',
    ]);
    session.close();
  });

  it('holds a body that a credential goes into, and sends it with its new length', async () => {
    const session = await http2.open();
    const key = http2.rig.grants[1]?.placeholder ?? '';
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ login: { key } });
    const sized = { ...json, 'content-length': String(Buffer.byteLength(body)) };
    const answer = await ask(session, request('/', sized, 'POST'), body);
    const sent = http2.last().body.toString();
    expect(JSON.parse(sent)).toEqual({ login: { key: BODY_SECRET } });
    expect(http2.field('content-length')).toBe(String(sent.length));
    expect(JSON.parse(answer.text)).toEqual({ login: { key } });
    // The same without a length told beforehand, and at a place where it may not go.
    await ask(session, request('/', json, 'POST'), body);
    expect(http2.field('content-length')).toBe(String(sent.length));
    const astray = await ask(session, request('/', json, 'POST'), JSON.stringify({ key }));
    expect([astray.status, astray.headers['glovebox-code']]).toEqual([403, 'grant.wrong-place']);
    session.close();
  });

  it('passes interim answers on, scrubbed, and leave to send', async () => {
    const session = await http2.open();
    const hinted = await ask(session, request('/hints', { 'x-api-key': http2.placeholder() }));
    expect(
      hinted.informed.map((headers) => [headers[':status'], headers['link'], headers['x-echo']]),
    ).toEqual([[103, '</a.css>; rel=preload', http2.placeholder()]]);
    expect(hinted.headers['alt-svc']).toBeUndefined();
    const stream = session.request(request('/continue', { expect: '100-continue' }, 'POST'), {
      endStream: false,
    });
    const answered = answerOf(stream);
    await new Promise<void>((resolve) => stream.once('continue', () => resolve()));
    stream.end('after leave');
    expect((await answered).text).toBe('after leave');
    session.close();
  });

  it('trips over placeholders in heads, bodies and trailers', async () => {
    const session = await http2.open('other.test');
    const key = http2.placeholder();
    const to = { ':authority': 'other.test' };
    const before = http2.echo.seen.length;
    const head = await ask(session, { ...request('/', { 'x-api-key': key }), ...to });
    expect([head.status, head.headers['glovebox-code']]).toEqual([403, 'grant.wrong-host']);
    expect(http2.echo.seen.length).toBe(before);
    const body = await ask(session, { ...request('/', {}, 'POST'), ...to }, `a ${key} b`);
    expect([body.status, body.headers['glovebox-code']]).toEqual([403, 'grant.wrong-host']);
    const stream = session.request(
      { ...request('/', {}, 'POST'), ...to },
      {
        endStream: false,
        waitForTrailers: true,
      },
    );
    stream.once('wantTrailers', () => stream.sendTrailers({ 'x-late': key }));
    const trailed = answerOf(stream);
    stream.end('body');
    const answer = await trailed;
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'grant.wrong-host']);
    const upstreamSaw = http2.echo.seen
      .slice(before)
      .map((seen) => seen.body.toString() + String(seen.trailers));
    expect(upstreamSaw.join(' ')).not.toContain(key);
    session.close();
  });

  it('carries HTTP/2 without TLS, without credentials', async () => {
    const session = await connectHttp2(http2.rig, 'api.test', { clear: true });
    const plain = { ...request('/unary', {}, 'POST'), ':scheme': 'http' };
    const answer = await ask(session, plain, 'clear');
    expect([answer.text, answer.trailers['grpc-status']]).toEqual(['clear', '0']);
    const refused = await ask(session, { ...plain, 'x-api-key': http2.placeholder() }, 'clear');
    expect([refused.status, refused.headers['glovebox-code']]).toEqual([403, 'grant.cleartext']);
    session.close();
  });

  it('lets no secret into a record', () => {
    expect(JSON.stringify(http2.rig.events)).not.toContain(SECRET);
  });
});
