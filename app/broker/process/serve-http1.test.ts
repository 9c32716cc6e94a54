import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createManualClock, ok, unwrap } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { KEEP_ALIVE_MS } from './caller-http1.ts';
import { createCredentialBook } from './credential-book.ts';
import { createExchanges } from './exchange.ts';
import type { Http1Connection } from './http1/connection.ts';
import { createServeHttp1, KEEP_ALIVE_SWEEP_MS } from './serve-http1.ts';

const to = { host: unwrap(parseHost('a.test')), port: 80, tls: false };
const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

/** A connection to a server that answers each request at once with two letters. */
const answering: Http1Connection = {
  address: '192.0.2.1',
  usable: () => true,
  begin: (_head, _written, events) => {
    events.onAnswer({
      head: {
        status: 200,
        reason: 'OK',
        headers: [['Content-Length', '2']],
        framing: { type: 'length', bytes: 2 },
        keep: true,
        keepForMs: undefined,
      },
      body: {
        read: ({ data, ended }) => {
          data(Buffer.from('ok'));
          ended();
        },
        pause: () => undefined,
        resume: () => undefined,
      },
      trailers: () => [],
    });
    return undefined;
  },
  abandon: () => undefined,
  destroy: () => undefined,
};

const open = () => {
  const clock = createManualClock();
  const book = createCredentialBook([]);
  const exchanges = createExchanges({
    clock,
    record: () => undefined,
    room: () => true,
    crowded: () => false,
    open: () => undefined,
    redact: (text) => text,
  });
  const server = createServeHttp1({
    clock,
    exchanges,
    judge: (_approach, { head, target, headers }) =>
      head.ok
        ? ok({
            head: head.value,
            mediation: {
              target,
              headers,
              used: [],
              body: { type: 'stream' },
              answer: { type: 'stream' },
            },
          })
        : head,
    forward: { clock, book, exchanges, recordUse: () => undefined },
    pool: {
      take: (_to, ready) => {
        ready(ok(answering));
        return () => undefined;
      },
      park: () => undefined,
      close: () => undefined,
    },
    upgrades: [],
  });
  const [inside, outside] = duplexPair();
  server.take(inside, inside, {
    approach: {
      to,
      program: Promise.resolve(undefined),
      refusal: undefined,
      verdict: { verdict: 'allowed', rule: 'a test' },
    },
  });
  let heard = '';
  let ended = false;
  outside.on('data', (bytes: Buffer) => {
    heard += bytes.toString('latin1');
  });
  outside.on('end', () => {
    ended = true;
  });
  const ask = async (answers: number): Promise<void> => {
    outside.write(REQUEST);
    await expect.poll(() => heard.split('\r\n\r\nok').length - 1).toBe(answers);
  };
  return { clock, server, ask, heard: () => heard, ended: () => ended };
};

describe('a kept connection of a program', () => {
  it('is ended once it has lain idle for its time, not before', async () => {
    const { clock, server, ask, heard, ended } = open();
    await ask(1);
    expect(heard()).toContain(`Keep-Alive: timeout=${String(KEEP_ALIVE_MS / 1000)}`);
    clock.advance(KEEP_ALIVE_MS - KEEP_ALIVE_SWEEP_MS);
    await ask(2);
    clock.advance(KEEP_ALIVE_MS - KEEP_ALIVE_SWEEP_MS);
    await ask(3);
    expect(ended()).toBe(false);
    clock.advance(KEEP_ALIVE_MS + KEEP_ALIVE_SWEEP_MS);
    await expect.poll(ended).toBe(true);
    server.close();
  });
});
