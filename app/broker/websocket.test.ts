import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { request as startRequest } from 'node:http';
import { createServer as createTlsServer, type Server } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer, type ClientOptions } from 'ws';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, SECRET, type Rig } from './testing/setup.ts';

const HOST = 'live.test';
const MIB = 1024 * 1024;

/** A TLS server of WebSockets whose behaviour goes by the path. */
const startServer = async (): Promise<{
  server: Server;
  sockets: WebSocketServer;
  port: number;
  handshakes: { url: string; headers: NodeJS.Dict<string | string[]> }[];
  got: { data: string; binary: boolean }[];
  closed: { code: number; reason: string }[];
  authority: Awaited<ReturnType<typeof createTestAuthority>>;
}> => {
  const authority = await createTestAuthority();
  const handshakes: { url: string; headers: NodeJS.Dict<string | string[]> }[] = [];
  const got: { data: string; binary: boolean }[] = [];
  const closed: { code: number; reason: string }[] = [];
  const server = createTlsServer(await authority.issue([HOST]), (_request, response) => {
    response.end('plain');
  });
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    handleProtocols: (offered, { url }) =>
      Array.from(offered).at(url === '/last-protocol' ? -1 : 0) ?? false,
  });
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    const url = request.url ?? '';
    handshakes.push({ url, headers: request.headers });
    if (url === '/refused') {
      socket.end(
        `HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: ${String(9 + SECRET.length)}\r\n\r\nnot you, ${SECRET}`,
      );
      return;
    }
    if (url === '/wrong-accept') {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n',
      );
      return;
    }
    if (url === '/never') return;
    if (url === '/hang-up') {
      socket.destroy();
      return;
    }
    if (url === '/frames') {
      // Raw frames of the test's choice, right behind the handshake.
      sockets.handleUpgrade(request, socket, head, (ws) => {
        ws.on('error', () => undefined);
        ws.on('close', (code, reason) => closed.push({ code, reason: reason.toString() }));
        const hex = request.headers['x-frames'];
        socket.write(Buffer.from(typeof hex === 'string' ? hex : '', 'hex'));
      });
      return;
    }
    if (url === '/at-once') socket.cork();
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => undefined);
      ws.on('close', (code, reason) => closed.push({ code, reason: reason.toString() }));
      if (url === '/at-once') {
        ws.send(`welcome ${SECRET}`);
        socket.uncork();
      }
      if (url === '/split') {
        const half = SECRET.length >> 1;
        ws.send(`a ${SECRET.slice(0, half)}`, { fin: false });
        ws.ping('between');
        ws.send(`${SECRET.slice(half)} b`, { fin: true });
        for (const letter of SECRET) ws.send(letter);
        ws.send('done');
      }
      if (url === '/flood') {
        const part = Buffer.alloc(MIB, 7);
        for (let count = 0; count < 64; count += 1) ws.send(part);
      }
      if (url === '/vanish') socket.destroy();
      if (url === '/leave') ws.close(4001, 'enough');
      ws.on('message', (data: Buffer, binary) => {
        const text = data.toString('latin1');
        got.push({ data: text.slice(0, 4096), binary });
        if (url === '/auth') ws.send(String(request.headers['authorization']));
        else if (text === 'the secret') ws.send(SECRET);
        else if (text === 'the secret in bytes')
          ws.send(Buffer.concat([Buffer.from([0, 255]), Buffer.from(SECRET), Buffer.from([254])]));
        else ws.send(data, { binary });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, sockets, port, handshakes, got, closed, authority };
};

type Client = {
  readonly ws: WebSocket;
  readonly next: () => Promise<{ data: Buffer; binary: boolean }>;
  readonly text: () => Promise<string>;
  readonly closed: Promise<{ code: number; reason: string }>;
};

const openOn = async (
  socket: Duplex,
  path: string,
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<Client> => {
  const ws = new WebSocket(`ws://${HOST}${path}`, options.protocols ?? [], {
    ...options,
    createConnection: (() => socket) as never,
    headers: { host: HOST, ...options.headers },
  });
  const waiting: ((message: { data: Buffer; binary: boolean }) => void)[] = [];
  const messages: { data: Buffer; binary: boolean }[] = [];
  ws.on('message', (data: Buffer, binary) => {
    const take = waiting.shift();
    if (take === undefined) messages.push({ data, binary });
    else take({ data, binary });
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
  ws.on('error', () => undefined);
  const next = (): Promise<{ data: Buffer; binary: boolean }> => {
    const first = messages.shift();
    return first === undefined
      ? new Promise((resolve) => waiting.push(resolve))
      : Promise.resolve(first);
  };
  return { ws, next, text: async () => (await next()).data.toString(), closed };
};

describe('WebSockets over HTTP/1.1', () => {
  let up: Awaited<ReturnType<typeof startServer>>;
  let rig: Rig;
  let bare: Rig;
  let placeholder: string;

  const open = async (
    path: string,
    options: ClientOptions & { protocols?: string[] } = {},
    on: Rig = rig,
  ): Promise<Client> => openOn(await on.tls(HOST), path, options);

  const recordOf = async (path: string, on: Rig = rig) => {
    const find = () =>
      on.events.find((event) => event.kind === 'egress' && event.path?.startsWith(path));
    await on.until(() => find() !== undefined, `the record of ${path}`);
    return find();
  };

  beforeAll(async () => {
    up = await startServer();
    const options = {
      authority: up.authority,
      allow: [HOST],
      resolve: [`${HOST}:443:127.0.0.1:${String(up.port)}`],
    };
    rig = await createRig({ ...options, grants: [{ kind: 'bearer', hosts: [HOST] }] });
    bare = await createRig(options);
    placeholder = rig.grants[0]?.placeholder ?? '';
  });
  beforeEach(() => {
    up.got.length = 0;
    up.closed.length = 0;
    up.handshakes.length = 0;
  });
  afterAll(async () => {
    await rig.close();
    await bare.close();
    for (const client of up.sockets.clients) client.terminate();
    up.server.closeAllConnections();
    up.server.close();
  });

  it('carries text, binary, fragments, single bytes, pings and the close code both ways', async () => {
    const { ws, next, text, closed } = await open('/echo?a=1');
    ws.send('grüße €');
    expect(await text()).toBe('grüße €');
    const bytes = Buffer.from([0, 1, 254, 255]);
    ws.send(bytes);
    expect(await next()).toEqual({ data: bytes, binary: true });
    for (const letter of 'fragmented') ws.send(letter, { fin: false });
    ws.send('', { fin: true });
    expect(await text()).toBe('fragmented');
    ws.send('');
    expect(await text()).toBe('');
    const pong = new Promise<string>((resolve) => {
      ws.once('pong', (data: Buffer) => resolve(data.toString()));
    });
    ws.ping('are you there');
    expect(await pong).toBe('are you there');
    ws.close(3456, 'bye');
    expect(await closed).toEqual({ code: 3456, reason: 'bye' });
    await rig.until(() => up.closed.length > 0, 'the close at the server');
    expect(up.closed).toEqual([{ code: 3456, reason: 'bye' }]);
    const record = await recordOf('/echo?a=1');
    expect(record).toMatchObject({
      verdict: 'allowed',
      protocol: 'ws',
      scheme: 'https',
      method: 'GET',
      status: 101,
      host: HOST,
      address: '127.0.0.1',
    });
    expect(record).not.toHaveProperty('code');
    expect(record).toMatchObject({ bytesIn: expect.any(Number), bytesOut: expect.any(Number) });
    const lasting = await open('/lasting');
    await rig.until(
      () => rig.opened.some(({ path, protocol }) => path === '/lasting' && protocol === 'ws'),
      'the live view of a WebSocket that lasts',
    );
    lasting.ws.close();
  });

  it('puts the credential into the handshake, and takes its echo out of the messages', async () => {
    const { ws, text } = await open('/auth', {
      headers: { authorization: `Bearer ${placeholder}` },
    });
    ws.send('who am I');
    expect(await text()).toBe(`Bearer ${placeholder}`);
    expect(up.handshakes.at(-1)?.headers['authorization']).toBe(`Bearer ${SECRET}`);
    ws.close();
    expect(await recordOf('/auth')).toMatchObject({ credential: 'cred-0', scrubbed: 1 });
  });

  it('puts it into the query, and into the subprotocols, which the server may choose', async () => {
    const other = await createRig({
      authority: up.authority,
      allow: [HOST],
      resolve: [`${HOST}:443:127.0.0.1:${String(up.port)}`],
      grants: [
        { kind: 'query:key', hosts: [HOST] },
        { kind: 'header:sec-websocket-protocol', hosts: [HOST], secret: 'protocol-secret-0123456' },
      ],
    });
    const [inQuery, inProtocol] = other.grants.map((grant) => grant.placeholder);
    const first = await open(`/query?key=${String(inQuery)}`, {}, other);
    const url = new URL(up.handshakes.at(-1)?.url ?? '', 'https://x');
    expect(url.searchParams.get('key')).toBe(SECRET);
    first.ws.close();
    const offered = ['chat', String(inProtocol)];
    const second = await open('/last-protocol', { protocols: offered }, other);
    expect(second.ws.protocol).toBe(inProtocol);
    expect(up.handshakes.at(-1)?.headers['sec-websocket-protocol']).toContain(
      'protocol-secret-0123456',
    );
    second.ws.close();
    await other.close();
  });

  it('takes the secret out of text, of bytes, of fragments and of messages letter by letter', async () => {
    const first = await open('/one');
    first.ws.send('the secret');
    expect(await first.text()).toBe(placeholder);
    first.ws.send('the secret in bytes');
    expect((await first.next()).data).toEqual(
      Buffer.concat([Buffer.from([0, 255]), Buffer.from(placeholder), Buffer.from([254])]),
    );
    first.ws.close();
    const { ws, text } = await open('/split');
    expect(await text()).toBe(`a ${placeholder} b`);
    let all = '';
    for (;;) {
      const part = await text();
      if (part === 'done') break;
      all += part;
    }
    expect(all).toHaveLength(SECRET.length);
    expect(all).not.toContain(SECRET.slice(0, (SECRET.length >> 1) + 1));
    expect(all).not.toContain(SECRET.slice(SECRET.length >> 1));
    ws.close();
  });

  it.each(['text', 'binary', 'two fragments', 'two messages', 'a ping'])(
    'ends a WebSocket in which a placeholder leaves in %s',
    async (how) => {
      const path = `/trip-${how.replaceAll(' ', '-')}`;
      const { ws, closed } = await open(path);
      const half = placeholder.length >> 1;
      if (how === 'text') ws.send(`{"key":"${placeholder}"}`);
      else if (how === 'binary') ws.send(Buffer.from(placeholder));
      else if (how === 'a ping') ws.ping(placeholder);
      else {
        ws.send(placeholder.slice(0, half), { fin: how === 'two messages' });
        ws.send(placeholder.slice(half));
      }
      expect(await closed).toEqual({ code: 1008, reason: 'grant.wrong-place' });
      const tripped = { code: 1008, reason: 'grant.wrong-place' };
      await rig.until(() => up.closed.some(({ code }) => code === 1008), 'the close at the server');
      expect(up.closed).toContainEqual(tripped);
      expect(up.got.some(({ data }) => data.includes(placeholder))).toBe(false);
      expect(await recordOf(path)).toMatchObject({
        verdict: 'denied',
        code: 'grant.wrong-place',
        protocol: 'ws',
        status: 101,
      });
      expect(
        rig.events.some((event) => event.kind === 'credential' && event.op === 'tripped'),
      ).toBe(true);
    },
  );

  it('offers no compression where frames are read, and leaves it where they are not', async () => {
    const read = await open('/compress-read', { perMessageDeflate: { threshold: 0 } });
    expect(read.ws.extensions).toBe('');
    expect(up.handshakes.at(-1)?.headers['sec-websocket-extensions']).toBeUndefined();
    read.ws.close();
    const kept = await open('/compress-kept', { perMessageDeflate: { threshold: 0 } }, bare);
    expect(kept.ws.extensions).toContain('permessage-deflate');
    const long = 'again and '.repeat(5000);
    kept.ws.send(long);
    expect(await kept.text()).toBe(long);
    kept.ws.close();
    expect(await kept.closed).toMatchObject({ code: 1005 });
    const record = await recordOf('/compress-kept', bare);
    expect(record).toMatchObject({ protocol: 'ws', verdict: 'allowed' });
    expect((record as { bytesOut: number }).bytesOut).toBeLessThan(long.length / 10);
  });

  it('carries 16 MiB in one message, and in many, in both rigs', async () => {
    for (const on of [rig, bare]) {
      const { ws, next } = await open('/large', { perMessageDeflate: false }, on);
      const large = Buffer.alloc(16 * MIB);
      for (let at = 0; at < large.length; at += 4)
        large.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
      ws.send(large);
      const back = await next();
      expect(back.binary).toBe(true);
      expect(back.data.equals(large)).toBe(true);
      ws.close();
    }
  });

  it('passes a refused handshake on as the answer that it is, scrubbed', async () => {
    const socket = await rig.tls(HOST);
    const answer = await rig.fetch(`https://${HOST}/refused`, {
      socket,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        authorization: `Bearer ${placeholder}`,
      },
    });
    expect([answer.status, answer.text]).toEqual([401, `not you, ${placeholder}`]);
    socket.destroy();
    expect(await recordOf('/refused')).toMatchObject({ status: 401, verdict: 'allowed' });
  });

  it('refuses a 101 whose accept does not fit', async () => {
    await expect(open('/wrong-accept')).rejects.toThrow('502');
    expect(await recordOf('/wrong-accept')).toMatchObject({
      code: 'egress.websocket-handshake',
      status: 502,
    });
  });

  it('says which side broke off while the handshake was under way', async () => {
    await expect(open('/hang-up')).rejects.toThrow('502');
    expect(await recordOf('/hang-up')).toMatchObject({ code: 'egress.upstream-broke' });
    const socket = await rig.tls(HOST);
    const opening = openOn(socket, '/never');
    opening.catch(() => undefined);
    await rig.until(() => up.handshakes.some(({ url }) => url === '/never'), 'the handshake');
    socket.destroy();
    await expect(opening).rejects.toThrow(/closed|socket|hang up|reset/i);
    expect(await recordOf('/never')).toMatchObject({ code: 'egress.aborted' });
  });

  it('gives what the server says at once after its 101', async () => {
    const { ws, text } = await open('/at-once');
    expect(await text()).toBe(`welcome ${placeholder}`);
    ws.close();
  });

  it('refuses what the program sends before the 101', async () => {
    const socket = await rig.tls(HOST);
    const lines = [
      'GET /early HTTP/1.1',
      `Host: ${HOST}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    const frame = Buffer.from('818537fa213d7f9f4d5158', 'hex');
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), frame]));
    await new Promise((resolve) => socket.once('close', resolve).resume());
    expect(await recordOf('/early')).toMatchObject({ code: 'egress.bad-request' });
    expect(up.got).toEqual([]);
  });

  it.each([
    ['another version', { 'sec-websocket-version': '8' }],
    ['no key', { 'sec-websocket-key': '' }],
    ['a key of five bytes', { 'sec-websocket-key': 'AAAAAAA=' }],
    ['a body', { 'content-length': '5' }],
  ])('refuses a handshake with %s', async (what, fields) => {
    const path = `/bad-${what.replaceAll(' ', '-')}`;
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...fields,
    };
    const socket = await rig.tls(HOST);
    const status = await new Promise((resolve, reject) => {
      const call = startRequest({
        path,
        createConnection: () => socket,
        headers: { host: HOST, ...headers },
      });
      call.on('response', (answer) => resolve(answer.statusCode));
      call.on('upgrade', () => resolve(101));
      call.on('error', reject);
      call.end(what === 'a body' ? 'hello' : undefined);
    });
    expect(status).toBe(400);
    socket.destroy();
    expect(up.handshakes.filter(({ url }) => url === path)).toEqual([]);
  });

  it.each([
    ['a reserved bit', 'c10141', 1002],
    ['a mask', '81810000000041', 1002],
    ['an unknown opcode', '830141', 1002],
    ['a length past the cap', '827f0000020000000000', 1009],
    ['text that is no UTF-8', '8102fffe', 1007],
    ['a bad close code', '880203ee', 1002],
  ])('ends a WebSocket whose server sends %s, towards both sides', async (what, hex, code) => {
    const { closed } = await open('/frames', { headers: { 'x-frames': hex } });
    expect((await closed).code).toBe(code);
    await rig.until(() => up.closed.length > 0, 'the close on the other side');
    expect(up.closed[0]?.code).toBe(code);
    expect(what).not.toBe('');
  });

  it.each([
    ['no mask', '810141', 1002],
    ['a reserved bit', 'c18100000000', 1002],
    ['a fragmented ping', '098000000000', 1002],
    ['text that is no UTF-8', '818100000000ff', 1007],
  ])('ends a WebSocket whose program sends %s, towards both sides', async (what, hex, code) => {
    const path = `/bad-frame-${what.replaceAll(' ', '-')}`;
    const socket = await rig.tls(HOST);
    const { closed } = await openOn(socket, path);
    socket.write(Buffer.from(hex, 'hex'));
    expect((await closed).code).toBe(code);
    await rig.until(() => up.closed.length > 0, 'the close on the other side');
    expect(up.closed[0]?.code).toBe(code);
    expect(await recordOf(path)).toMatchObject({ code: 'egress.websocket-frame', status: 101 });
  });

  it('serves Node’s own client', async () => {
    // A listener stands for the captured connection; the name and the port are the server's.
    const listener = createTcpServer((socket) => {
      void (async () => {
        const address = await node.relay.addressOf(HOST);
        const stream = node.relay.open(`${address}:${String(port)}`);
        socket.on('error', () => undefined);
        socket.pipe(stream).pipe(socket);
      })();
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    const node = await createRig({
      authority: up.authority,
      allow: [`${HOST}:${String(port)}`],
      resolve: [`${HOST}:${String(port)}:127.0.0.1:${String(up.port)}`],
      grants: [{ kind: 'bearer', hosts: [`${HOST}:${String(port)}`] }],
    });
    const authority = join(node.folder, 'authority.pem');
    await writeFile(authority, node.broker.authority.certificatePem);
    const script = `
      require('node:dns').lookup = (_name, options, done) =>
        options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
      const ws = new WebSocket('wss://${HOST}:${String(port)}/node', ['chat', 'other']);
      const got = [ws.url];
      ws.onerror = (event) => { console.log(String(event.message)); process.exit(1); };
      ws.onopen = () => { got.push(ws.protocol, ws.extensions); ws.send('the secret'); };
      ws.onmessage = ({ data }) => { got.push(data); ws.close(3999, 'done'); };
      ws.onclose = ({ code, reason }) => { console.log(JSON.stringify([...got, code, reason])); };
    `;
    const output = await new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        ['-e', script],
        { env: { NODE_EXTRA_CA_CERTS: authority }, timeout: 15_000 },
        (failed, stdout) => {
          if (failed === null) resolve(stdout);
          else reject(new Error(stdout, { cause: failed }));
        },
      );
    });
    expect(JSON.parse(output)).toEqual([
      `wss://${HOST}:${String(port)}/node`,
      'chat',
      '',
      node.grants[0]?.placeholder,
      3999,
      'done',
    ]);
    listener.close();
    await node.close();
  });

  it('lets a program poll first and upgrade then, as Socket.IO does', async () => {
    const poll = () => rig.fetch(`https://${HOST}/socket.io/?EIO=4&transport=polling`);
    expect((await poll()).text).toBe('plain');
    const { ws, text } = await open('/socket.io/?EIO=4&transport=websocket&sid=x');
    ws.send('2probe');
    expect(await text()).toBe('2probe');
    ws.send('5');
    expect(await text()).toBe('5');
    expect((await poll()).text).toBe('plain');
    ws.close();
  });

  it('ignores an offer of h2c, and refuses every other upgrade', async () => {
    const ask = (upgrade: string) =>
      rig.fetch(`https://${HOST}/other`, {
        headers: { connection: 'Upgrade, HTTP2-Settings', upgrade, 'http2-settings': 'AAMAAABk' },
      });
    const offered = await ask('h2c');
    expect([offered.status, offered.text]).toEqual([200, 'plain']);
    const other = await ask('TLS/1.2');
    expect([other.status, other.headers['glovebox-code']]).toEqual([403, 'egress.upgrade-refused']);
    const both = await ask('websocket, h2c');
    expect([both.status, both.headers['glovebox-code']]).toEqual([403, 'egress.upgrade-refused']);
  });

  it('tells the end of either side to the other', async () => {
    const left = await open('/leave');
    expect(await left.closed).toEqual({ code: 4001, reason: 'enough' });
    expect((await (await open('/vanish')).closed).code).toBe(1006);
    const gone = await open('/gone');
    gone.ws.terminate();
    await rig.until(() => up.closed.some(({ code }) => code === 1006), 'the end at the server');
  });

  it('holds a flood back from a program that does not read', async () => {
    const socket = await rig.tls(HOST);
    const { ws } = await openOn(socket, '/flood');
    ws.pause();
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const [server] = Array.from(up.sockets.clients).filter((client) => client.bufferedAmount > 0);
    // Most of the 64 MiB waits at the server: what lies between is bounded.
    expect(server?.bufferedAmount ?? 0).toBeGreaterThan(32 * MIB);
    let seen = 0;
    ws.on('message', (data: Buffer) => {
      seen += data.length;
    });
    ws.resume();
    socket.resume();
    await rig.until(() => seen === 64 * MIB, 'all of it');
    ws.close();
  });
});
