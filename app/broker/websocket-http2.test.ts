import {
  connect as connectHttp2,
  createSecureServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2SecureServer,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, SECRET, type Rig } from './testing/setup.ts';

/** Speaks RFC 8441. */
const HOST = 'live2.test';
/** Speaks HTTP/2 too, but WebSockets over HTTP/1.1 alone. */
const OLD = 'live1.test';

/** The ws package's own endpoint on a stream whose handshake has been done elsewhere. */
const endpointOn = (stream: Duplex, isServer: boolean): WebSocket => {
  const ws = new WebSocket(null as never, undefined, {
    autoPong: true,
    closeTimeout: 2000,
  } as never);
  Object.assign(ws, { _isServer: isServer });
  const inner = ws as unknown as {
    setSocket: (stream: Duplex, head: Buffer, options: object) => void;
  };
  inner.setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true,
    maxPayload: 64 * 1024 * 1024,
    skipUTF8Validation: false,
  });
  ws.on('error', () => undefined);
  return ws;
};

const listen = async (server: Http2SecureServer): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

type Handshake = { readonly path: string; readonly authorization: string | undefined };

describe('WebSockets over HTTP/2', () => {
  let server: Http2SecureServer;
  let old: Http2SecureServer;
  let rig: Rig;
  let placeholder: string;
  const handshakes: Handshake[] = [];
  const got: string[] = [];
  const closed: number[] = [];

  const serve = (stream: ServerHttp2Stream, headers: NodeJS.Dict<string | string[]>): void => {
    stream.on('error', () => undefined);
    const path = String(headers[':path']);
    handshakes.push({ path, authorization: headers['authorization'] as string | undefined });
    if (headers[':method'] !== 'CONNECT') {
      stream.respond({ ':status': 200 });
      stream.end('plain');
      return;
    }
    if (path === '/refused') {
      stream.respond({ ':status': 403, 'content-type': 'text/plain' });
      stream.end(`no, ${SECRET}`);
      return;
    }
    stream.respond({ ':status': 200 });
    const ws = endpointOn(stream, true);
    ws.on('close', (code) => closed.push(code));
    ws.on('message', (data: Buffer, binary) => {
      got.push(data.toString('latin1').slice(0, 200));
      if (data.toString() === 'the secret') {
        ws.send(SECRET.slice(0, 9), { fin: false });
        ws.send(SECRET.slice(9), { fin: true });
      } else ws.send(data, { binary });
    });
  };

  const sessionTo = async (host: string): Promise<ClientHttp2Session> => {
    const socket = await rig.tls(host, { alpn: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('h2');
    const session = connectHttp2(`https://${host}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    return session;
  };

  const ask = (session: ClientHttp2Session, path: string, headers = {}): ClientHttp2Stream =>
    session.request(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':scheme': 'https',
        ':authority': HOST,
        ':path': path,
        'sec-websocket-version': '13',
        ...headers,
      },
      { endStream: false },
    );

  const open = async (path: string, headers = {}) => {
    const session = await sessionTo(HOST);
    const stream = ask(session, path, headers);
    const status = await new Promise((resolve, reject) => {
      stream.once('response', (answer) => resolve(answer[':status']));
      stream.once('error', reject);
    });
    expect(status).toBe(200);
    const ws = endpointOn(stream, false);
    const waiting: ((data: Buffer) => void)[] = [];
    ws.on('message', (data: Buffer) => waiting.shift()?.(data));
    return {
      ws,
      session,
      next: (): Promise<Buffer> => new Promise((resolve) => waiting.push(resolve)),
      closed: new Promise<[number, string]>((resolve) => {
        ws.once('close', (code, reason) => resolve([code, reason.toString()]));
      }),
    };
  };

  const recordOf = async (path: string) => {
    const find = () => rig.events.find((event) => event.kind === 'egress' && event.path === path);
    await rig.until(() => find() !== undefined, `the record of ${path}`);
    return find();
  };

  beforeAll(async () => {
    const authority = await createTestAuthority();
    server = createSecureServer({
      ...(await authority.issue([HOST])),
      settings: { enableConnectProtocol: true },
    });
    server.on('stream', serve);
    old = createSecureServer({ ...(await authority.issue([OLD])), allowHTTP1: true });
    old.on('request', (_request, response) => response.end('plain'));
    const sockets = new WebSocketServer({ noServer: true });
    old.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (ws) => {
        ws.on('message', (data: Buffer) => ws.send(data));
      });
    });
    const [port, oldPort] = [await listen(server), await listen(old)];
    rig = await createRig({
      authority,
      allow: [HOST, OLD],
      resolve: [`${HOST}:443:127.0.0.1:${String(port)}`, `${OLD}:443:127.0.0.1:${String(oldPort)}`],
      grants: [{ kind: 'bearer', hosts: [HOST] }],
    });
    placeholder = rig.grants[0]?.placeholder ?? '';
  });
  afterAll(async () => {
    await rig.close();
    server.close();
    old.close();
  });

  it('offers them where the server does, and carries messages, injected and scrubbed', async () => {
    const {
      ws,
      session,
      next,
      closed: end,
    } = await open('/echo', {
      authorization: `Bearer ${placeholder}`,
    });
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);
    expect(handshakes.at(-1)?.authorization).toBe(`Bearer ${SECRET}`);
    ws.send('hello');
    expect((await next()).toString()).toBe('hello');
    ws.send('the secret');
    expect((await next()).toString()).toBe(placeholder);
    const large = Buffer.alloc(4 * 1024 * 1024, 5);
    ws.send(large);
    expect((await next()).equals(large)).toBe(true);
    ws.close(3001, 'bye');
    expect(await end).toEqual([3001, 'bye']);
    await rig.until(() => closed.includes(3001), 'the close at the server');
    expect(await recordOf('/echo')).toMatchObject({
      protocol: 'ws',
      verdict: 'allowed',
      method: 'CONNECT',
      status: 200,
      credential: 'cred-0',
      scrubbed: 1,
    });
    session.close();
  });

  it('ends one in which a placeholder leaves', async () => {
    const { ws, session, closed: end } = await open('/trip');
    ws.send(`x ${placeholder}`);
    expect(await end).toEqual([1008, 'grant.wrong-place']);
    await rig.until(() => closed.includes(1008), 'the close at the server');
    expect(got.some((text) => text.includes(placeholder))).toBe(false);
    expect(await recordOf('/trip')).toMatchObject({ verdict: 'denied', code: 'grant.wrong-place' });
    session.close();
  });

  it('tells a reset of the stream to the server, and leaves the connection’s other streams alone', async () => {
    const { ws, session, next } = await open('/reset');
    ws.send('hello');
    expect((await next()).toString()).toBe('hello');
    ws.terminate();
    await rig.until(() => closed.includes(1006), 'the end at the server');
    expect(await recordOf('/reset')).toMatchObject({ protocol: 'ws', code: 'egress.aborted' });
    const plain = session.request({ ':path': '/plain' });
    const status = await new Promise((resolve) => {
      plain.once('response', (answer) => resolve(answer[':status']));
    });
    expect(status).toBe(200);
    plain.resume();
    session.close();
  });

  it('passes a refused handshake on as the answer that it is, scrubbed', async () => {
    const session = await sessionTo(HOST);
    const stream = ask(session, '/refused');
    const status = new Promise((resolve) => {
      stream.once('response', (answer) => resolve(answer[':status']));
    });
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    await new Promise((resolve) => stream.once('end', resolve));
    expect([await status, Buffer.concat(parts).toString()]).toEqual([403, `no, ${placeholder}`]);
    session.close();
  });

  it('does not offer them where the server does not; HTTP/1.1 beside it serves them', async () => {
    const session = await sessionTo(OLD);
    expect(session.remoteSettings.enableConnectProtocol).not.toBe(true);
    const socket = await rig.tls(OLD, { alpn: ['http/1.1'] });
    const ws = new WebSocket(`ws://${OLD}/beside`, {
      createConnection: (() => socket) as never,
      headers: { host: OLD },
    });
    await new Promise((resolve) => ws.once('open', resolve));
    const answer = new Promise<string>((resolve) => {
      ws.once('message', (data: Buffer) => resolve(data.toString()));
    });
    ws.send('over HTTP/1.1');
    expect(await answer).toBe('over HTTP/1.1');
    ws.close();
    session.close();
    expect(await recordOf('/beside')).toMatchObject({ protocol: 'ws', status: 101 });
  });
});
