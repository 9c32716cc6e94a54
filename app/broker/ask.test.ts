import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectSession, type IncomingHttpHeaders } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Question } from '../contract/index.ts';
import { forkProcess, type SpawnedProcess } from './index.ts';
import type { Answer, Ask } from './port.ts';
import { createTestAuthority, type TestAuthority } from './testing/certificates.ts';
import { listenHttp2 } from './testing/http2.ts';
import { startResolver } from './testing/resolver.ts';
import {
  createRig,
  listenTls,
  requestOn,
  type Rig,
  type RigOptions,
  type Upstream,
} from './testing/setup.ts';

type Waits = {
  readonly id: string;
  readonly question: Question;
  readonly signal: AbortSignal;
  readonly say: (answer: Answer) => void;
};

/** A person who is asked and answers when told to. */
const createPerson = (): { readonly ask: Ask; readonly asked: Waits[] } => {
  const asked: Waits[] = [];
  return {
    asked,
    ask: (id, question, signal) =>
      new Promise((resolve) => {
        asked.push({ id, question, signal, say: resolve });
      }),
  };
};

const ONCE: Answer = { answer: 'allowed', scope: 'once' };
const SESSION: Answer = { answer: 'allowed', scope: 'session' };

describe('a destination that no rule names, with a person to ask', () => {
  let authority: TestAuthority;
  let rig: Rig;
  let upstream: Upstream;
  let door: Server;
  let connections = 0;
  let seen: string[] = [];

  beforeAll(async () => {
    authority = await createTestAuthority();
  });
  afterEach(async () => {
    await rig.close();
    door.close();
    await upstream.close();
  });

  const start = async (ask: Ask | undefined, more: RigOptions = {}): Promise<void> => {
    seen = [];
    connections = 0;
    upstream = await listenTls(authority, ['api.test'], (request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      // Not before all has arrived: an early answer ends an upload where it is.
      request.resume().once('end', () => response.end('answer'));
    });
    // Counts what is dialled, be it for a handshake alone.
    door = createServer((socket) => {
      connections += 1;
      const onward = connect(upstream.port, '127.0.0.1');
      socket.pipe(onward).pipe(socket);
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    const { port } = door.address() as { port: number };
    rig = await createRig({
      authority,
      default: 'ask',
      resolve: [`api.test:443:127.0.0.1:${String(port)}`],
      program: { pid: 7, command: ['curl', 'https://api.test/'] },
      ...(ask === undefined ? {} : { ask }),
      ...more,
    });
  };

  it('is dialled only after leave was given; the question shows method, path and program', async () => {
    const person = createPerson();
    await start(person.ask);
    const answer = rig.fetch('https://api.test/v1/things?page=2');
    await rig.until(() => person.asked.length === 1, 'the question');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(connections).toBe(0);
    expect(person.asked[0]?.question).toEqual({
      what: 'destination',
      scheme: 'https',
      host: 'api.test',
      port: 443,
      method: 'GET',
      path: '/v1/things?page=2',
      program: { pid: 7, command: ['curl', 'https://api.test/'] },
    });
    person.asked[0]?.say(ONCE);
    expect((await answer).status).toBe(200);
    expect(seen).toEqual(['GET /v1/things?page=2']);
    const [event] = await rig.egress(1);
    expect(event).toMatchObject({
      verdict: 'allowed',
      rule: 'default ask',
      asked: person.asked[0]?.id,
    });
  });

  it('is not dialled for a handshake that offers HTTP/2 either', async () => {
    const person = createPerson();
    await start(person.ask);
    const socket = await rig.tls('api.test', { alpn: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(connections).toBe(0);
    expect(person.asked).toEqual([]);
    socket.destroy();
  });

  it('is refused where the person says no, and not asked about again at once', async () => {
    const person = createPerson();
    await start(person.ask);
    const first = rig.fetch('https://api.test/a');
    await rig.until(() => person.asked.length === 1, 'the question');
    person.asked[0]?.say({ answer: 'denied', scope: 'once' });
    const refused = await first;
    expect(refused.status).toBe(403);
    expect(refused.headers['glovebox-code']).toBe('ask.denied');
    const again = await rig.fetch('https://api.test/b');
    expect(again.headers['glovebox-code']).toBe('ask.denied');
    expect(person.asked.length).toBe(1);
    expect(connections).toBe(0);
    const events = await rig.egress(2);
    expect(events[0]).toMatchObject({ verdict: 'denied', code: 'ask.denied' });
  });

  it.each([
    ['timed-out', 'ask.timeout'],
    ['nobody', 'ask.nobody'],
    ['withdrawn', 'egress.aborted'],
  ] as const)('is refused where the answer is %s', async (answer, code) => {
    await start(() => Promise.resolve({ answer, scope: 'session' }));
    const refused = await rig.fetch('https://api.test/a');
    expect(refused.headers['glovebox-code']).toBe(code);
    expect(connections).toBe(0);
  });

  it('is refused where nobody takes questions, or asking itself fails', async () => {
    await start(undefined);
    expect((await rig.fetch('https://api.test/a')).headers['glovebox-code']).toBe('ask.nobody');
    await rig.close();
    door.close();
    await upstream.close();
    await start(() => Promise.reject(new Error('the window is gone')));
    expect((await rig.fetch('https://api.test/a')).headers['glovebox-code']).toBe('ask.nobody');
    expect(connections).toBe(0);
  });

  it('passes one request with leave for once, and all with leave for the session', async () => {
    const person = createPerson();
    await start(person.ask);
    const first = rig.fetch('https://api.test/a');
    await rig.until(() => person.asked.length === 1, 'the first question');
    person.asked[0]?.say(ONCE);
    expect((await first).status).toBe(200);
    const second = rig.fetch('https://api.test/a');
    await rig.until(() => person.asked.length === 2, 'the second question');
    person.asked[1]?.say(SESSION);
    expect((await second).status).toBe(200);
    expect((await rig.fetch('https://api.test/other', { method: 'POST', body: 'x' })).status).toBe(
      200,
    );
    expect(person.asked.length).toBe(2);
    const events = await rig.egress(3);
    expect(events[2]?.asked).toBe(person.asked[1]?.id);
    // Now that it may be reached, its protocol may be found out.
    const socket = await rig.tls('api.test', { alpn: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
  });

  it('shares one question among equal requests; leave for one is none for another', async () => {
    const person = createPerson();
    await start(person.ask, { deny: ['fence.test'] });
    const open = (): Promise<TLSSocket> => rig.tls('api.test');
    const [one, two, three] = [await open(), await open(), await open()];
    const equal = [one, two].map((socket) => requestOn(socket, '/a', 'api.test'));
    await rig.until(() => person.asked.length === 1, 'the question');
    const other = requestOn(three, '/send', 'api.test', { method: 'POST', body: 'x' });
    // What was sent before this was, has been read once this is answered.
    expect((await rig.fetch('https://fence.test/')).status).toBe(403);
    expect(person.asked.length).toBe(1);
    person.asked[0]?.say(ONCE);
    const statuses = (await Promise.all(equal)).map(({ status }) => status);
    expect(statuses).toEqual([200, 200]);
    await rig.until(() => person.asked.length === 2, 'the question for the other request');
    expect(seen).toEqual(['GET /a', 'GET /a']);
    expect(person.asked[1]?.question).toMatchObject({ method: 'POST', path: '/send' });
    person.asked[1]?.say({ answer: 'denied', scope: 'once' });
    expect((await other).status).toBe(403);
    for (const socket of [one, two, three]) socket.destroy();
  });

  it('asks nothing of what a rule denies, and needs no leave where a rule gives it', async () => {
    const person = createPerson();
    await start(person.ask, { deny: ['evil.test'], allow: ['api.test'] });
    expect((await rig.fetch('https://api.test/a')).status).toBe(200);
    const evil = await rig.fetch('https://evil.test/');
    expect(evil.headers['glovebox-code']).toBe('egress.denied-by-rule');
    expect(person.asked).toEqual([]);
  });

  it('withdraws the question when the program gives up', async () => {
    const person = createPerson();
    await start(person.ask);
    const socket = await rig.tls('api.test');
    const gone = requestOn(socket, '/a', 'api.test').catch(() => 'gone');
    await rig.until(() => person.asked.length === 1, 'the question');
    socket.destroy();
    expect(await gone).toBe('gone');
    await rig.until(() => person.asked[0]?.signal.aborted === true, 'the withdrawal');
    person.asked[0]?.say(SESSION);
    await rig.egress(1);
    // What was said to a withdrawn question gives no leave.
    const next = rig.fetch('https://api.test/a');
    await rig.until(() => person.asked.length === 2, 'a new question');
    expect(connections).toBe(0);
    person.asked[1]?.say({ answer: 'denied', scope: 'once' });
    expect((await next).status).toBe(403);
  });

  it('withdraws the question when the program only ends its side, as one that was killed does', async () => {
    const person = createPerson();
    await start(person.ask);
    const socket = await rig.tls('api.test');
    socket.write('GET /a HTTP/1.1\r\nHost: api.test\r\n\r\n');
    await rig.until(() => person.asked.length === 1, 'the question');
    socket.end();
    await rig.until(() => person.asked[0]?.signal.aborted === true, 'the withdrawal');
    const [event] = await rig.egress(1);
    expect(event).toMatchObject({ verdict: 'denied', code: 'egress.aborted' });
    expect(connections).toBe(0);
  });

  it('reaches no private address by leave either', async () => {
    const resolver = await startResolver({ 'rebind.test': ['127.0.0.1'] });
    await start(() => Promise.resolve(SESSION), { dns: `127.0.0.1:${String(resolver.port)}` });
    const refused = await rig.fetch('https://rebind.test/');
    expect(refused.headers['glovebox-code']).toBe('egress.private-address');
    resolver.close();
  });

  it('asks the resolver for no name before leave was given', async () => {
    const resolver = await startResolver({ 'secret-in-a-name.test': ['127.0.0.1'] });
    const person = createPerson();
    await start(person.ask, { dns: `127.0.0.1:${String(resolver.port)}` });
    const refused = rig.fetch('https://secret-in-a-name.test/');
    await rig.until(() => person.asked.length === 1, 'the question');
    person.asked[0]?.say({ answer: 'denied', scope: 'once' });
    expect((await refused).status).toBe(403);
    expect(resolver.asked).toEqual([]);
    resolver.close();
  });

  it('asks for plain HTTP, and for what comes through the proxy inside, alike', async () => {
    const person = createPerson();
    await start(person.ask);
    const plain = rig.fetch('http://api.test/plain');
    await rig.until(() => person.asked.length === 1, 'the question');
    expect(person.asked[0]?.question).toMatchObject({ scheme: 'http', port: 80, path: '/plain' });
    person.asked[0]?.say({ answer: 'denied', scope: 'once' });
    expect((await plain).headers['glovebox-code']).toBe('ask.denied');
    const proxied = requestOn(
      await rig.tcp('proxy.glovebox.internal', 3128),
      'http://other.test/x',
      'other.test',
    );
    await rig.until(() => person.asked.length === 2, 'the question for the proxy');
    expect(person.asked[1]?.question).toMatchObject({ host: 'other.test', path: '/x' });
    person.asked[1]?.say({ answer: 'denied', scope: 'once' });
    expect((await proxied).headers['glovebox-code']).toBe('ask.denied');
  });

  it('uploads a body only after leave was given', async () => {
    const person = createPerson();
    await start(person.ask);
    const body = Buffer.alloc(300_000, 'x');
    const answer = rig.fetch('https://api.test/up', { method: 'POST', body });
    await rig.until(() => person.asked.length === 1, 'the question');
    expect(connections).toBe(0);
    person.asked[0]?.say(ONCE);
    expect((await answer).status).toBe(200);
    const [event] = await rig.egress(1);
    expect(event?.bytesOut).toBe(body.length);
  });

  it('takes its questions along where the broker process ends, and begins without leave', async () => {
    const person = createPerson();
    const lives: SpawnedProcess[] = [];
    await start(person.ask, {
      start: {
        spawn: (entry, env) => {
          const life = forkProcess(entry, env);
          lives.push(life);
          return life;
        },
      },
    });
    const first = rig.fetch('https://api.test/a');
    await rig.until(() => person.asked.length === 1, 'the first question');
    person.asked[0]?.say(SESSION);
    expect((await first).status).toBe(200);
    const other = rig.fetch('https://other.test/').catch(() => 'broken off');
    await rig.until(() => person.asked.length === 2, 'the second question');
    lives[0]?.kill();
    await rig.until(() => person.asked[1]?.signal.aborted === true, 'the withdrawal');
    person.asked[1]?.say(SESSION);
    expect(await other).toBe('broken off');
    expect(seen).toEqual(['GET /a']);
    await rig.until(() => rig.states.includes('up'), 'the next life');
  });

  it('needs leave for the destination and for the repository, each by itself', async () => {
    const person = createPerson();
    await start(person.ask, { git: ['ask fetch api.test/me/*'] });
    const url = 'https://api.test/me/it.git/info/refs?service=git-upload-pack';
    const refused = rig.fetch(url);
    await rig.until(() => person.asked.length === 1, 'the question for the destination');
    expect(person.asked[0]?.question.what).toBe('destination');
    person.asked[0]?.say({ answer: 'denied', scope: 'once' });
    expect((await refused).headers['glovebox-code']).toBe('ask.denied');
    expect(person.asked.length).toBe(1);
    await rig.close();
    door.close();
    await upstream.close();
    const other = createPerson();
    await start(other.ask, { git: ['ask fetch api.test/me/*'] });
    const asking = rig.fetch(url);
    await rig.until(() => other.asked.length === 1, 'the question for the destination');
    other.asked[0]?.say(SESSION);
    await rig.until(() => other.asked.length === 2, 'the question for the repository');
    expect(other.asked[1]?.question).toMatchObject({ what: 'git-fetch', repository: 'me/it' });
    expect(connections).toBe(0);
    other.asked[1]?.say({ answer: 'denied', scope: 'once' });
    expect((await asking).headers['glovebox-code']).toBe('ask.denied');
    expect(connections).toBe(0);
  });

  it('refuses more questions than a person could answer', async () => {
    const person = createPerson();
    await start(person.ask);
    const waiting = Array.from({ length: 16 }, (_, index) =>
      rig.fetch(`https://host-${String(index)}.test/`),
    );
    await rig.until(() => person.asked.length === 16, 'sixteen questions');
    const over = await rig.fetch('https://one-more.test/');
    expect(over.headers['glovebox-code']).toBe('ask.too-many');
    for (const { say } of person.asked) say({ answer: 'denied', scope: 'once' });
    const statuses = new Set((await Promise.all(waiting)).map(({ status }) => status));
    expect(statuses).toEqual(new Set([403]));
  });
});

describe('asking, whatever is spoken', () => {
  it('waits in HTTP/2 with a program that offers nothing else', async () => {
    const authority = await createTestAuthority();
    const person = createPerson();
    const upstream = await listenHttp2(authority, ['h2.test'], (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('over h2');
    });
    const rig = await createRig({
      authority,
      default: 'ask',
      ask: person.ask,
      resolve: [`h2.test:443:127.0.0.1:${String(upstream.port)}`],
    });
    const socket = await rig.tls('h2.test', { alpn: ['h2'] });
    expect(socket.alpnProtocol).toBe('h2');
    const session = connectSession('https://h2.test', { createConnection: () => socket });
    const get = async (path: string): Promise<string> => {
      const stream = session.request({ ':path': path });
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      const parts = await stream.toArray();
      return `${String(headers[':status'])} ${Buffer.concat(parts as Buffer[]).toString()}`;
    };
    const first = get('/a');
    await rig.until(() => person.asked.length === 1, 'the question');
    expect(upstream.connections()).toBe(0);
    person.asked[0]?.say(ONCE);
    expect(await first).toBe('200 over h2');
    const second = get('/b');
    await rig.until(() => person.asked.length === 2, 'the second question');
    person.asked[1]?.say({ answer: 'denied', scope: 'once' });
    expect(await second).toMatch(/^403 .*ask\.denied/);
    session.destroy();
    await rig.close();
    await upstream.close();
  });

  it('waits with a WebSocket’s handshake', async () => {
    const authority = await createTestAuthority();
    const person = createPerson();
    let upgrades = 0;
    const server = createTlsServer(await authority.issue(['ws.test']));
    server.on('upgrade', () => {
      upgrades += 1;
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (ws) => ws.send('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const rig = await createRig({
      authority,
      default: 'ask',
      ask: person.ask,
      resolve: [`ws.test:443:127.0.0.1:${String(port)}`],
    });
    const open = async (): Promise<WebSocket> => {
      const socket = await rig.tls('ws.test');
      const ws = new WebSocket('ws://ws.test/feed', { createConnection: () => socket });
      ws.on('error', () => undefined);
      return ws;
    };
    const ws = await open();
    const greeting = once(ws, 'message');
    await rig.until(() => person.asked.length === 1, 'the question');
    expect(upgrades).toBe(0);
    person.asked[0]?.say(ONCE);
    expect(String((await greeting)[0])).toBe('hello');
    const refused = await open();
    const answer = once(refused, 'unexpected-response') as Promise<[unknown, IncomingMessage]>;
    await rig.until(() => person.asked.length === 2, 'the second question');
    person.asked[1]?.say({ answer: 'denied', scope: 'once' });
    expect((await answer)[1].headers['glovebox-code']).toBe('ask.denied');
    expect(upgrades).toBe(1);
    ws.terminate();
    await rig.close();
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
});
