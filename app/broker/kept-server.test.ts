import { gzipSync, gunzipSync } from 'node:zlib';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenScripted, type ScriptedServer } from './testing/scripted-server.ts';
import { createRig, type Rig } from './testing/setup.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const TEXT = 'a text that is long enough to be worth packing '.repeat(2000);
const PACKED = gzipSync(TEXT);

/** What the server does with a request, by its path. */
const answer = (socket: Socket, text: string, asked: (path: string) => number): void => {
  const [, path = ''] = /^[A-Z]+ (\S+) HTTP/.exec(text) ?? [];
  if (path === '') return;
  const first = asked(path) === 1;
  if (path === '/dies' && first) socket.destroy();
  else if (path === '/mumbles' && first) socket.end('HT');
  else if (path === '/early') {
    // It has read enough: the answer comes before the upload is over, and the connection ends.
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${String(PACKED.length)}\r\n\r\n`,
    );
    socket.end(PACKED);
  } else socket.write(OK);
};

describe('a kept connection to a server', () => {
  let rig: Rig;
  let server: ScriptedServer;
  const asked: string[] = [];

  beforeAll(async () => {
    server = await listenScripted((socket, text) => {
      answer(socket, text, (path) => {
        asked.push(path);
        return asked.filter((one) => one === path).length;
      });
    });
    rig = await createRig({
      allow: ['plain.test'],
      resolve: [`plain.test:80:127.0.0.1:${String(server.port)}`],
      grants: [{ kind: 'bearer', hosts: ['granted.test'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    await server.close();
  });

  /** Sends requests one after the other on one connection; the last answer. */
  const say = async (...requests: readonly string[]): Promise<string> => {
    const stream = await rig.tcp('plain.test', 80);
    let heard = '';
    let ended = false;
    stream.on('data', (part: Buffer) => {
      heard += part.toString('latin1');
    });
    stream.on('error', () => undefined);
    stream.once('close', () => {
      ended = true;
    });
    for (const request of requests) {
      heard = '';
      stream.write(request);
      await rig.until(() => ended || /\r\n\r\n(?:ok|\{[^]*\}\s*)$/.test(heard), 'an answer');
    }
    stream.destroy();
    return heard;
  };
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: plain.test\r\n\r\n`;
  const post = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 3\r\n\r\nabc`;
  const times = (path: string): number => asked.filter((one) => one === path).length;

  it('that was closed just now is replaced, where the request may be sent twice', async () => {
    asked.length = 0;
    expect(await say(get('/'), get('/dies'))).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(times('/dies')).toBe(2);
  });

  it('that was closed just now fails a request that may not be sent twice', async () => {
    asked.length = 0;
    expect(await say(get('/'), post('/dies'))).toContain('egress.upstream-broke');
    expect(times('/dies')).toBe(1);
  });

  it('that ends after the first byte of an answer fails every request', async () => {
    asked.length = 0;
    expect(await say(get('/'), get('/mumbles'))).toContain('egress.upstream-broke');
    expect(times('/mumbles')).toBe(1);
  });

  it('passes an answer on whole that came before the upload was over', async () => {
    const stream = await rig.tcp('plain.test', 80);
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => undefined);
    stream.write(
      'POST /early HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 1000000\r\n\r\nthe beginning',
    );
    const heard = (): string => Buffer.concat(parts).toString('latin1');
    await rig.until(() => heard().endsWith('0\r\n\r\n'), 'the end of the answer');
    stream.destroy();
    expect(heard()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const body = heard()
      .slice(heard().indexOf('\r\n\r\n') + 4)
      .replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '');
    expect(body.replace(/\r\n$/, '')).toBe(gunzipSync(PACKED).toString());
  });
});
