import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestOn } from './testing/setup.ts';
import { openWires, readSome, type Wires } from './testing/wires.ts';

describe('the proxy', () => {
  let wires: Wires;
  beforeAll(async () => {
    wires = await openWires();
  });
  afterAll(() => wires.close());

  it('serves SOCKS5 to a name, with or without a login', async () => {
    const events = await wires.recorded(2, async () => {
      for (const login of [false, true]) {
        const socket = wires.toProxy(1080);
        socket.write(Buffer.from(login ? [5, 1, 2, 1, 2, 109, 101, 2, 112, 119] : [5, 2, 0, 2]));
        const said = login ? [5, 2, 1, 0] : [5, 0];
        expect(Array.from(await readSome(socket, said.length))).toEqual(said);
        const name = Buffer.from('plain.test');
        socket.write(Buffer.concat([Buffer.from([5, 1, 0, 3, 10]), name, Buffer.from([0, 80])]));
        expect(Array.from(await readSome(socket, 10)).slice(0, 2)).toEqual([5, 0]);
        expect((await requestOn(socket, '/s', 'plain.test')).text).toBe('plain.test/s');
        socket.destroy();
      }
    });
    expect(events.map(({ host, path }) => `${host}${String(path)}`)).toEqual([
      'plain.test/s',
      'plain.test/s',
    ]);
  });

  it('takes an address that the zone gave for the name that it stands for', async () => {
    const address = await wires.rig.relay.addressOf('plain.test');
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy(1080);
      const bytes = address.split('.').map(Number);
      socket.write(Buffer.from([5, 1, 0]));
      await readSome(socket, 2);
      socket.write(Buffer.from([5, 1, 0, 1, ...bytes, 0, 80]));
      await readSome(socket, 10);
      expect((await requestOn(socket, '/z', 'plain.test')).text).toBe('plain.test/z');
      socket.destroy();
    });
    expect(event).toMatchObject({ host: 'plain.test', verdict: 'allowed' });
  });

  it('leads to no private address, whatever a rule says', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy(1080);
      socket.write(Buffer.from([5, 1, 0]));
      await readSome(socket, 2);
      socket.write(Buffer.from([5, 1, 0, 1, 169, 254, 169, 254, 0, 80]));
      await readSome(socket, 10);
      const answer = await requestOn(socket, '/latest/meta-data', '169.254.169.254');
      expect(answer.text).toContain('egress.private-address');
    });
    expect(event).toMatchObject({ verdict: 'denied', code: 'egress.private-address' });
  });

  it.each([
    ['BIND', [5, 2, 0, 1, 1, 1, 1, 1, 0, 80], 7],
    ['UDP ASSOCIATE', [5, 3, 0, 1, 0, 0, 0, 0, 0, 80], 7],
    ['an unknown address', [5, 1, 0, 7, 1, 1, 1, 1, 0, 80], 8],
    ['its own address', [5, 1, 0, 1, 192, 0, 2, 80, 4, 56], 2],
  ])('answers SOCKS5 %s with the right code', async (_what, request, reply) => {
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy(1080);
      socket.write(Buffer.from([5, 1, 0]));
      await readSome(socket, 2);
      socket.write(Buffer.from(request));
      expect((await readSome(socket, 10))[1]).toBe(reply);
    });
    expect(event).toMatchObject({ verdict: 'denied' });
  });

  it('answers SOCKS5 without a method of ours with none', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy(1080);
      socket.write(Buffer.from([5, 1, 1]));
      expect(Array.from(await readSome(socket, 2))).toEqual([5, 255]);
    });
    expect(event).toMatchObject({ verdict: 'denied', code: 'egress.bad-request' });
  });

  it('serves SOCKS4a', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy(1080);
      socket.write(
        Buffer.concat([Buffer.from([4, 1, 0, 80, 0, 0, 0, 1, 0]), Buffer.from('plain.test\0')]),
      );
      expect((await readSome(socket, 8))[1]).toBe(90);
      expect((await requestOn(socket, '/4', 'plain.test')).text).toBe('plain.test/4');
      socket.destroy();
    });
    expect(event).toMatchObject({ host: 'plain.test', path: '/4' });
  });
});
