import { createServer, type AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { ok, systemClock, unwrap } from '../../kit/index.ts';
import { buildNetworkPolicy, parseHost, type NetworkPolicy } from '../../policy/index.ts';
import { startResolver } from '../testing/resolver.ts';
import { createDial } from './dial.ts';
import { judgeName } from './dns-server.ts';
import { createResolve } from './resolve.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const policy = (more: Partial<NetworkPolicy>): NetworkPolicy => ({
  default: 'allow',
  allow: [],
  deny: [],
  passThrough: [],
  git: [],
  resolve: [],
  dns: undefined,
  ...more,
});
const host = (text: string) => unwrap(parseHost(text));

describe('a question for a name', () => {
  it('is in order where any port of the name may be reached', () => {
    const rules = unwrap(
      buildNetworkPolicy(
        {
          default: 'deny',
          presets: [],
          allow: ['db.test:5432'],
          deny: ['no.test', 'half.test:22'],
          passThrough: ['pinned.test:8443', 'no.test', 'half.test'],
          resolve: [],
        },
        'shell',
      ),
    );
    const verdict = (name: string) => judgeName(rules, host(name)).verdict;
    expect(['db.test', 'pinned.test', 'half.test'].map(verdict)).toEqual([
      'allowed',
      'allowed',
      'allowed',
    ]);
    expect(['no.test', 'other.test'].map(verdict)).toEqual(['denied', 'denied']);
  });
});

describe('the way out', () => {
  it('keeps of several addresses those that may be dialled', async () => {
    const resolver = await startResolver({
      'mixed.test': ['10.0.0.1', '93.184.216.34', '127.0.0.1'],
      'inner.test': ['10.0.0.1', '192.168.1.1'],
      'empty.test': [],
    });
    cleanups.push(resolver.close);
    const resolve = createResolve(
      policy({ dns: { address: '127.0.0.1', port: resolver.port } }),
      systemClock,
    );
    expect(await resolve(host('mixed.test'), 443)).toEqual(
      ok({ addresses: ['93.184.216.34'], port: 443 }),
    );
    expect(await resolve(host('inner.test'), 443)).toMatchObject({
      error: { code: 'egress.private-address' },
    });
    expect(await resolve(host('empty.test'), 443)).toMatchObject({
      error: { code: 'egress.name-not-found' },
    });
  });

  it('asks anew for each connection, so that no old judgement covers a new address', async () => {
    const answers: Record<string, string[]> = { 'turn.test': ['93.184.216.34'] };
    const resolver = await startResolver(answers);
    cleanups.push(resolver.close);
    const resolve = createResolve(
      policy({ dns: { address: '127.0.0.1', port: resolver.port } }),
      systemClock,
    );
    expect((await resolve(host('turn.test'), 443)).ok).toBe(true);
    answers['turn.test'] = ['169.254.169.254'];
    expect(await resolve(host('turn.test'), 443)).toMatchObject({
      error: { code: 'egress.private-address' },
    });
  });

  it('takes a named private address for that destination alone', async () => {
    const rule = { host: 'db.test', port: 443, address: '10.9.8.7', addressPort: 8443 };
    const resolve = createResolve(
      policy({ resolve: [rule], dns: { address: '127.0.0.1', port: 1 } }),
      systemClock,
    );
    expect(await resolve(host('db.test'), 443)).toEqual(
      ok({ addresses: ['10.9.8.7'], port: 8443 }),
    );
    expect(await resolve(host('10.9.8.7'), 8443)).toMatchObject({
      error: { code: 'egress.private-address' },
    });
  });

  it('goes on to the next address where one refuses, and says which it took', async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const route = { addresses: ['127.0.0.9', '127.0.0.1'], port };
    const dial = createDial(systemClock, () => Promise.resolve(ok(route)), createSecureContext());
    const dialled = unwrap(await dial({ host: host('x.test'), port: 80, tls: false }));
    expect(dialled.address).toBe('127.0.0.1');
    dialled.socket.destroy();
    const nowhere = createDial(
      systemClock,
      () => Promise.resolve(ok({ ...route, addresses: ['127.0.0.9'] })),
      createSecureContext(),
    );
    expect(await nowhere({ host: host('x.test'), port: 80, tls: false })).toMatchObject({
      error: { code: 'egress.upstream-unreachable', address: '127.0.0.9' },
    });
  });
});
