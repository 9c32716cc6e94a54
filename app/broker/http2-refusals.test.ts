import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, connectHttp2 } from './testing/http2.ts';
import { openHttp2, request, type Http2Rig } from './testing/http2-rig.ts';

describe('HTTP/2', () => {
  let http2: Http2Rig;
  beforeAll(async () => {
    http2 = await openHttp2();
  });
  afterAll(() => http2.close());

  it.each<[string, Record<string, string>, number, string]>([
    ['another authority', { ':authority': 'other.test' }, 421, 'egress.authority-mismatch'],
    ['another port', { ':authority': 'api.test:8443' }, 421, 'egress.authority-mismatch'],
    ['another host field', { host: 'other.test' }, 421, 'egress.authority-mismatch'],
    ['another scheme', { ':scheme': 'http' }, 421, 'egress.authority-mismatch'],
    ['TRACE', { ':method': 'TRACE' }, 403, 'egress.method-refused'],
    ['a TRACE by override', { 'x-http-method-override': 'TRACE' }, 403, 'egress.method-refused'],
    ['an encoded dot segment', { ':path': '/a/%2e%2e/b' }, 400, 'egress.bad-path'],
    ['an unknown expectation', { expect: 'tea' }, 417, 'egress.bad-request'],
  ])('refuses %s', async (_what, change, status, code) => {
    const session = await http2.open();
    const before = http2.echo.seen.length;
    const answer = await ask(session, { ...request('/'), ...change });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([status, code]);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code } });
    // One refused request takes no other along.
    expect((await ask(session, request('/status'))).status).toBe(204);
    expect(http2.echo.seen.length).toBe(before + 1);
    session.close();
  });

  it('tells a program with a refused destination why, and dials nothing', async () => {
    const session = await connectHttp2(http2.rig, 'refused.test');
    const before = http2.upstream.connections();
    const answer = await ask(session, { ...request('/'), ':authority': 'refused.test' });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'egress.no-rule']);
    expect(http2.upstream.connections()).toBe(before);
    session.close();
  });

  it('ends a connection on which nothing can pass', async () => {
    const socket = await http2.rig.tls('nothing.test', { alpn: ['h2'] });
    const session = connect('https://nothing.test', { createConnection: () => socket });
    session.on('error', () => undefined);
    const answer = await ask(session, { ...request('/'), ':authority': 'nothing.test' });
    expect(answer.status).toBe(502);
    await http2.rig.until(() => socket.destroyed, 'the end of the connection');
  });

  it('tells why a server cannot be reached', async () => {
    const session = await connectHttp2(http2.rig, 'nothing.test');
    const answer = await ask(session, { ...request('/'), ':authority': 'nothing.test' });
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([
      502,
      'egress.upstream-unreachable',
    ]);
    session.close();
  });

  it('tells gRPC clients in their own way', async () => {
    const session = await connectHttp2(http2.rig, 'refused.test');
    const answer = await ask(
      session,
      {
        ...request('/svc/Call', { 'content-type': 'application/grpc' }, 'POST'),
        ':authority': 'refused.test',
      },
      'x',
    );
    expect([answer.status, answer.headers['grpc-status'], answer.headers['glovebox-code']]).toEqual(
      [403, '7', 'egress.no-rule'],
    );
    expect(answer.headers['grpc-message']).toContain('refused.test');
    session.close();
  });
});
