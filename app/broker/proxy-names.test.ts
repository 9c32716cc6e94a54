import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startResolver, type TestResolver } from './testing/resolver.ts';
import { createRig, type Rig } from './testing/setup.ts';
import { PROXY, readAll, readSome } from './testing/wires.ts';

/** Where a name may be told to the proxy, and what it says to one that may not leave. */
const WAYS: Readonly<Record<string, (open: (port: number) => Duplex, name: string) => unknown>> = {
  CONNECT: async (open, name) => {
    const socket = open(3128);
    socket.write(`CONNECT ${name}:443 HTTP/1.1\r\nHost: ${name}:443\r\n\r\n`);
    expect(await readAll(socket)).toContain('grant.wrong-place');
  },
  'a whole URL': async (open, name) => {
    const socket = open(3128);
    socket.write(`GET http://${name}/x HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    expect(await readAll(socket)).toContain('grant.wrong-place');
  },
  SOCKS5: async (open, name) => {
    const socket = open(1080);
    socket.write(Buffer.from([5, 1, 0]));
    await readSome(socket, 2);
    const text = Buffer.from(name);
    socket.write(
      Buffer.concat([Buffer.from([5, 1, 0, 3, text.length]), text, Buffer.from([1, 187])]),
    );
    expect((await readSome(socket, 10))[1]).toBe(2);
  },
  SOCKS4a: async (open, name) => {
    const socket = open(1080);
    socket.write(
      Buffer.concat([Buffer.from([4, 1, 1, 187, 0, 0, 0, 1, 0]), Buffer.from(`${name}\0`)]),
    );
    expect((await readSome(socket, 8))[1]).toBe(91);
  },
};

describe('a name that is told to the proxy', () => {
  let rig: Rig;
  let resolver: TestResolver;
  beforeAll(async () => {
    resolver = await startResolver({});
    rig = await createRig({
      default: 'allow',
      dns: `127.0.0.1:${String(resolver.port)}`,
      grants: [{ kind: 'bearer', hosts: ['api.test:443'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    resolver.close();
  });

  it.each(Object.keys(WAYS))('takes no placeholder to resolvers outside: %s', async (way) => {
    const placeholder = rig.grants[0]?.placeholder ?? '';
    const hex = Buffer.from(placeholder).toString('hex');
    const records = (): number => rig.events.filter(({ kind }) => kind === 'egress').length;
    for (const label of [placeholder, (hex.match(/.{1,50}/g) ?? []).join('.')]) {
      const name = `${label.toLowerCase()}.evil.test`;
      const before = records();
      await WAYS[way]?.((port) => rig.relay.open(`${PROXY}:${String(port)}`), name);
      const events = (await rig.egress(before + 1)).slice(before);
      expect(events).toEqual([
        expect.objectContaining({ verdict: 'denied', code: 'grant.wrong-place', host: PROXY }),
      ]);
      expect(JSON.stringify(events)).not.toContain('evil.test');
    }
    const trips = rig.events.filter(
      (event) => event.kind === 'credential' && event.op === 'tripped',
    );
    expect(trips.length).toBeGreaterThan(0);
    expect(resolver.asked).toEqual([]);
  });
});
