import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { readHttp2Head } from './request-head-http2.ts';
import { readRequestHead, sameAuthority, writtenAuthority } from './request-head.ts';

const to = { host: unwrap(parseHost('www.allowed.test')), port: 443, tls: true };

describe('an authority', () => {
  it.each([
    'www.allowed.test',
    'www.allowed.test:443',
    'WWW.Allowed.Test',
    'www.allowed.test.',
    'www\u3002allowed\uff0etest',
    '\uff57ww.allowed.test',
  ])('%j means the host of the connection', (text) => {
    expect(sameAuthority(text, to)).toBe(true);
  });

  it.each([
    ['www.allowed.test', 'www.allowed.test'],
    ['WWW.Allowed.Test:443', 'WWW.Allowed.Test:443'],
    ['www.allowed.test.', 'www.allowed.test'],
    ['www\u3002allowed\uff0etest:443', 'www.allowed.test:443'],
  ])('%j goes upstream as %j', (text, written) => {
    expect(writtenAuthority(text, to)).toBe(written);
    const head = unwrap(
      readHttp2Head(
        {
          raw: [':method', 'GET', ':scheme', 'https', ':authority', text, ':path', '/'],
          last: true,
        },
        to,
        new Set(),
      ),
    );
    expect(head.headers).toContainEqual(['host', written]);
  });

  it.each([
    '',
    'www.allowed.test:80',
    'www.allowed.test:',
    'www.allowed.test:443:443',
    'www.allowed.test:+443',
    'www.allowed.test:99999',
    'www.allowed.test@evil.test',
    'evil.test@www.allowed.test',
    'www.allowed.test:443@evil.test',
    'evil.test#www.allowed.test',
    'evil.test?www.allowed.test',
    'evil.test/www.allowed.test',
    'evil.test\\www.allowed.test',
    'evil.test\\@www.allowed.test',
    'www.allowed.test.evil.test',
    'evilwww.allowed.test',
    'wwwXallowed.test',
    'allowed.test',
    'www.allowed.test%2eevil.test',
    'www.allowed.test%00.evil.test',
    'www.allowed.test\0.evil.test',
    'www.allowed.test\t',
    ' www.allowed.test',
    'www.allowed.test..',
    'www.allowed.test, evil.test',
    'www.allowed.t\u0435st',
    '[www.allowed.test]',
    '[::1]',
    '//www.allowed.test',
    'https://www.allowed.test',
  ])('%j does not', (text) => {
    expect(sameAuthority(text, to)).toBe(false);
  });
});

/** What Node's parser would hand over, were it less strict. */
const read = (...rawHeaders: readonly string[]) =>
  readRequestHead(
    {
      method: 'POST',
      url: '/',
      httpVersion: '1.1',
      rawHeaders: ['Host', 'www.allowed.test', ...rawHeaders],
    } as unknown as IncomingMessage,
    to,
    new Set(),
  );

describe('a request’s framing', () => {
  it.each([
    [['Content-Length', '3', 'Transfer-Encoding', 'chunked']],
    [['Transfer-Encoding', 'gzip, chunked']],
    [['Transfer-Encoding', 'xchunked']],
    [['Content-Length', '+3']],
    [['Content-Length', '3', 'Content-Length', '3']],
  ])('%j is refused by the broker too', (fields) => {
    expect(read(...fields)).toMatchObject({ ok: false, error: { code: 'egress.bad-request' } });
  });

  it.each([
    [['Content-Length', '3'], { type: 'length', bytes: 3 }],
    [['Transfer-Encoding', 'Chunked'], { type: 'chunked' }],
    [[], { type: 'none' }],
  ])('%j is read', (fields, framing) => {
    expect(unwrap(read(...fields)).framing).toEqual(framing);
  });
});

describe('an HTTP/2 request’s fields', () => {
  const HEAD = [
    ':method',
    'GET',
    ':scheme',
    'https',
    ':authority',
    'www.allowed.test',
    ':path',
    '/',
  ];
  const readFields = (...fields: readonly string[]) =>
    readHttp2Head({ raw: [...HEAD, ...fields], last: true }, to, new Set());

  it.each(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])(
    '%s is refused by the broker too',
    (name) => {
      expect(readFields(name, 'x')).toMatchObject({ ok: false });
    },
  );

  it('are read where they are right', () => {
    expect(readFields('te', 'trailers').ok).toBe(true);
  });
});
