import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing/certificates.ts';
import {
  createRig,
  listenTls,
  SECRET,
  type Answer,
  type Rig,
  type Upstream,
} from './testing/setup.ts';

const every = (text: string, spell: (code: string, character: string) => string): string =>
  Array.from(text, (character) =>
    spell(character.charCodeAt(0).toString(16).padStart(2, '0'), character),
  ).join('');
const lines = (text: string, width: number, lineBreak: string): string =>
  (text.match(new RegExp(`.{1,${String(width)}}`, 'g')) ?? []).join(lineBreak);
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const hex = (text: string): string => Buffer.from(text).toString('hex');

type Echo = (key: string, response: ServerResponse, socket: Socket) => void;
const send =
  (make: (key: string) => string | Buffer, headers: Record<string, string> = {}): Echo =>
  (key, response) => {
    const body = Buffer.from(make(key) as string);
    response.writeHead(200, { ...headers, 'content-length': String(body.length) }).end(body);
  };
const json = (make: (key: string) => string): Echo =>
  send((key) => `{"echo":"${make(key)}"}`, { 'content-type': 'application/json' });
const split =
  (make: (key: string) => string, type: string): Echo =>
  (key, response) => {
    const text = make(key);
    const middle = Math.floor(text.length / 2);
    response.writeHead(200, { 'content-type': type });
    response.write(text.slice(0, middle));
    setTimeout(() => response.end(text.slice(middle)), 20);
  };
const coded = (coding: string, encode: (bytes: Buffer) => Buffer): Echo =>
  send((key) => encode(Buffer.from(`before ${key} after`)), { 'content-encoding': coding });
const raw =
  (make: (key: string) => string): Echo =>
  (key, _response, socket) => {
    socket.end(make(key));
  };

/** Every way in which a server gives a credential back. */
const SHAPES: Readonly<Record<string, Echo>> = {
  'plain JSON': json((key) => key),
  header: (key, response) => response.writeHead(200, { 'x-echo': key }).end('ok'),
  'header name': (_key, response) =>
    response.writeHead(200, { [SECRET.replaceAll('/', '-').slice(0, 18)]: 'x' }).end('ok'),
  reason: raw((key) => `HTTP/1.1 200 OK ${key}\r\nContent-Length: 2\r\n\r\nok`),
  base64: send(base64),
  'base64 at another alignment': send((key) => base64(`a${key}b`)),
  'base64 at the third alignment': send((key) => base64(`ab${key}`)),
  base64url: send((key) => Buffer.from(`a${key}`).toString('base64url')),
  'base64 in lines of 76': send((key) => lines(base64(`x: ${key}`.repeat(3)), 76, '\r\n')),
  'base64 in lines of 64, in JSON': json((key) => lines(base64(key.repeat(3)), 64, String.raw`\n`)),
  'base64 in short lines, indented': send((key) => lines(base64(key), 8, '\n    ')),
  'base64, percent-encoded': send((key) => encodeURIComponent(base64(key))),
  'base64 in lines, percent-encoded': send((key) =>
    encodeURIComponent(lines(base64(`x: ${key}`.repeat(3)), 64, '\n')),
  ),
  'base64 in short lines, \\u': json((key) => lines(base64(key), 9, String.raw`\u000a`)),
  'JSON \\u': json((key) => every(key, (code) => String.raw`\u00${code}`)),
  'JSON \\u in part, and \\/': json((key) =>
    key.replace('k', String.raw`\u006B`).replaceAll('/', String.raw`\/`),
  ),
  'JSON in JSON': json((key) => every(key, (code) => String.raw`\\u00${code}`)),
  percent: send(encodeURIComponent),
  'percent of every byte': send((key) => every(key, (code) => `%${code.toUpperCase()}`)),
  'percent twice': send((key) => encodeURIComponent(encodeURIComponent(key))),
  'percent twice of every byte': send((key) => every(key, (code) => `%25${code}`)),
  'a form': send((key) => new URLSearchParams({ key }).toString()),
  hexadecimal: send(hex),
  'hexadecimal, upper case': send((key) => hex(key).toUpperCase()),
  'hexadecimal with colons': send((key) => lines(hex(key), 2, ':')),
  'a hex dump': send((key) => lines(hex(key), 60, '\n')),
  '\\x': send((key) => every(key, (code) => String.raw`\x${code}`)),
  'HTML entities': send((key) => every(key, (code) => `&#x${code};`)),
  'HTML entities, decimal, padded': send((key) =>
    every(key, (code) => `&#0${String(Number.parseInt(code, 16))};`),
  ),
  'HTML in JSON': json((key) => every(key, (code) => String.raw`\u0026#x${code};`)),
  'UTF-16': send((key) => Buffer.from(key, 'utf16le')),
  gzip: coded('gzip', gzipSync),
  'x-gzip': coded('x-gzip', gzipSync),
  deflate: coded('deflate', deflateSync),
  'bare deflate': coded('deflate', deflateRawSync),
  br: coded('br', brotliCompressSync),
  zstd: coded('zstd', zstdCompressSync),
  'two codings': coded('br, gzip', (bytes) => gzipSync(brotliCompressSync(bytes))),
  'two members of gzip': coded('gzip', (bytes) =>
    Buffer.concat([gzipSync(bytes.subarray(0, 20)), gzipSync(bytes.subarray(20))]),
  ),
  'an octet stream': send((key) => `\0\u0001${key}`, {
    'content-type': 'application/octet-stream',
  }),
  'no content type': send((key) => key),
  'chunks split in the middle': split((key) => `{"k":"${key}"}`, 'application/json'),
  'events split in the middle': split((key) => `data: ${key}\n\n`, 'text/event-stream'),
  'base64 events split in the middle': split(
    (key) => `data: ${base64(key)}\n\n`,
    'text/event-stream',
  ),
  'a chunk for every byte': (key, response) => {
    response.writeHead(200);
    for (const character of key) response.write(character);
    response.end();
  },
  '3 MiB with length': send((key) => 'x'.repeat(3 * 1024 * 1024) + key),
  trailer: (key, response) => {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': key });
    response.end();
  },
};

/** Answers that should have no body (RFC 9110 15.3.6), and yet their framing leaves room for one. */
const BODILESS: Readonly<Record<string, Echo>> = {
  'with its length': (key, response) => {
    response.writeHead(205, { 'content-length': String(key.length) }).end(key);
  },
  'in chunks': (key, response) => {
    response.writeHead(205);
    response.write(key);
    response.end();
  },
  'in a coding': (key, response) => {
    response.writeHead(205, { 'content-encoding': 'gzip' }).end(gzipSync(key));
  },
};

const CODED = new Set(['gzip', 'x-gzip', 'deflate', 'bare deflate', 'br', 'zstd', 'two codings']);

describe('what a server gives back', () => {
  let rig: Rig;
  let upstream: Upstream;
  const seen: Buffer[] = [];
  const placeholder = (): string => rig.grants[0]?.placeholder ?? '';
  const url = (name: string): string =>
    `https://api.test/${Buffer.from(name).toString('base64url')}`;
  const auth = (): Record<string, string> => ({ authorization: `Bearer ${placeholder()}` });

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(
      authority,
      ['api.test'],
      (request: IncomingMessage, response: ServerResponse) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          seen.push(Buffer.concat(parts));
          const name = Buffer.from((request.url ?? '').slice(1), 'base64url').toString();
          const key = String(request.headers.authorization).slice('Bearer '.length);
          if (name === 'folded') {
            request.socket.end(
              `HTTP/1.1 200 OK\r\nX-Echo: a\r\n ${key}\r\nContent-Length: 2\r\n\r\nok`,
            );
          } else if (name === 'unknown coding') {
            response.writeHead(200, { 'content-encoding': 'compress' }).end('?');
          } else if (name === 'cut short') {
            const body = gzipSync(key);
            response.writeHead(200, { 'content-encoding': 'gzip' }).end(body.subarray(0, -9));
          } else if (name === 'interim') {
            response.writeEarlyHints({ link: '</x>; rel=preload', 'x-echo': key });
            response.end('ok');
          } else {
            const shape = SHAPES[name] ?? BODILESS[name] ?? send(() => 'ok');
            shape(key, response, request.socket);
          }
        });
      },
    );
    rig = await createRig({
      authority,
      allow: ['api.test'],
      resolve: [`api.test:443:127.0.0.1:${String(upstream.port)}`],
      grants: [{ kind: 'bearer', hosts: ['api.test'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  const everything = ({ reason, headers, text, trailers }: Answer): string =>
    [reason, JSON.stringify(headers), text, JSON.stringify(trailers)].join('\n');
  /** All readings of a text in which a secret could hide. */
  const readings = (text: string): readonly string[] => {
    const unescape = (from: string): string =>
      from
        .replaceAll(/&#0*(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
        .replaceAll(/(?:%|\\u00|\\x|&#x)([0-9a-f]{2});?/gi, (_, code: string) =>
          String.fromCharCode(Number.parseInt(code, 16)),
        )
        .replaceAll(String.raw`\/`, '/')
        .replaceAll('\\\\', '\\');
    const once = unescape(text);
    const twice = unescape(once);
    const layers = [text, once, twice, unescape(twice), text.replaceAll('\0', '')];
    const packed = layers.map((layer) => layer.replaceAll(/\\[rn]|[\s:]/g, ''));
    return [...layers, ...packed].flatMap((layer) => [
      layer,
      ...(layer.match(/[\w+/-]{12,}/g) ?? []).flatMap((word) => [
        ...[0, 1, 2, 3].map((skip) => Buffer.from(word.slice(skip), 'base64').toString('latin1')),
        Buffer.from(word, 'hex').toString('latin1'),
      ]),
    ]);
  };

  it.each(Object.keys(SHAPES))('comes in without the secret: %s', async (name) => {
    const answer = await rig.fetch(url(name), {
      headers: auth(),
    });
    expect(answer.status).toBe(200);
    // The better part of a secret is one too: the edges of its base64 may stay.
    const core = SECRET.slice(3, -3);
    for (const reading of readings(everything(answer))) expect(reading).not.toContain(core);
    const length = answer.headers['content-length'];
    expect(length === undefined || Number(length) === answer.body.length).toBe(true);
    expect(answer.headers['content-encoding']).toBeUndefined();
    // Read to the last coding, and not just thrown away.
    expect(answer.text).toMatch(CODED.has(name) ? /^before .* after$/ : /^/);
  });

  it.each(Object.keys(BODILESS))(
    'comes in without the secret under status 205, %s',
    async (name) => {
      const answer = await rig.fetch(url(name), { headers: auth() });
      expect(answer.status).toBe(205);
      expect(answer.text).toBe(placeholder());
    },
  );

  it.each(['folded', 'unknown coding'])('is refused: %s', async (name) => {
    const answer = await rig.fetch(url(name), {
      headers: auth(),
    });
    expect(answer.status).toBe(502);
    expect(everything(answer)).not.toContain(SECRET);
  });

  it('comes in without the secret in an interim answer', async () => {
    const socket = await rig.tls('api.test');
    let text = '';
    socket.on('data', (part: Buffer) => (text += part.toString()));
    socket.write(
      `GET ${new URL(url('interim')).pathname} HTTP/1.1\r\nHost: api.test\r\nAuthorization: ${String(auth()['authorization'])}\r\n\r\n`,
    );
    await rig.until(() => text.includes('HTTP/1.1 200'), 'the answer');
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 103/);
    expect(text).not.toContain(SECRET);
  });

  it('breaks off where a compressed answer is cut short', async () => {
    await expect(rig.fetch(url('cut short'), { headers: auth() })).rejects.toThrow(
      /aborted|hang up|ECONNRESET/,
    );
  });

  it.each<[string, string, (bytes: Buffer) => Buffer]>([
    ['gzip', 'gzip', gzipSync],
    ['br', 'br', brotliCompressSync],
    ['zstd', 'zstd', zstdCompressSync],
    ['bare deflate', 'deflate', deflateRawSync],
  ])('a placeholder in an upload does not leave under %s', async (_name, coding, encode) => {
    const post = (text: string): Promise<Answer> =>
      rig.fetch('https://api.test/upload', {
        method: 'POST',
        headers: { 'content-encoding': coding },
        body: encode(Buffer.from(text)),
      });
    const before = seen.length;
    const refused = await post(`{"key":"${placeholder()}"}`);
    expect([refused.status, refused.headers['glovebox-code']]).toEqual([403, 'grant.wrong-place']);
    expect(seen.length).toBe(before);
    const broken = await rig.fetch('https://api.test/upload', {
      method: 'POST',
      headers: { 'content-encoding': coding },
      body: `not ${coding} at all`,
    });
    expect([broken.status, broken.headers['glovebox-code']]).toEqual([400, 'egress.bad-request']);
    expect(seen.length).toBe(before);
    expect((await post('{"key":"value"}')).status).toBe(200);
    expect(seen.at(-1)?.equals(encode(Buffer.from('{"key":"value"}')))).toBe(true);
  });

  it.each<[string, (key: string) => string]>([
    ['JSON \\u', (key) => every(key, (code) => String.raw`\u00${code}`)],
    ['hexadecimal', hex],
    ['base64 in lines', (key) => lines(base64(`u:${key}`), 16, '\n')],
    ['percent twice', (key) => every(key, (code) => `%25${code}`)],
    ['HTML entities', (key) => every(key, (code) => `&#x${code};`)],
  ])('a placeholder in an upload does not leave as %s', async (_name, spell) => {
    const before = seen.length;
    const refused = await rig.fetch('https://api.test/upload', {
      method: 'POST',
      body: spell(placeholder()),
    });
    expect([refused.status, refused.headers['glovebox-code']]).toEqual([403, 'grant.wrong-place']);
    expect(seen.length).toBe(before);
  });
});
