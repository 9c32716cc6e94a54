import type { AddressInfo } from 'node:net';
import { createSecureContext, createServer } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ok, systemClock, unwrap } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { createTestAuthority, type TestAuthority } from '../testing/certificates.ts';
import { createDial } from './dial.ts';

describe('TLS with a server', () => {
  let authority: TestAuthority;
  let close: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    authority = await createTestAuthority();
  });
  afterEach(async () => {
    await close?.();
    close = undefined;
  });

  /** A server on the loopback that is known by these names. */
  const listen = async (names: readonly string[]): Promise<number> => {
    const server = createServer(await authority.issue(names), (socket) => {
      socket.on('error', () => undefined);
      socket.end();
    });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    close = () => new Promise((resolve) => server.close(() => resolve()));
    return (server.address() as AddressInfo).port;
  };
  /** Dials a judged host that leads to other addresses than its own. */
  const dialTo = (addresses: readonly string[], port: number) =>
    createDial(
      systemClock,
      () => Promise.resolve(ok({ addresses: [...addresses], port })),
      createSecureContext({ ca: authority.pem }),
    );

  it.each([
    ['a name', 'a.test', 'a.test'],
    ['an address', '127.0.0.9', '127.0.0.9'],
  ])('is verified for %s that was judged, wherever it leads', async (_what, host, named) => {
    const port = await listen([named]);
    const dial = dialTo(['127.0.0.1'], port);
    const dialled = unwrap(await dial({ host: unwrap(parseHost(host)), port: 443, tls: true }));
    expect(dialled).toMatchObject({ address: '127.0.0.1', socket: { authorized: true } });
    dialled.socket.destroy();
  });

  it.each([
    ['another name', 'a.test', 'b.test'],
    ['the address that is dialled, and not the one that was judged', '127.0.0.9', '127.0.0.1'],
    ['a name where an address was judged', '127.0.0.9', 'a.test'],
  ])('is refused for %s', async (_what, host, named) => {
    const port = await listen([named]);
    const dial = dialTo(['127.0.0.1'], port);
    expect(await dial({ host: unwrap(parseHost(host)), port: 443, tls: true })).toMatchObject({
      error: { code: 'egress.upstream-unverified', address: '127.0.0.1' },
    });
  });

  it('is begun with the next address where one refuses', async () => {
    const port = await listen(['a.test']);
    const dial = dialTo(['127.0.0.9', '127.0.0.1'], port);
    const dialled = unwrap(await dial({ host: unwrap(parseHost('a.test')), port: 443, tls: true }));
    expect(dialled.address).toBe('127.0.0.1');
    dialled.socket.destroy();
  });
});
