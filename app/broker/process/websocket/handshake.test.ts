import { describe, expect, it } from 'vitest';
import { parseHost } from '../../../policy/index.ts';
import type { HeaderPairs } from '../inject.ts';
import type { UpgradeRequest } from '../upgrade.ts';
import {
  acceptOf,
  MAX_SUBPROTOCOLS,
  readHandshake,
  readHandshakeAnswer,
  upstreamHandshake,
} from './handshake.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const host = parseHost('live.test');
if (!host.ok) throw new Error('no host');
const to = { host: host.value, port: 443, tls: true };

const OFFER: HeaderPairs = [
  ['Host', 'live.test'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', KEY],
  ['Sec-WebSocket-Protocol', 'chat, glovebox-fake'],
  ['Sec-WebSocket-Extensions', 'permessage-deflate'],
];
const request = (
  headers: HeaderPairs = OFFER,
  method = 'GET',
  version: 'h1' | 'h2' = 'h1',
): UpgradeRequest => ({ to, protocol: 'websocket', method, target: '/', headers, version });

const without = (name: string): HeaderPairs => OFFER.filter(([other]) => other !== name);

describe('readHandshake', () => {
  it('reads one of HTTP/1.1, and one of HTTP/2, which has no key', () => {
    expect(readHandshake(request())).toEqual({
      ok: true,
      value: { key: KEY, protocols: ['chat', 'glovebox-fake'] },
    });
    expect(readHandshake(request(without('Sec-WebSocket-Key'), 'CONNECT', 'h2'))).toMatchObject({
      ok: true,
      value: { key: undefined },
    });
  });

  it.each<[string, HeaderPairs, string]>([
    ['another method', OFFER, 'POST'],
    ['no version', without('Sec-WebSocket-Version'), 'GET'],
    ['two versions', [...OFFER, ['sec-websocket-version', '13']], 'GET'],
    ['no key', without('Sec-WebSocket-Key'), 'GET'],
    ['two keys', [...OFFER, ['sec-websocket-key', KEY]], 'GET'],
    ['a key too short', [...without('Sec-WebSocket-Key'), ['Sec-WebSocket-Key', 'AAAA']], 'GET'],
    ['a length', [...OFFER, ['Content-Length', '0']], 'GET'],
    ['a coding', [...OFFER, ['Transfer-Encoding', 'chunked']], 'GET'],
    ['an expectation', [...OFFER, ['Expect', '100-continue']], 'GET'],
  ])('refuses %s', (_what, headers, method) => {
    expect(readHandshake(request(headers, method))).toMatchObject({
      ok: false,
      error: { code: 'egress.bad-request' },
    });
  });

  it('takes as many subprotocols as the cap, and no more', () => {
    const offer = (count: number): HeaderPairs => [
      ...without('Sec-WebSocket-Protocol'),
      ['Sec-WebSocket-Protocol', Array.from({ length: count }, (_, at) => `p${String(at)}`).join()],
    ];
    expect(readHandshake(request(offer(MAX_SUBPROTOCOLS))).ok).toBe(true);
    expect(readHandshake(request(offer(MAX_SUBPROTOCOLS + 1))).ok).toBe(false);
  });
});

describe('upstreamHandshake', () => {
  it('offers extensions only where frames need not be read', () => {
    expect(upstreamHandshake(OFFER, false)).toEqual(OFFER);
    expect(upstreamHandshake(OFFER, true)).toEqual(without('Sec-WebSocket-Extensions'));
  });
});

describe('readHandshakeAnswer', () => {
  const right: HeaderPairs = [
    ['upgrade', 'WebSocket'],
    ['connection', 'keep-alive, Upgrade'],
    ['Sec-WebSocket-Accept', ACCEPT],
  ];
  const read = (headers: HeaderPairs, status = 101, mustRead = true) =>
    readHandshakeAnswer(
      { key: KEY, protocols: ['chat', 'glovebox-fake'] },
      { status, headers },
      mustRead,
      (text) => text.replace('real', 'glovebox-fake'),
    );

  it('knows the example of RFC 6455 1.3', () => {
    expect(acceptOf(KEY)).toBe(ACCEPT);
  });

  it('passes a right one on, without what belongs to the other connection', () => {
    const answer: HeaderPairs = [
      ...right,
      ['Alt-Svc', 'h3=":443"'],
      ['Content-Length', '0'],
      ['X', 'y'],
    ];
    expect(read(answer)).toEqual({
      ok: true,
      value: [
        ['Sec-WebSocket-Accept', ACCEPT],
        ['X', 'y'],
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ],
    });
  });

  it('takes a subprotocol that was offered, also one that holds the real value', () => {
    expect(read([...right, ['Sec-WebSocket-Protocol', 'chat']]).ok).toBe(true);
    expect(read([...right, ['Sec-WebSocket-Protocol', 'real']]).ok).toBe(true);
  });

  it.each<[string, HeaderPairs, number]>([
    ['another status', right, 200],
    ['another protocol', [['upgrade', 'h2c'], ...right.slice(1)], 101],
    ['no Upgrade', right.slice(1), 101],
    ['no Connection', [...right.slice(0, 1), ...right.slice(2)], 101],
    ['no accept', right.slice(0, 2), 101],
    ['a wrong accept', [...right.slice(0, 2), ['Sec-WebSocket-Accept', KEY]], 101],
    ['two accepts', [...right, ['Sec-WebSocket-Accept', ACCEPT]], 101],
    ['a foreign subprotocol', [...right, ['Sec-WebSocket-Protocol', 'mqtt']], 101],
    ['an extension', [...right, ['Sec-WebSocket-Extensions', 'permessage-deflate']], 101],
  ])('refuses one with %s', (_what, headers, status) => {
    expect(read(headers, status)).toMatchObject({
      ok: false,
      error: { code: 'egress.websocket-handshake' },
    });
  });

  it('leaves an extension where frames need not be read', () => {
    const headers: HeaderPairs = [...right, ['Sec-WebSocket-Extensions', 'permessage-deflate']];
    expect(read(headers, 101, false).ok).toBe(true);
  });

  it('takes a 200 on HTTP/2, and nothing else', () => {
    const answer = (status: number) =>
      readHandshakeAnswer(
        { key: undefined, protocols: [] },
        { status, headers: [['x', 'y']] },
        true,
        (text) => text,
      );
    expect(answer(200)).toEqual({ ok: true, value: [['x', 'y']] });
    expect(answer(204).ok).toBe(false);
  });
});
