import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestOn } from './testing/setup.ts';
import { openWires, PROXY, readAll, readSome, type Wires } from './testing/wires.ts';

describe('the proxy', () => {
  let wires: Wires;
  beforeAll(async () => {
    wires = await openWires();
  });
  afterAll(() => wires.close());

  const connect = async (target: string, headers = ''): Promise<[Duplex, string]> => {
    const socket = wires.toProxy();
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${headers}\r\n`);
    const line = (await readSome(socket, 12)).toString('latin1');
    return [socket, line];
  };
  const skipHead = async (socket: Duplex): Promise<void> => {
    let head = '';
    while (!head.endsWith('\r\n\r\n')) head += (await readSome(socket, 1)).toString('latin1');
  };
  const secure = (socket: Duplex, servername: string) =>
    connectTls({ socket, servername, ca: wires.rig.broker.authority.certificatePem });

  it('has a name that leads to it, and nothing of the question leaves', async () => {
    expect(await wires.rig.relay.addressOf('proxy.glovebox.internal')).toBe(PROXY);
  });

  it('leads CONNECT on as if the program had connected there, recorded once', async () => {
    const events = await wires.recorded(1, async () => {
      const [socket, line] = await connect('granted.test:443');
      expect(line).toBe('HTTP/1.1 200');
      await skipHead(socket);
      const tls = secure(socket, 'granted.test');
      const answer = await requestOn(tls, '/x', 'granted.test', {
        headers: { authorization: `Bearer ${wires.rig.grants[0]?.placeholder ?? ''}` },
      });
      expect(answer.status).toBe(200);
      tls.destroy();
    });
    expect(events).toEqual([
      expect.objectContaining({
        verdict: 'allowed',
        host: 'granted.test',
        path: '/x',
        credential: 'cred-0',
      }),
    ]);
  });

  it('tells a program in a tunnel why its request is refused', async () => {
    const [event] = await wires.recorded(1, async () => {
      const [socket] = await connect('unlisted.test:443');
      await skipHead(socket);
      const tls = secure(socket, 'unlisted.test');
      const answer = await requestOn(tls, '/', 'unlisted.test');
      expect(answer).toMatchObject({ status: 403 });
      expect(answer.text).toContain('egress.no-rule');
    });
    expect(event).toMatchObject({ host: 'unlisted.test', code: 'egress.no-rule' });
  });

  it('leads to raw TCP and to servers that speak first, as the rules say', async () => {
    const [event] = await wires.recorded(1, async () => {
      const [socket] = await connect('greeter.test:25');
      await skipHead(socket);
      expect((await readSome(socket, 11)).toString()).toBe('220 ready\r\n');
      socket.end('x');
      expect(await readAll(socket)).toBe('250 heard x');
    });
    expect(event).toMatchObject({ host: 'greeter.test', protocol: 'tcp' });
  });

  it('refuses a tunnel inside a tunnel, and a way to itself', async () => {
    const [nested, loop] = await wires.recorded(2, async () => {
      const [socket] = await connect('plain.test:80');
      await skipHead(socket);
      socket.write('CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n');
      expect(await readAll(socket)).toContain('egress.method-refused');
      const [own, line] = await connect('proxy.glovebox.internal:3128');
      expect(line).toBe('HTTP/1.1 403');
      expect(await readAll(own)).toContain('egress.loop');
    });
    expect(nested).toMatchObject({ code: 'egress.method-refused', method: 'CONNECT' });
    expect(loop).toMatchObject({ code: 'egress.loop', method: 'CONNECT' });
  });

  it.each([
    ['no port', 'web.test', '', 'egress.bad-host'],
    ['a body', 'web.test:443', 'Content-Length: 3\r\n', 'egress.bad-request'],
  ])('refuses CONNECT with %s', async (_what, target, headers, code) => {
    const [event] = await wires.recorded(1, async () => {
      const [socket, line] = await connect(target, headers);
      expect(line).toMatch(/^HTTP\/1.1 4/);
      expect(await readAll(socket)).toContain(code);
    });
    expect(event).toMatchObject({ verdict: 'denied', code });
  });

  it('refuses CONNECT whose Host names another host', async () => {
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy();
      socket.write('CONNECT web.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n');
      expect(await readAll(socket)).toContain('egress.authority-mismatch');
    });
    expect(event).toMatchObject({ code: 'egress.authority-mismatch' });
  });

  it('notices a placeholder that was meant for a proxy', async () => {
    const text = `me:${wires.rig.grants[0]?.placeholder ?? ''}`;
    const basic = Buffer.from(text).toString('base64');
    const [event] = await wires.recorded(1, async () => {
      const [socket, line] = await connect(
        'web.test:443',
        `Proxy-Authorization: Basic ${basic}\r\n`,
      );
      expect(line).toBe('HTTP/1.1 403');
      expect(await readAll(socket)).toContain('grant.wrong-place');
    });
    expect(event).toMatchObject({ code: 'grant.wrong-place', host: 'web.test' });
  });

  it('serves plain requests one by one, each judged where it goes', async () => {
    const events = await wires.recorded(3, async () => {
      const socket = wires.toProxy(8080);
      const ask = async (host: string): Promise<string> => {
        socket.write(
          `GET http://${host}/a HTTP/1.1\r\nHost: ${host}\r\nProxy-Connection: keep-alive\r\n` +
            'Proxy-Authorization: Basic bWU6cHc=\r\n\r\n',
        );
        return (await readSome(socket, 12)).toString('latin1');
      };
      const finish = async (body: string): Promise<void> => {
        let text = '';
        while (!text.endsWith(body)) text += (await readSome(socket, 1)).toString('latin1');
      };
      expect(await ask('plain.test')).toBe('HTTP/1.1 200');
      await finish('\r\n\r\nplain.test/a');
      expect(await ask('other.test')).toBe('HTTP/1.1 200');
      await finish('\r\n\r\nother.test/a');
      expect(await ask('unlisted.test')).toBe('HTTP/1.1 403');
    });
    expect(events.map(({ host, verdict }) => `${host} ${verdict}`)).toEqual([
      'plain.test allowed',
      'other.test allowed',
      'unlisted.test denied',
    ]);
  });

  it.each([
    ['an https URL in the clear', 'https://web.test/', 'egress.not-tls'],
    ['a path without a server', '/x', 'egress.bad-request'],
  ])('refuses %s', async (_what, url, code) => {
    const before = wires.webRequests();
    const [event] = await wires.recorded(1, async () => {
      const socket = wires.toProxy();
      socket.write(`GET ${url} HTTP/1.1\r\nHost: web.test\r\n\r\n`);
      expect(await readAll(socket)).toContain(code);
    });
    expect(event).toMatchObject({ verdict: 'denied', code });
    expect(wires.webRequests()).toBe(before);
  });

  it('is not spoken to with TLS', async () => {
    const [event] = await wires.recorded(1, async () => {
      const tls = connectTls({ socket: wires.toProxy(), servername: 'proxy.glovebox.internal' });
      await new Promise<void>((resolve) => tls.once('error', () => resolve()));
    });
    expect(event).toMatchObject({ verdict: 'denied', code: 'egress.unknown-protocol' });
  });
});
