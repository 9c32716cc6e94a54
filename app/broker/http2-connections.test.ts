import { constants, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, connectHttp2, listenHttp2 } from './testing/http2.ts';
import { openHttp2, request, type Http2Rig } from './testing/http2-rig.ts';
import { FRAME, speakRawHttp2 } from './testing/raw-http2.ts';
import { createRig, listenTls } from './testing/setup.ts';

/** More than may be reset at once, and within a second or two besides. */
const RESETS = 800;

describe('HTTP/2', () => {
  let http2: Http2Rig;
  beforeAll(async () => {
    http2 = await openHttp2();
  });
  afterAll(() => http2.close());

  it('offers what the server speaks', async () => {
    const both = ['h2', 'http/1.1'];
    const newer = await http2.rig.tls('api.test', { alpn: both });
    const old = await http2.rig.tls('old.test', { alpn: both });
    const only = await http2.rig.tls('api.test', { alpn: ['http/1.1'] });
    expect([newer.alpnProtocol, old.alpnProtocol, only.alpnProtocol]).toEqual([
      'h2',
      'http/1.1',
      'http/1.1',
    ]);
    for (const socket of [newer, old, only]) socket.destroy();
    const answer = await http2.rig.fetch('https://old.test/');
    expect(answer.text).toBe('old');
  });

  it('puts requests of several programs on one connection to the server', async () => {
    const before = http2.upstream.connections();
    const sessions = await Promise.all([http2.open(), http2.open(), http2.open()]);
    const answers = await Promise.all(
      sessions.flatMap((session) => [1, 2, 3, 4].map(() => ask(session, request('/status')))),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 204));
    expect(http2.upstream.connections() - before).toBeLessThanOrEqual(1);
    for (const session of sessions) session.close();
  });

  it('goes on after a server’s GOAWAY', async () => {
    const session = await http2.open();
    await ask(session, request('/status'));
    for (const other of http2.upstream.sessions) other.goaway(constants.NGHTTP2_NO_ERROR);
    const answer = await ask(session, request('/status'));
    expect(answer.status).toBe(204);
    session.close();
  });

  it('allows no push', async () => {
    const session = await http2.open();
    const answer = await ask(session, request('/push'));
    expect(answer.headers['x-push']).toBe('false');
    session.close();
  });

  it('ends a connection that resets streams faster than anyone needs', async () => {
    // Frames by hand: a client library may take a stream back before it was ever sent.
    const socket = await http2.rig.tls('api.test', { alpn: ['h2'] });
    const raw = speakRawHttp2(socket);
    const ended = (): boolean => raw.closed() || raw.heard().includes(FRAME.goAway);
    const fields = Object.entries(request('/stall')).map(([name, value]): [string, string] => [
      name,
      value,
    ]);
    for (let sent = 0; sent < RESETS && !ended(); sent += 1) {
      raw.headers(1 + 2 * sent, fields, true);
      raw.reset(1 + 2 * sent);
      if (sent % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await http2.rig.until(ended, 'the end of the connection');
    socket.destroy();
    const next = await http2.open();
    expect((await ask(next, request('/status'))).status).toBe(204);
    next.close();
  });

  it('re-asks a server that speaks HTTP/2 no longer', async () => {
    const first = await listenHttp2(http2.authority, ['turn.test'], http2.echo.onStream);
    const { port } = first;
    const own = await createRig({
      authority: http2.authority,
      allow: ['turn.test'],
      resolve: [`turn.test:443:127.0.0.1:${String(port)}`],
    });
    const session = await connectHttp2(own, 'turn.test');
    const to = { ...request('/status'), ':authority': 'turn.test' };
    expect((await ask(session, to)).status).toBe(204);
    await first.close();
    const second = await listenTls(
      http2.authority,
      ['turn.test'],
      (_q, response) => response.end('old'),
      port,
    );
    const answer = await ask(session, to);
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([
      502,
      'egress.upstream-broke',
    ]);
    const socket = await own.tls('turn.test', { alpn: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
    await own.close();
    await second.close();
  });

  it('resumes the TLS of servers that it verified', async () => {
    const reused: boolean[] = [];
    const server = await listenHttp2(http2.authority, ['again.test'], http2.echo.onStream);
    server.server.on('session', (session: ServerHttp2Session) => {
      reused.push((session.socket as TLSSocket).isSessionReused());
    });
    const own = await createRig({
      authority: http2.authority,
      allow: ['again.test'],
      resolve: [`again.test:443:127.0.0.1:${String(server.port)}`],
    });
    for (const round of [1, 2]) {
      const session = await connectHttp2(own, 'again.test');
      const to = { ...request('/status'), ':authority': 'again.test' };
      expect((await ask(session, to)).status).toBe(204);
      for (const other of server.sessions) other.destroy();
      await own.until(() => server.sessions.size === 0, `the end of round ${String(round)}`);
      session.destroy();
    }
    const session = await connectHttp2(own, 'again.test');
    await ask(session, { ...request('/status'), ':authority': 'again.test' });
    expect(reused[0]).toBe(false);
    expect(reused.slice(1)).toContain(true);
    await own.close();
    await server.close();
  });
});
