import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RAW_SILENCE_MS } from './process/wires/raw-tcp.ts';
import { requestOn, SECRET } from './testing/setup.ts';
import { openWires, readAll, readSome, type Wires } from './testing/wires.ts';

describe('raw TCP to a named host and port', () => {
  let wires: Wires;
  beforeAll(async () => {
    wires = await openWires();
  });
  afterAll(() => wires.close());

  it('passes through, ends included, and is on the record once with its bytes', async () => {
    const events = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('raw.test', 5000);
      socket.write('\0\x01hello');
      expect((await readSome(socket, 7)).toString('latin1')).toBe('\0\x01hello');
      await wires.rig.until(
        () => wires.rig.opened.some(({ host }) => host === 'raw.test'),
        'its notice',
      );
      socket.end('bye');
      expect(await readAll(socket)).toBe('bye');
    });
    expect(events).toEqual([
      expect.objectContaining({
        verdict: 'allowed',
        scheme: 'tcp',
        protocol: 'tcp',
        inspected: false,
        host: 'raw.test',
        port: 5000,
        address: '127.0.0.1',
        rule: '--allow raw.test:5000',
        bytesOut: 10,
        bytesIn: 10,
      }),
    ]);
    expect(wires.rig.opened.some(({ id }) => id === events[0]?.id)).toBe(true);
  });

  it('lets the server speak first without much waiting', async () => {
    const started = performance.now();
    const [event] = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('greeter.test', 25);
      expect((await readSome(socket, 11)).toString()).toBe('220 ready\r\n');
      expect(performance.now() - started).toBeLessThan(3000);
      socket.write('EHLO me');
      expect(await readAll(socket)).toBe('250 heard EHLO me');
      socket.end();
    });
    expect(event).toMatchObject({ verdict: 'allowed', bytesOut: 7, bytesIn: 28 });
  });

  it('is still inspected where the program comes late and speaks TLS', async () => {
    const before = wires.webRequests();
    const [event] = await wires.recorded(1, async () => {
      const stream = await wires.rig.tcp('web.test', 9443);
      await new Promise((resolve) => setTimeout(resolve, 600));
      const tls = connectTls({
        socket: stream,
        servername: 'web.test',
        ca: wires.rig.broker.authority.certificatePem,
      });
      const answer = await requestOn(tls, '/late', 'web.test:9443');
      expect(answer.text).toBe('/late undefined');
      tls.destroy();
    });
    expect(wires.webRequests()).toBe(before + 1);
    expect(event).toMatchObject({ scheme: 'https', inspected: true, path: '/late' });
  });

  it('tells a program that comes late and speaks TLS why there is no server', async () => {
    const [event] = await wires.recorded(1, async () => {
      const stream = await wires.rig.tcp('nothing.test', 5000);
      await new Promise((resolve) => setTimeout(resolve, RAW_SILENCE_MS * 3));
      const tls = connectTls({
        socket: stream,
        servername: 'nothing.test',
        ca: wires.rig.broker.authority.certificatePem,
      });
      const answer = await requestOn(tls, '/late', 'nothing.test:5000');
      expect(answer.headers['glovebox-code']).toBe('egress.upstream-unreachable');
      tls.destroy();
    });
    expect(event).toMatchObject({ scheme: 'https', inspected: true, path: '/late' });
  });

  it('breaks a program off that waits for a server that is not there', async () => {
    const [event] = await wires.recorded(1, async () => {
      expect(await readAll(await wires.rig.tcp('nothing.test', 5000))).toBe('');
    });
    expect(event).toMatchObject({ scheme: 'tcp', code: 'egress.upstream-unreachable' });
  });

  it.each([
    ['raw.test', 5001, 'egress.unknown-protocol'],
    ['a.suffix.test', 5000, 'egress.unknown-protocol'],
    ['plain.test', 80, 'egress.unknown-protocol'],
  ])('goes nowhere else: %s:%i', async (host, port, code) => {
    const before = wires.received.length;
    const [event] = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp(host, port);
      socket.write('\0raw');
      expect(await readAll(socket)).toBe('');
    });
    expect(event).toMatchObject({ verdict: 'denied', code });
    expect(wires.received).toHaveLength(before);
  });

  it.each([
    ['a broken ClientHello', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'],
    [
      'a request behind three empty lines',
      '\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: raw.test:5000\r\n\r\n',
    ],
    ['a request line with a blank at its end', 'GET / HTTP/1.1 \r\nHost: raw.test:5000\r\n\r\n'],
    ['a request without a version', 'GET /x\r\n'],
    ['a broken preface of HTTP/2', 'PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n'],
  ])('is no way for %s to go unread', async (_what, bytes) => {
    const before = wires.received.length;
    const [event] = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('raw.test', 5000);
      socket.write(bytes, 'latin1');
      expect(await readAll(socket)).toBe('');
    });
    expect(event).toMatchObject({ verdict: 'denied', code: 'egress.unknown-protocol' });
    expect(wires.received).toHaveLength(before);
  });

  it('takes text that is not of the web', async () => {
    await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('raw.test', 5000);
      socket.write('get key\r\n');
      expect((await readSome(socket, 9)).toString()).toBe('get key\r\n');
      socket.destroy();
    });
    expect(wires.received.at(-1)).toBe('get key\r\n');
  });

  it('is broken off where nobody listens, with the reason on the record', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('nothing.test', 5000);
      socket.write('\0raw');
      expect(await readAll(socket)).toBe('');
    });
    expect(event).toMatchObject({ verdict: 'allowed', code: 'egress.upstream-unreachable' });
  });

  it('reaches no private address that --resolve does not name', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.rig.relay.open('127.0.0.1:5999');
      socket.write('\0raw');
      expect(await readAll(socket)).toBe('');
    });
    expect(event).toMatchObject({ verdict: 'denied', code: 'egress.private-address' });
  });

  it('is cut before a placeholder leaves', async () => {
    const placeholder = wires.rig.grants[0]?.placeholder ?? 'none';
    const [event] = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('raw.test', 5000);
      socket.write('\0');
      await readSome(socket, 1);
      socket.write(`take this: ${placeholder}`);
      await readAll(socket);
    });
    expect(wires.received.join('')).not.toContain(placeholder);
    expect(event).toMatchObject({ verdict: 'denied', code: 'grant.wrong-host' });
    expect(wires.rig.events).toContainEqual(
      expect.objectContaining({ kind: 'credential', op: 'tripped', host: 'raw.test' }),
    );
  });

  it('is cut before a granted secret comes back', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = await wires.rig.tcp('careless.test', 5000);
      socket.write('\0');
      const text = await readAll(socket);
      expect(SECRET).not.toContain(text.slice(-4) || 'nothing came');
    });
    expect(event).toMatchObject({ code: 'scrub.cut', scrubbed: 1 });
  });
});
