import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { unwrap } from '../../../kit/index.ts';
import { parseHost } from '../../../policy/index.ts';
import { createTestAuthority } from '../../testing/certificates.ts';
import {
  GET,
  listenScripted,
  OK,
  until,
  type ScriptedServer,
} from '../../testing/scripted-server.ts';
import type { BodySource } from '../body-source.ts';
import type { CallHead } from '../http-call.ts';
import { LANDING_BYTES } from '../intake.ts';
import { beginTls, secured } from '../start-tls.ts';
import { createHttp1Connection, type Http1Break, type Http1Connection } from './connection.ts';
import { writeRequestHead } from './written-head.ts';

const withBody = (framing: CallHead['framing']): CallHead => ({ ...GET, method: 'POST', framing });

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

type Seen = {
  readonly told: string[];
  readonly breaks: Http1Break[];
  body: string;
  source: BodySource | undefined;
  upgraded: { readonly stream: Socket; readonly early: Buffer } | undefined;
};

const rig = async (answer: (socket: Socket, text: string, connection: number) => void) => {
  server = await listenScripted(answer);
  const socket = await server.dial();
  const ends: string[] = [];
  const connection = createHttp1Connection(
    { socket, address: '127.0.0.1' },
    {
      onFree: (keepForMs) => ends.push(`free ${String(keepForMs)}`),
      onGone: () => ends.push('gone'),
    },
  );
  return { server, socket, ends, connection };
};

/** Sends a request and notes what is told of it; `read` false leaves the body alone. */
const ask = (connection: Http1Connection, head: CallHead = GET, read = true) => {
  const written = writeRequestHead(head);
  if (typeof written !== 'string') throw new Error(written.malformed);
  const seen: Seen = { told: [], breaks: [], body: '', source: undefined, upgraded: undefined };
  const reader = {
    data: (part: Buffer) => {
      seen.body += part.toString('latin1');
    },
    ended: () => seen.told.push('ended'),
    broke: () => seen.told.push('broke'),
  };
  const events = {
    onInterim: ({ status }: { readonly status: number }) => seen.told.push(String(status)),
    onAnswer: ({
      head: { status },
      body,
    }: {
      readonly head: { readonly status: number };
      readonly body: BodySource;
    }) => {
      seen.told.push(String(status));
      seen.source = body;
      if (read) body.read(reader);
    },
    onUpgrade: (_head: unknown, end: { readonly stream: unknown; readonly early: Buffer }) => {
      seen.told.push('upgraded');
      seen.upgraded = { stream: end.stream as Socket, early: end.early };
    },
    onBreak: (broke: Http1Break) => {
      seen.told.push('break');
      seen.breaks.push(broke);
    },
  };
  const body = connection.begin(head, written, events);
  return { seen, body, events, read: () => seen.source?.read(reader) };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a connection to a server', () => {
  it('carries one request after another', async () => {
    const { connection, ends } = await rig((socket) => socket.write(OK));
    for (let round = 1; round <= 3; round += 1) {
      const { seen } = ask(connection);
      await until(() => seen.told.includes('ended'), 'the answer');
      expect(seen).toMatchObject({ told: ['200', 'ended'], body: 'ok' });
      expect(ends).toHaveLength(round);
    }
    expect(ends).toEqual(['free undefined', 'free undefined', 'free undefined']);
    expect(server?.sockets).toHaveLength(1);
  });

  it.each([
    ['that says close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['with bytes behind it', `${OK}more`],
    ['with another behind it', `${OK}${OK}`],
  ])('ends with an answer %s', async (_what, answer) => {
    const { connection, ends, socket } = await rig((peer) => peer.write(answer));
    const { seen } = ask(connection);
    await until(() => socket.destroyed, 'the end');
    expect(seen).toMatchObject({ told: ['200', 'ended'], body: 'ok' });
    expect(ends).toEqual(['gone']);
    expect(connection.usable()).toBe(false);
  });

  it('ends where bytes come that nobody asked for', async () => {
    const { connection, ends, socket, server: peer } = await rig((to) => to.write(OK));
    const { seen } = ask(connection);
    await until(() => seen.told.includes('ended'), 'the answer');
    peer.sockets[0]?.write(OK);
    await until(() => socket.destroyed, 'the end');
    expect(ends).toEqual(['free undefined', 'gone']);
  });

  it('is given back only when the request is whole too', async () => {
    const { connection, ends } = await rig((socket, text) => {
      if (text.includes('POST')) socket.write(OK);
    });
    const { seen, body } = ask(connection, withBody({ type: 'length', bytes: 6 }));
    body?.write(Buffer.from('abc'));
    await until(() => seen.told.includes('ended'), 'the answer');
    expect(ends).toEqual([]);
    body?.write(Buffer.from('def'));
    await until(() => server?.heard[0]?.endsWith('abcdef') === true, 'the body');
    body?.finish([]);
    expect(ends).toEqual(['free undefined']);
  });

  it('tells a body that came whole nothing of a break that follows', async () => {
    const { connection, ends, socket } = await rig((peer) => {
      peer.end(OK);
    });
    const { seen } = ask(connection, withBody({ type: 'length', bytes: 6 }));
    await until(() => socket.destroyed && ends.length > 0, 'the end');
    await pause(5);
    expect(seen).toMatchObject({ told: ['200', 'ended'], body: 'ok' });
  });

  it('takes what is written for a request that is over as written', async () => {
    const { connection } = await rig((socket) => socket.write(OK));
    const first = ask(connection, withBody({ type: 'length', bytes: 3 }));
    first.body?.write(Buffer.from('abc'));
    first.body?.finish([]);
    await until(() => first.seen.told.includes('ended'), 'the answer');
    const second = ask(connection, withBody({ type: 'length', bytes: 3 }));
    expect(first.body?.write(Buffer.from('evil'))).toBe(true);
    first.body?.finish([]);
    second.body?.write(Buffer.from('def'));
    second.body?.finish([]);
    await until(() => second.seen.told.includes('ended'), 'the answer');
    expect(server?.heard[0]).not.toContain('evil');
    expect(server?.heard[0]?.endsWith('\r\n\r\ndef')).toBe(true);
  });

  it('sends no body that is longer than its length says', async () => {
    const { connection, socket } = await rig(() => undefined);
    const { seen, body } = ask(connection, withBody({ type: 'length', bytes: 5 }));
    body?.write(Buffer.from('abc'));
    await until(() => server?.heard[0]?.endsWith('abc') === true, 'the beginning');
    body?.write(Buffer.from('defg'));
    expect(socket.destroyed).toBe(true);
    expect(seen.told).toEqual(['break']);
    await pause(10);
    expect(server?.heard[0]?.endsWith('abc')).toBe(true);
  });

  it('takes no body for whole that is shorter than its length says', async () => {
    const { connection, socket, ends } = await rig((peer, text) => {
      if (text.endsWith('abc')) peer.write(OK);
    });
    const { seen, body } = ask(connection, withBody({ type: 'length', bytes: 5 }));
    body?.write(Buffer.from('abc'));
    await until(() => seen.told.includes('ended'), 'an early answer');
    body?.finish([]);
    expect(socket.destroyed).toBe(true);
    expect(ends).toEqual(['gone']);
  });

  it('writes chunks, and never an empty one before the last', async () => {
    const { connection } = await rig((socket, text) => {
      if (text.endsWith('\r\n\r\n') && text.includes('0\r\n')) socket.write(OK);
    });
    const { seen, body } = ask(connection, withBody({ type: 'chunked' }));
    body?.write(Buffer.from('abc'));
    body?.write(Buffer.alloc(0));
    body?.write(Buffer.alloc(17, 'x'));
    body?.finish([['X-Sum', '1']]);
    await until(() => seen.told.includes('ended'), 'the answer');
    expect(server?.heard[0]?.split('\r\n\r\n').slice(1).join('\r\n\r\n')).toBe(
      `3\r\nabc\r\n11\r\n${'x'.repeat(17)}\r\n0\r\nX-Sum: 1\r\n\r\n`,
    );
  });

  it('writes nothing behind the last chunk', async () => {
    const { connection } = await rig(() => undefined);
    const { seen, body } = ask(connection, withBody({ type: 'chunked' }));
    body?.finish([]);
    expect(body?.write(Buffer.from('evil'))).toBe(true);
    body?.finish([['Evil', '1']]);
    await until(() => server?.heard[0]?.endsWith('0\r\n\r\n') === true, 'the request');
    await pause(5);
    expect(server?.heard[0]).not.toMatch(/evil/i);
    expect(seen.told).toEqual([]);
  });

  it('breaks off where trailers cannot be written', async () => {
    const { connection, socket } = await rig(() => undefined);
    const { seen, body } = ask(connection, withBody({ type: 'chunked' }));
    body?.finish([['X', 'a\r\nb']]);
    await until(() => socket.destroyed, 'the end');
    expect(seen.told).toEqual(['break']);
    expect(server?.heard.join('')).not.toContain('0\r\n');
  });

  it('is given up by the request that it carries, and by no other', async () => {
    const { connection, socket } = await rig((peer, text) => {
      if (!text.includes('/wait')) peer.write(OK);
    });
    const first = ask(connection);
    await until(() => first.seen.told.includes('ended'), 'the answer');
    const second = ask(connection, { ...GET, target: '/wait' });
    connection.abandon(first.events);
    await pause(10);
    expect(socket.destroyed).toBe(false);
    connection.abandon(second.events);
    expect(socket.destroyed).toBe(true);
    expect(second.seen.told).toEqual([]);
  });

  it('ends by the end of the connection where nothing else says the length', async () => {
    const { connection, ends } = await rig((socket) => {
      socket.end('HTTP/1.1 200 OK\r\n\r\nall of it');
    });
    const { seen } = ask(connection);
    await until(() => seen.told.includes('ended'), 'the answer');
    expect(seen.body).toBe('all of it');
    expect(ends).toEqual(['gone']);
  });

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('takes no end for the end of a body with %s', async (_what, answer) => {
    const { connection, ends } = await rig((socket) => {
      socket.end(answer);
    });
    const { seen } = ask(connection);
    await until(() => ends.includes('gone'), 'the end');
    expect(seen).toMatchObject({ told: ['200', 'broke'], body: 'half' });
  });

  it('takes a reset for no end', async () => {
    const { connection, ends } = await rig((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf');
    });
    const { seen } = ask(connection);
    // A reset takes along what was not read yet.
    await until(() => seen.body === 'half', 'the half');
    server?.sockets[0]?.resetAndDestroy();
    await until(() => ends.includes('gone'), 'the end');
    expect(seen.told).toEqual(['200', 'broke']);
  });

  it('says whether a server that kept the connection may have closed it unheard', async () => {
    const answers = [OK, undefined];
    const { connection, socket } = await rig((peer) => {
      const next = answers.shift();
      if (next === undefined) peer.destroy();
      else peer.write(next);
    });
    const first = ask(connection);
    await until(() => first.seen.told.includes('ended'), 'the answer');
    const second = ask(connection);
    await until(() => socket.destroyed && second.seen.breaks.length > 0, 'the break');
    expect(second.seen.breaks).toMatchObject([{ unheard: true, silent: false }]);
  });

  it('does not say so once a byte was heard, nor on a new connection', async () => {
    const answers = [OK, 'HTTP'];
    const { connection } = await rig((peer) => {
      peer.write(answers.shift() ?? '');
      if (answers.length === 0) peer.end();
    });
    const first = ask(connection);
    await until(() => first.seen.told.includes('ended'), 'the answer');
    const second = ask(connection);
    await until(() => second.seen.breaks.length > 0, 'the break');
    expect(second.seen.breaks).toMatchObject([{ unheard: false }]);
    await server?.close();
    const fresh = await rig((peer) => peer.destroy());
    const { seen } = ask(fresh.connection);
    await until(() => seen.breaks.length > 0, 'the break');
    expect(seen.breaks).toMatchObject([{ unheard: false }]);
  });

  it('does not say so of one that was silent', async () => {
    const answers = [OK];
    const { connection, socket } = await rig((peer) => peer.write(answers.shift() ?? ''));
    const first = ask(connection);
    await until(() => first.seen.told.includes('ended'), 'the answer');
    const { seen } = ask(connection);
    socket.emit('timeout');
    expect(seen.breaks).toMatchObject([{ silent: true, unheard: false }]);
  });

  it('tells a break where the connection was gone before anyone listened', async () => {
    server = await listenScripted(() => undefined);
    const socket = await server.dial();
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    const ends: string[] = [];
    const connection = createHttp1Connection(
      { socket, address: '127.0.0.1' },
      {
        onFree: () => ends.push('free'),
        onGone: () => ends.push('gone'),
      },
    );
    const { seen, body } = ask(connection, withBody({ type: 'length', bytes: 3 }));
    body?.write(Buffer.from('abc'));
    body?.finish([]);
    await until(() => seen.told.length > 0, 'the break');
    expect(seen.told).toEqual(['break']);
    expect(ends).toEqual(['gone']);
  });

  it('lets go of a server that reads nothing, once its answer is over', async () => {
    const { connection, socket } = await rig((peer) => {
      peer.pause();
      peer.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    const bytes = 64 * 1024 * 1024;
    const { seen, body } = ask(connection, withBody({ type: 'length', bytes }));
    body?.write(Buffer.alloc(bytes));
    body?.finish([]);
    await until(() => seen.told.includes('ended'), 'the answer');
    expect(socket.destroyed).toBe(false);
    socket.emit('timeout');
    expect(socket.destroyed).toBe(true);
  });

  it('is not kept while a body that was answered early is still on its way', async () => {
    const { connection, ends } = await rig((peer) => {
      peer.pause();
      peer.write(OK);
    });
    const bytes = 64 * 1024 * 1024;
    const { seen, body } = ask(connection, withBody({ type: 'length', bytes }));
    body?.write(Buffer.alloc(bytes));
    body?.finish([]);
    await until(() => seen.told.includes('ended'), 'the answer');
    expect(ends).toEqual(['gone']);
  });

  it('waits with a body until it is read, and tells it in order', async () => {
    const big = 'x'.repeat(3 * 1024 * 1024);
    const { connection, socket } = await rig((peer) => {
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(big.length + 5)}\r\n\r\nbegin`);
      peer.write(big);
    });
    const { seen, read } = ask(connection, GET, false);
    await until(() => seen.told.includes('200'), 'the head');
    await pause(30);
    expect(socket.isPaused()).toBe(true);
    expect(socket.bytesRead).toBeLessThan(1024 * 1024);
    read();
    await until(() => seen.told.includes('ended'), 'the body');
    expect(seen.body).toBe(`begin${big}`);
  });

  it('stays paused where a reader that came late has had enough at once', async () => {
    const { connection, socket } = await rig((peer) => {
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin`);
    });
    const { seen } = ask(connection, GET, false);
    await until(() => seen.told.includes('200') && socket.isPaused(), 'the head');
    seen.source?.read({
      data: () => seen.source?.pause(),
      ended: () => undefined,
      broke: () => undefined,
    });
    await pause(10);
    expect(socket.isPaused()).toBe(true);
  });

  it('is not paused or woken for a body that is over', async () => {
    const { connection, socket } = await rig((peer, text) => {
      peer.write(text.includes('/long') ? 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf' : OK);
    });
    const first = ask(connection);
    await until(() => first.seen.told.includes('ended'), 'the answer');
    first.seen.source?.pause();
    expect(socket.isPaused()).toBe(false);
    const second = ask(connection, { ...GET, target: '/long' });
    await until(() => second.seen.body === 'half', 'the half');
    second.seen.source?.pause();
    first.seen.source?.resume();
    expect(socket.isPaused()).toBe(true);
  });

  it('reads on for the next request where the body before was paused as it ended', async () => {
    const { connection, socket } = await rig((peer) => peer.write(OK));
    const first = ask(connection, GET, false);
    await until(() => first.seen.told.includes('200'), 'the head');
    first.seen.source?.pause();
    first.read();
    await until(() => first.seen.told.includes('ended'), 'the end');
    expect(socket.isPaused()).toBe(false);
    const second = ask(connection);
    await until(() => second.seen.told.includes('ended'), 'the next answer');
  });

  it('hands a changed protocol over with every byte of it', async () => {
    const { connection, ends } = await rig((peer) => {
      peer.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\none ',
      );
      setTimeout(() => peer.write('two '), 10);
      setTimeout(() => peer.write('three'), 20);
    });
    const { seen } = ask(connection, { ...GET, protocol: 'x' });
    await until(() => seen.upgraded !== undefined, 'the change');
    expect(ends).toEqual(['gone']);
    await pause(40);
    let heard = seen.upgraded?.early.toString('latin1') ?? '';
    const stream = seen.upgraded?.stream;
    expect(stream?.listenerCount('data')).toBe(0);
    stream?.on('data', (part: Buffer) => {
      heard += part.toString('latin1');
    });
    await until(() => heard === 'one two three', 'the rest');
    stream?.end('four');
    await until(() => server?.heard[0]?.endsWith('four') === true, 'what is said back');
  });

  it('changes to no protocol that has no name', async () => {
    const { connection, socket } = await rig((peer) =>
      peer.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    );
    const { seen } = ask(connection, { ...GET, protocol: 'x' });
    await until(() => socket.destroyed, 'the end');
    expect(seen.told).toEqual(['break']);
  });

  it('leaves no listener behind from one request to the next', async () => {
    const { connection, socket } = await rig((peer) => peer.write(OK));
    const counts = (): number[] =>
      ['data', 'end', 'close', 'error', 'timeout', 'drain'].map((name) =>
        socket.listenerCount(name),
      );
    const before = counts();
    for (let round = 0; round < 20; round += 1) {
      const { seen, body } = ask(connection, withBody({ type: 'length', bytes: 3 }));
      body?.write(Buffer.from('abc'));
      body?.finish([]);
      await until(() => seen.told.includes('ended'), 'the answer');
    }
    expect(counts()).toEqual(before);
  });
});

describe('a connection to a server over TLS', () => {
  const open = async (answer: (socket: TLSSocket, text: string) => void) => {
    const authority = await createTestAuthority();
    const peer = createServer(await authority.issue(['a.test']), (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (part: Buffer) => answer(socket, part.toString('latin1')));
    });
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const { port } = peer.address() as AddressInfo;
    const { socket, intake } = beginTls(
      Buffer.alloc(LANDING_BYTES),
      { address: '127.0.0.1', port },
      {
        host: unwrap(parseHost('a.test')),
        secureContext: createSecureContext({ ca: authority.pem }),
        alpn: ['http/1.1'],
      },
    );
    await secured(socket);
    const ends: string[] = [];
    const connection = createHttp1Connection(
      { socket, intake, address: '127.0.0.1' },
      {
        onFree: () => ends.push('free'),
        onGone: () => ends.push('gone'),
      },
    );
    const close = async (): Promise<void> => {
      socket.destroy();
      await new Promise((resolve) => {
        peer.close(resolve);
      });
    };
    return { connection, ends, close };
  };

  it('is kept from one body to the next', async () => {
    let left = 0;
    const { connection, ends, close } = await open((socket, text) => {
      left += text.length - (text.includes('\r\n\r\n') ? text.indexOf('\r\n\r\n') + 4 : 0);
      if (text.startsWith('GET') || left >= 40_000) {
        left = 0;
        socket.write(OK);
      }
    });
    const rounds = 50;
    for (let round = 0; round < rounds; round += 1) {
      const bytes = 40_000;
      const { seen, body } = ask(
        connection,
        round % 2 === 0 ? GET : withBody({ type: 'length', bytes }),
      );
      body?.write(Buffer.alloc(bytes));
      body?.finish([]);
      await until(() => seen.told.includes('ended'), 'the answer');
    }
    expect(ends).toEqual(Array.from({ length: rounds }, () => 'free'));
    await close();
  });

  it.each([
    ['for its end where nothing else says it', 'HTTP/1.1 200 OK\r\n\r\nhalf', 'ended'],
    ['for no end of a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf', 'broke'],
  ])('takes an end without a goodbye %s', async (_what, answer, told) => {
    const { connection, close } = await open((socket) => {
      // The bare TCP connection ends, and TLS is not told.
      socket.write(answer, () => {
        setTimeout(() => socket.destroy(), 20);
      });
    });
    const { seen } = ask(connection);
    await until(() => seen.told.length === 2, 'the end');
    expect(seen).toMatchObject({ told: ['200', told], body: 'half' });
    await close();
  });

  it('keeps what came before anyone read it', async () => {
    const pieces = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(16_000));
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${String(pieces.join('').length)}\r\n\r\n`;
    const { connection, close } = await open((socket) => {
      socket.write(head);
      for (const piece of pieces) socket.write(piece);
    });
    const { seen } = ask(connection, GET, false);
    await until(() => seen.source !== undefined, 'the answer');
    await pause(30);
    let heard = '';
    seen.source?.read({
      data: (part) => {
        heard += part.toString('latin1');
      },
      ended: () => seen.told.push('ended'),
      broke: () => seen.told.push('broke'),
    });
    await until(() => seen.told.includes('ended'), 'the end');
    expect(heard === pieces.join('')).toBe(true);
    await close();
  });

  it('hands a changed protocol over with every byte of it', async () => {
    const { connection, close } = await open((socket) => {
      socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\none ');
      // Long enough to lie where the first piece came.
      setTimeout(() => socket.write('two '.repeat(100)), 10);
      setTimeout(() => socket.write('three'), 20);
    });
    const { seen } = ask(connection, { ...GET, protocol: 'x' });
    await until(() => seen.upgraded !== undefined, 'the change');
    const waiting = 'two '.repeat(100).length + 'three'.length;
    await until(() => seen.upgraded?.stream.readableLength === waiting, 'what waits in the stream');
    let heard = seen.upgraded?.early.toString('latin1') ?? '';
    seen.upgraded?.stream.on('data', (part: Buffer) => {
      heard += part.toString('latin1');
    });
    await until(() => heard.endsWith('three'), 'the rest');
    expect(heard).toBe(`one ${'two '.repeat(100)}three`);
    await close();
  });
});
