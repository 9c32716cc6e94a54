import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseHost } from '../../policy/index.ts';
import { unwrap } from '../../kit/index.ts';
import { createTestAuthority, type TestAuthority } from '../testing/certificates.ts';
import { LANDING_BYTES } from './intake.ts';
import { beginTls, secured } from './start-tls.ts';

const BODY = randomBytes(300_000);

describe('what a TLS connection receives', () => {
  let authority: TestAuthority;
  const cleanups: (() => unknown)[] = [];
  const landing = Buffer.alloc(LANDING_BYTES);

  beforeAll(async () => {
    authority = await createTestAuthority();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  const open = async (serve: (socket: TLSSocket) => void) => {
    const server = createServer(await authority.issue(['a.test']), (socket) => {
      socket.on('error', () => undefined);
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const { socket, intake } = beginTls(
      landing,
      { address: '127.0.0.1', port },
      {
        host: unwrap(parseHost('a.test')),
        secureContext: createSecureContext({ ca: authority.pem }),
        alpn: ['http/1.1'],
      },
    );
    cleanups.push(() => socket.destroy());
    const result = await secured(socket);
    if ('failed' in result) throw new Error(result.failed);
    return { socket, intake };
  };
  /** Collects what a stream gives, in memory of its own. */
  const streamed = (socket: TLSSocket): Buffer[] => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    return parts;
  };
  const ended = (socket: TLSSocket): Promise<void> =>
    new Promise((resolve) => socket.once('end', resolve));

  it('goes into its stream where nobody takes it, none of it lost or changed', async () => {
    const { socket } = await open((peer) => peer.end(BODY));
    const parts = streamed(socket);
    await ended(socket);
    expect(Buffer.concat(parts).equals(BODY)).toBe(true);
  });

  it('goes to who takes it, in order, and its end is told', async () => {
    const { socket, intake } = await open((peer) => peer.once('data', () => peer.end(BODY)));
    const parts: Buffer[] = [];
    expect(intake.take((bytes) => parts.push(Buffer.from(bytes)))).toBe(true);
    const past = streamed(socket);
    socket.write('go');
    await ended(socket);
    expect(Buffer.concat(parts).equals(BODY)).toBe(true);
    expect(past).toEqual([]);
  });

  it('is told in memory that the next read takes', async () => {
    const { socket, intake } = await open((peer) => peer.once('data', () => peer.end(BODY)));
    const memory = new Set<ArrayBufferLike>();
    intake.take((bytes) => memory.add(bytes.buffer));
    socket.resume();
    socket.write('go');
    await ended(socket);
    expect([...memory]).toEqual([landing.buffer]);
  });

  it('stays with the stream where that holds something already', async () => {
    const { socket, intake } = await open((peer) => {
      peer.write('early');
      peer.once('data', () => peer.end('late'));
    });
    await expect.poll(() => socket.readableLength).toBeGreaterThan(0);
    expect(intake.take(() => undefined)).toBe(false);
    const parts = streamed(socket);
    socket.write('go');
    await ended(socket);
    expect(Buffer.concat(parts).toString()).toBe('earlylate');
  });

  it('goes into the stream again once it is given back', async () => {
    const { socket, intake } = await open((peer) => {
      peer.on('data', (asked: Buffer) => peer.write(asked));
    });
    const taken: string[] = [];
    intake.take((bytes) => taken.push(bytes.toString()));
    const parts = streamed(socket);
    socket.write('one');
    await expect.poll(() => taken).toEqual(['one']);
    intake.giveBack();
    socket.write('two');
    await expect.poll(() => Buffer.concat(parts).toString()).toBe('two');
    expect(taken).toEqual(['one']);
  });

  it('waits while the socket is paused, and goes on after that', async () => {
    const { socket, intake } = await open((peer) =>
      peer.once('data', () => {
        const more = (): void => {
          while (peer.write(BODY));
          peer.once('drain', more);
        };
        more();
      }),
    );
    let bytes = 0;
    intake.take((part) => {
      bytes += part.length;
      if (bytes === part.length) socket.pause();
    });
    socket.resume();
    socket.write('go');
    await expect.poll(() => bytes).toBeGreaterThan(0);
    await pause(50);
    const before = bytes;
    await pause(50);
    expect(bytes).toBe(before);
    socket.resume();
    await expect.poll(() => bytes).toBeGreaterThan(before + BODY.length);
  });

  it('is kept apart where connections take turns in the same memory', async () => {
    const letters = ['a', 'b', 'c', 'd'];
    const heard = await Promise.all(
      letters.map(async (letter) => {
        const { socket, intake } = await open((peer) =>
          peer.once('data', (asked: Buffer) => peer.end(Buffer.alloc(200_000, asked))),
        );
        const parts: Buffer[] = [];
        intake.take((bytes) => parts.push(Buffer.from(bytes)));
        socket.resume();
        socket.write(letter);
        await ended(socket);
        return Buffer.concat(parts);
      }),
    );
    expect(heard.map((all, at) => all.equals(Buffer.alloc(200_000, letters[at])))).toEqual(
      letters.map(() => true),
    );
  });
});
