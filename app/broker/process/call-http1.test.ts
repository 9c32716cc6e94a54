import { afterEach, describe, expect, it } from 'vitest';
import type { Socket } from 'node:net';
import { fail, ok, systemClock, unwrap } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { GET, listenScripted, OK, until } from '../testing/scripted-server.ts';
import { http1Call, MAX_INTERIM_ANSWERS } from './call-http1.ts';
import type { Dial } from './dial.ts';
import type { CallBody, CallEvents, CallFailure, CallHead } from './http-call.ts';
import { createUpstreamPool } from './upstream-pool.ts';

const TO = { host: unwrap(parseHost('a.test')), port: 80, tls: false };
const POST: CallHead = { ...GET, method: 'POST', framing: { type: 'length', bytes: 3 } };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const rig = async (
  answer: (socket: Socket, text: string, connection: number) => void,
  dial?: Dial,
) => {
  const server = await listenScripted(answer);
  const pool = createUpstreamPool(
    systemClock,
    dial ?? (async () => ok({ socket: await server.dial(), address: '127.0.0.1' })),
  );
  cleanups.push(
    () => pool.close(),
    () => server.close(),
  );
  const start = http1Call(pool, TO);
  const call = (head: CallHead = GET, onReady: (body: CallBody) => void = () => undefined) => {
    const told: string[] = [];
    const failures: CallFailure[] = [];
    const events: CallEvents = {
      onAddress: (address) => told.push(address),
      onReady,
      onContinue: () => told.push('100'),
      onInformation: (status) => told.push(String(status)),
      onAnswer: ({ status, body }) => {
        told.push(String(status));
        body.read({
          data: (part) => told.push(part.toString('latin1')),
          ended: () => told.push('ended'),
          broke: () => told.push('broke'),
        });
      },
      onUpgrade: (_answer, { stream }) => {
        told.push('upgraded');
        stream.destroy();
      },
      onFailure: (failure) => {
        told.push('failed');
        failures.push(failure);
      },
    };
    const { cancel } = start(head, events);
    return { told, failures, cancel };
  };
  return { server, call };
};

describe('a call over HTTP/1.1', () => {
  it('is answered', async () => {
    const { call } = await rig((socket) => socket.write(OK));
    const { told } = call();
    await until(() => told.includes('ended'), 'the answer');
    expect(told).toEqual(['127.0.0.1', '200', 'ok', 'ended']);
  });

  it('is told a bounded number of interim answers', async () => {
    const { call } = await rig((socket) =>
      socket.write(
        `${'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)}${OK}`,
      ),
    );
    const { told } = call();
    await until(() => told.includes('ended'), 'the answer');
    expect(told.filter((one) => one === '100' || one === '103')).toHaveLength(MAX_INTERIM_ANSWERS);
  });

  it('may be sent again where a kept connection was closed before a byte of the answer', async () => {
    const { call } = await rig((socket, text) => {
      if (text.includes('/again')) socket.destroy();
      else socket.write(OK);
    });
    const first = call();
    await until(() => first.told.includes('ended'), 'the answer');
    const again = { ...GET, target: '/again' };
    const second = call(again);
    await until(() => second.told.includes('failed'), 'the failure');
    expect(second.failures).toMatchObject([
      { unprocessed: 'perhaps', refusal: { code: 'egress.upstream-broke' } },
    ]);
    const third = call(again);
    await until(() => third.told.includes('failed'), 'the failure');
    expect(third.failures).toMatchObject([{ unprocessed: 'no' }]);
  });

  it('may not be sent again once a byte of the answer was there', async () => {
    const { call } = await rig((socket, text) => {
      if (text.includes('/again')) socket.end('H');
      else socket.write(OK);
    });
    const first = call();
    await until(() => first.told.includes('ended'), 'the answer');
    const { told, failures } = call({ ...GET, target: '/again' });
    await until(() => told.includes('failed'), 'the failure');
    expect(failures).toMatchObject([{ unprocessed: 'no' }]);
  });

  it('says why an answer cannot be read', async () => {
    const { call } = await rig((socket) => socket.write('HTTP/2.0 200 OK\r\n\r\n'));
    const { told, failures } = call();
    await until(() => told.includes('failed'), 'the failure');
    expect(failures[0]?.refusal).toMatchObject({
      code: 'egress.upstream-broke',
      message: 'a.test broke off the exchange (no status line of HTTP/1).',
    });
  });

  it.each<[string, Partial<CallHead>]>([
    ['a field that begins another', { headers: [['X', 'a\r\nEvil: b']] }],
    ['a target that is two', { target: '/ HTTP/1.1\r\nEvil: b\r\n\r\nGET /' }],
  ])('is refused before it is sent where it has %s', async (_what, wrong) => {
    const { call, server } = await rig((socket) => socket.write(OK));
    const { told, failures } = call({ ...GET, ...wrong });
    expect(told).toEqual(['failed']);
    expect(failures).toMatchObject([
      { unprocessed: 'no', refusal: { code: 'egress.bad-request' } },
    ]);
    expect(server.sockets).toHaveLength(0);
  });

  it('tells where it could not go', async () => {
    const failed = fail('egress.upstream-unreachable', 'a.test could not be reached.');
    const { call } = await rig(
      () => undefined,
      () => Promise.resolve({ ok: false, error: { ...failed.error, address: '10.0.0.9' } }),
    );
    const { told, failures } = call();
    await until(() => told.includes('failed'), 'the failure');
    expect(told).toEqual(['10.0.0.9', 'failed']);
    expect(failures).toMatchObject([{ refusal: failed.error, unprocessed: 'no' }]);
  });

  it('ends the connection that it gives up, and no other', async () => {
    const { call, server } = await rig((socket, text) => {
      if (!text.includes('/wait')) socket.write(OK);
    });
    const first = call();
    await until(() => first.told.includes('ended'), 'the answer');
    const second = call({ ...GET, target: '/wait' });
    await until(() => server.heard[0]?.includes('/wait') === true, 'the second');
    first.cancel();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(second.told).toEqual(['127.0.0.1']);
    server.sockets[0]?.write(OK);
    await until(() => second.told.includes('ended'), 'its answer');
    const third = call({ ...GET, target: '/wait' });
    let closed = false;
    server.sockets[0]?.once('end', () => {
      closed = true;
    });
    third.cancel();
    await until(() => closed, 'the end');
    expect(third.told).toEqual(['127.0.0.1']);
  });

  it('that was given up before there was a connection sends nothing', async () => {
    const { call, server } = await rig((socket) => socket.write(OK));
    const { told, cancel } = call();
    cancel();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual([]);
    expect(server.heard.join('')).toBe('');
  });

  it('fails alone where what fills its body does', async () => {
    const { call, server } = await rig((socket) => socket.write(OK));
    const { told, failures } = call(POST, () => {
      throw new Error('a bug');
    });
    await until(() => told.includes('failed'), 'the failure');
    expect(failures).toMatchObject([{ refusal: { code: 'egress.bad-request' } }]);
    expect(server.heard.join('')).toBe('');
    const other = call();
    await until(() => other.told.includes('ended'), 'another answer');
  });

  it('closes a connection that changed protocols for a call that is over', async () => {
    let peer: Socket | undefined;
    const { call, server } = await rig((socket) => {
      peer = socket;
    });
    const { told, cancel } = call({ ...GET, protocol: 'x' });
    await until(() => server.heard.join('').includes('Upgrade: x'), 'the request');
    cancel();
    peer?.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual(['127.0.0.1']);
  });
});
