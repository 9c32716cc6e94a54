import { describe, expect, it } from 'vitest';
import type { CallHead } from '../http-call.ts';
import { endsConnection, writeFields, writeRequestHead } from './written-head.ts';

const head = (more: Partial<CallHead> = {}): CallHead => ({
  method: 'GET',
  target: '/a?b',
  headers: [
    ['Host', 'a.test'],
    ['x-Y', 'caf\u00e9 \t z'],
  ],
  framing: { type: 'none' },
  authority: 'a.test',
  sensitive: () => [],
  protocol: undefined,
  ...more,
});
const START = 'GET /a?b HTTP/1.1\r\nHost: a.test\r\nx-Y: caf\u00e9 \t z\r\n';

/** Whatever would end a line, begin another, or is no one byte. */
const BAD = ['\r', '\n', '\r\n', '\0', '\u007f', '\u001b', '\u0100', '\ud83d\ude00'];

describe('a request’s head as it is written', () => {
  it.each<[string, Partial<CallHead>, string]>([
    ['without a body', {}, `${START}Connection: keep-alive\r\n\r\n`],
    [
      'with a length',
      { method: 'PUT', framing: { type: 'length', bytes: 12 } },
      `${START.replace('GET', 'PUT')}Content-Length: 12\r\nConnection: keep-alive\r\n\r\n`,
    ],
    [
      'in chunks',
      { method: 'POST', framing: { type: 'chunked' } },
      `${START.replace('GET', 'POST')}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n`,
    ],
    [
      'of a POST without a body',
      { method: 'POST' },
      `${START.replace('GET', 'POST')}Content-Length: 0\r\nConnection: keep-alive\r\n\r\n`,
    ],
    [
      'for another protocol',
      { protocol: 'websocket' },
      `${START}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ],
    [
      'of a GET with a body, after which the connection ends',
      { framing: { type: 'length', bytes: 3 } },
      `${START}Content-Length: 3\r\nConnection: close\r\n\r\n`,
    ],
  ])('has one framing and one connection field: %s', (_what, more, text) => {
    expect(writeRequestHead(head(more))).toBe(text);
  });

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])(
    'ends the connection of a %s with a body',
    (method) => {
      expect(endsConnection(head({ method, framing: { type: 'chunked' } }))).toBe(true);
      expect(endsConnection(head({ method }))).toBe(false);
    },
  );

  it.each(BAD)('is none with %j anywhere in it', (bad) => {
    for (const place of [bad, `${bad}a`, `a${bad}b`, `a${bad}`]) {
      expect(writeFields([['X', place]])).toHaveProperty('malformed');
      expect(writeFields([[place, 'x']])).toHaveProperty('malformed');
      expect(writeRequestHead(head({ headers: [['X', place]] }))).toHaveProperty('malformed');
      expect(writeRequestHead(head({ headers: [[place, 'x']] }))).toHaveProperty('malformed');
      expect(writeRequestHead(head({ target: `/${place}` }))).toHaveProperty('malformed');
      expect(writeRequestHead(head({ method: place }))).toHaveProperty('malformed');
    }
  });

  it.each(['', 'a b', 'a:b', 'a\tb', '(a)', 'caf\u00e9'])('has no field named %j', (name) => {
    expect(writeFields([[name, 'x']])).toHaveProperty('malformed');
  });

  it.each(['', 'G T', 'GET ', 'G:T'])('has no method %j', (method) => {
    expect(writeRequestHead(head({ method }))).toHaveProperty('malformed');
  });

  it.each(['', '/a b', '/a\tb', ' /'])('has no target %j', (target) => {
    expect(writeRequestHead(head({ target }))).toHaveProperty('malformed');
  });
});
