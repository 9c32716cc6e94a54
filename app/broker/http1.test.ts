import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, listenTls, SECRET, type Rig, type Upstream } from './testing/setup.ts';

/** Gives the answer to a request and all that came before it. */
const exchange = (
  socket: Awaited<ReturnType<Rig['tcp']>>,
  bytes: string,
): { readonly heard: () => string } => {
  let heard = '';
  socket.on('data', (part: Buffer) => {
    heard += part.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.write(Buffer.from(bytes, 'latin1'));
  return { heard: () => heard };
};

describe('HTTP/1.1', () => {
  let rig: Rig;
  let server: Server;
  let secure: Upstream;
  const leaves: (() => void)[] = [];
  const bodies: string[] = [];
  const keep = (incoming: IncomingMessage, then: () => void): void => {
    let body = '';
    incoming.on('data', (part: Buffer) => {
      body += part.toString();
    });
    incoming.on('end', () => {
      bodies.push(body);
      then();
    });
  };

  beforeAll(async () => {
    const authority = await createTestAuthority();
    server = createServer((incoming, response) => {
      if (incoming.url === '/announced') {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': '4' });
        response.end();
        return;
      }
      keep(incoming, () => response.end('ok'));
    });
    server.on('checkContinue', (incoming, response) => {
      if (incoming.url === '/no') {
        response.writeHead(413).end('no');
        return;
      }
      keep(incoming, () => response.end('taken'));
      if (incoming.url !== '/mute') leaves.push(() => response.writeContinue());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    secure = await listenTls(authority, ['api.test'], (incoming, response) => {
      const key = String(incoming.headers['x-api-key']);
      response.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-echo': key });
      response.end('hinted');
    });
    rig = await createRig({
      authority,
      allow: ['plain.test', 'api.test'],
      resolve: [
        `plain.test:80:127.0.0.1:${String((server.address() as AddressInfo).port)}`,
        `api.test:443:127.0.0.1:${String(secure.port)}`,
      ],
      grants: [{ kind: 'anthropic', hosts: ['api.test'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    await secure.close();
    server.closeAllConnections();
    server.close();
  });

  const post = (path: string, more: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: plain.test\r\n${more}\r\n`;

  it('passes early hints on, scrubbed', async () => {
    const placeholder = rig.grants[0]?.placeholder ?? '';
    const socket = await rig.tls('api.test');
    const hints: unknown[] = [];
    const text = await new Promise<string>((resolve, reject) => {
      const call = request({
        createConnection: () => socket,
        headers: { host: 'api.test', 'x-api-key': placeholder },
      });
      call.on('information', ({ statusCode, headers }) => hints.push([statusCode, headers]));
      call.on('error', reject);
      call.on('response', (answer) => {
        let body = '';
        answer.on('data', (part: Buffer) => {
          body += part.toString();
        });
        answer.on('end', () => resolve(body));
      });
      call.end();
    });
    expect(text).toBe('hinted');
    expect(hints).toEqual([[103, { link: '</a.css>; rel=preload', 'x-echo': placeholder }]]);
    expect(JSON.stringify(hints)).not.toContain(SECRET);
    socket.destroy();
  });

  it('gives no leave to send a body before the server does', async () => {
    const socket = await rig.tcp('plain.test', 80);
    const talk = exchange(socket, post('/ask', 'Content-Length: 4\r\nExpect: 100-continue\r\n'));
    await rig.until(() => leaves.length > 0, 'the question');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(talk.heard()).toBe('');
    leaves[0]?.();
    await rig.until(() => talk.heard().startsWith('HTTP/1.1 100 '), 'leave');
    socket.write('body');
    await rig.until(() => talk.heard().includes('taken'), 'the answer');
    expect(bodies.at(-1)).toBe('body');
    socket.destroy();
  });

  it('passes a refusal of the body on in place of leave', async () => {
    const socket = await rig.tcp('plain.test', 80);
    const talk = exchange(socket, post('/no', 'Content-Length: 4\r\nExpect: 100-continue\r\n'));
    await rig.until(() => talk.heard().includes('413'), 'the refusal');
    expect(talk.heard()).not.toContain(' 100 ');
    socket.destroy();
  });

  it('does not leave a program waiting for a server that gives no leave', async () => {
    const socket = await rig.tcp('plain.test', 80);
    const talk = exchange(socket, post('/mute', 'Content-Length: 4\r\nExpect: 100-continue\r\n'));
    await rig.until(() => talk.heard().startsWith('HTTP/1.1 100 '), 'leave from us');
    socket.write('late');
    await rig.until(() => talk.heard().includes('taken'), 'the answer');
    expect(bodies.at(-1)).toBe('late');
    socket.destroy();
  });

  it('refuses every other expectation with 417', async () => {
    const socket = await rig.tcp('plain.test', 80);
    const talk = exchange(socket, post('/x', 'Content-Length: 0\r\nExpect: coffee\r\n'));
    await rig.until(() => talk.heard().includes('glovebox-code'), 'the refusal');
    expect(talk.heard()).toMatch(/^HTTP\/1\.1 417 /);
    socket.destroy();
  });

  it('passes the announcement of trailers on with them', async () => {
    const socket = await rig.tcp('plain.test', 80);
    const talk = exchange(socket, 'GET /announced HTTP/1.1\r\nHost: plain.test\r\n\r\n');
    await rig.until(
      () => talk.heard().endsWith('\r\n\r\n') && talk.heard().includes('x-sum: 4'),
      'it',
    );
    expect(talk.heard().toLowerCase()).toContain('\r\ntrailer: x-sum\r\n');
    socket.destroy();
  });

  it('takes an empty line before a request, wherever it is cut', async () => {
    for (const cut of [1, 2, 3]) {
      const socket = await rig.tcp('plain.test', 80);
      const bytes = '\r\nGET / HTTP/1.1\r\nHost: plain.test\r\n\r\n';
      const talk = exchange(socket, bytes.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.write(bytes.slice(cut));
      await rig.until(() => talk.heard().includes('ok'), 'the answer');
      expect(talk.heard()).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    }
  });
});
