import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EgressDraft } from '../contract/index.ts';
import { createTestAuthority, type TestAuthority } from './testing/certificates.ts';
import {
  createRig,
  listenPlain,
  listenTls,
  requestOn,
  SECRET,
  type Rig,
  type Upstream,
} from './testing/setup.ts';

const PROXY = '192.0.2.80';

/** A server that speaks no HTTP. */
const listenRaw = async (onConnection: (socket: Socket) => void): Promise<Upstream> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
};

/** All that comes until the stream ends or closes. */
const readAll = (stream: Duplex): Promise<string> =>
  new Promise((resolve) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => undefined);
    stream.once('close', () => resolve(Buffer.concat(parts).toString('latin1')));
    stream.once('end', () => resolve(Buffer.concat(parts).toString('latin1')));
  });

/** The next bytes, at least so many. */
const readSome = (stream: Duplex, bytes: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    let have: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      for (;;) {
        const chunk = stream.read() as Buffer | null;
        if (chunk === null) return;
        have = Buffer.concat([have, chunk]);
        if (have.length < bytes) continue;
        stream.removeListener('readable', onReadable);
        stream.removeListener('close', onClose);
        if (have.length > bytes) stream.unshift(have.subarray(bytes));
        resolve(have.subarray(0, bytes));
        return;
      }
    };
    const onClose = (): void => reject(new Error(`closed after ${have.toString('latin1')}`));
    stream.on('readable', onReadable);
    stream.once('close', onClose);
  });

const since = (events: readonly EgressDraft[], from: number): EgressDraft[] => events.slice(from);

describe('connections that are not HTTP', () => {
  let rig: Rig;
  let authority: TestAuthority;
  let echo: Upstream;
  let greeter: Upstream;
  let careless: Upstream;
  let pinned: Upstream;
  let web: Upstream;
  let plain: Upstream;
  const received: string[] = [];
  let webRequests = 0;

  beforeAll(async () => {
    authority = await createTestAuthority();
    echo = await listenRaw((socket) => {
      socket.on('data', (part: Buffer) => received.push(part.toString('latin1')));
      socket.pipe(socket);
    });
    greeter = await listenRaw((socket) => {
      socket.write('220 ready\r\n');
      socket.once('data', (part: Buffer) => socket.end(`250 heard ${part.toString()}`));
    });
    careless = await listenRaw((socket) => {
      socket.once('data', () => {
        socket.write(`your key: ${SECRET.slice(0, 20)}`);
        setTimeout(() => socket.write(`${SECRET.slice(20)} keep it`), 5);
      });
    });
    pinned = await listenTls(await createTestAuthority(), ['pinned.test'], (_request, response) =>
      response.end('own certificate'),
    );
    web = await listenTls(authority, ['web.test', 'granted.test'], (request, response) => {
      webRequests += 1;
      response.end(`${String(request.url)} ${String(request.headers.authorization)}`);
    });
    plain = await listenPlain((request, response) => {
      const forProxies = Object.keys(request.headers).filter((name) => name.startsWith('proxy'));
      response.end(`${forProxies.join()}${String(request.headers.host)}${String(request.url)}`);
    });
    const local = (name: string, port: number, { port: at }: Upstream): string =>
      `${name}:${String(port)}:127.0.0.1:${String(at)}`;
    rig = await createRig({
      authority,
      allow: [
        'raw.test:5000',
        'greeter.test:25',
        'careless.test:5000',
        'web.test',
        'granted.test',
        'web.test:9443',
        'plain.test',
        'other.test',
        '169.254.169.254',
        '127.0.0.1:5999',
        '*.suffix.test:5000',
        'nothing.test:5000',
      ],
      passThrough: ['pinned.test'],
      resolve: [
        local('raw.test', 5000, echo),
        local('a.suffix.test', 5000, echo),
        local('raw.test', 5001, echo),
        local('greeter.test', 25, greeter),
        local('careless.test', 5000, careless),
        local('pinned.test', 443, pinned),
        local('web.test', 443, web),
        local('web.test', 9443, web),
        local('granted.test', 443, web),
        local('plain.test', 80, plain),
        local('other.test', 80, plain),
        'nothing.test:5000:127.0.0.1:1',
      ],
      grants: [{ kind: 'bearer', hosts: ['granted.test'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    for (const server of [echo, greeter, careless, pinned, web, plain]) await server.close();
  });

  /** What a piece of work put on the record. */
  const recorded = async (count: number, work: () => Promise<void>): Promise<EgressDraft[]> => {
    const before = (await rig.egress(0)).length;
    await work();
    return since(await rig.egress(before + count), before);
  };

  describe('raw TCP to a named host and port', () => {
    it('passes through, ends included, and is on the record once with its bytes', async () => {
      const events = await recorded(1, async () => {
        const socket = await rig.tcp('raw.test', 5000);
        socket.write('\0\x01hello');
        expect((await readSome(socket, 7)).toString('latin1')).toBe('\0\x01hello');
        await rig.until(() => rig.opened.some(({ host }) => host === 'raw.test'), 'its notice');
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
      expect(rig.opened.some(({ id }) => id === events[0]?.id)).toBe(true);
    });

    it('lets the server speak first without much waiting', async () => {
      const started = performance.now();
      const [event] = await recorded(1, async () => {
        const socket = await rig.tcp('greeter.test', 25);
        expect((await readSome(socket, 11)).toString()).toBe('220 ready\r\n');
        expect(performance.now() - started).toBeLessThan(3000);
        socket.write('EHLO me');
        expect(await readAll(socket)).toBe('250 heard EHLO me');
        socket.end();
      });
      expect(event).toMatchObject({ verdict: 'allowed', bytesOut: 7, bytesIn: 28 });
    });

    it('is still inspected where the program comes late and speaks TLS', async () => {
      const before = webRequests;
      const [event] = await recorded(1, async () => {
        const stream = await rig.tcp('web.test', 9443);
        await new Promise((resolve) => setTimeout(resolve, 600));
        const tls = connectTls({
          socket: stream,
          servername: 'web.test',
          ca: rig.broker.authority.certificatePem,
        });
        const answer = await requestOn(tls, '/late', 'web.test:9443');
        expect(answer.text).toBe('/late undefined');
        tls.destroy();
      });
      expect(webRequests).toBe(before + 1);
      expect(event).toMatchObject({ scheme: 'https', inspected: true, path: '/late' });
    });

    it.each([
      ['raw.test', 5001, 'egress.unknown-protocol'],
      ['a.suffix.test', 5000, 'egress.unknown-protocol'],
      ['plain.test', 80, 'egress.unknown-protocol'],
    ])('goes nowhere else: %s:%i', async (host, port, code) => {
      const before = received.length;
      const [event] = await recorded(1, async () => {
        const socket = await rig.tcp(host, port);
        socket.write('\0raw');
        expect(await readAll(socket)).toBe('');
      });
      expect(event).toMatchObject({ verdict: 'denied', code });
      expect(received).toHaveLength(before);
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
      const before = received.length;
      const [event] = await recorded(1, async () => {
        const socket = await rig.tcp('raw.test', 5000);
        socket.write(bytes, 'latin1');
        expect(await readAll(socket)).toBe('');
      });
      expect(event).toMatchObject({ verdict: 'denied', code: 'egress.unknown-protocol' });
      expect(received).toHaveLength(before);
    });

    it('takes text that is not of the web', async () => {
      await recorded(1, async () => {
        const socket = await rig.tcp('raw.test', 5000);
        socket.write('get key\r\n');
        expect((await readSome(socket, 9)).toString()).toBe('get key\r\n');
        socket.destroy();
      });
      expect(received.at(-1)).toBe('get key\r\n');
    });

    it('is broken off where nobody listens, with the reason on the record', async () => {
      const [event] = await recorded(1, async () => {
        const socket = await rig.tcp('nothing.test', 5000);
        socket.write('\0raw');
        expect(await readAll(socket)).toBe('');
      });
      expect(event).toMatchObject({ verdict: 'allowed', code: 'egress.upstream-unreachable' });
    });

    it('reaches no private address that --resolve does not name', async () => {
      const [event] = await recorded(1, async () => {
        const socket = rig.relay.open('127.0.0.1:5999');
        socket.write('\0raw');
        expect(await readAll(socket)).toBe('');
      });
      expect(event).toMatchObject({ verdict: 'denied', code: 'egress.private-address' });
    });

    it('is cut before a placeholder leaves', async () => {
      const placeholder = rig.grants[0]?.placeholder ?? 'none';
      const [event] = await recorded(1, async () => {
        const socket = await rig.tcp('raw.test', 5000);
        socket.write('\0');
        await readSome(socket, 1);
        socket.write(`take this: ${placeholder}`);
        await readAll(socket);
      });
      expect(received.join('')).not.toContain(placeholder);
      expect(event).toMatchObject({ verdict: 'denied', code: 'grant.wrong-host' });
      expect(rig.events).toContainEqual(
        expect.objectContaining({ kind: 'credential', op: 'tripped', host: 'raw.test' }),
      );
    });

    it('is cut before a granted secret comes back', async () => {
      const [event] = await recorded(1, async () => {
        const socket = await rig.tcp('careless.test', 5000);
        socket.write('\0');
        const text = await readAll(socket);
        expect(SECRET).not.toContain(text.slice(-4) || 'nothing came');
      });
      expect(event).toMatchObject({ code: 'scrub.cut', scrubbed: 1 });
    });
  });

  describe('a host on the pass-through list', () => {
    const hello = (servername: string | undefined, socket: Duplex) =>
      new Promise<string>((resolve) => {
        const tls = connectTls({
          socket,
          ...(servername === undefined ? {} : { servername }),
          rejectUnauthorized: false,
        });
        tls.once('secureConnect', () => {
          const name = String(tls.getPeerCertificate().issuer['CN']);
          resolve(name);
          tls.destroy();
        });
        tls.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
      });

    it('is reached with its own certificate, unopened', async () => {
      const events = await recorded(1, async () => {
        expect(await hello('pinned.test', await rig.tcp('pinned.test', 443))).toBe(
          'Test authority',
        );
      });
      expect(events).toEqual([
        expect.objectContaining({
          verdict: 'allowed',
          scheme: 'tls',
          protocol: 'tls',
          inspected: false,
          rule: '--pass-through pinned.test',
        }),
      ]);
      expect(events[0]?.bytesOut).toBeGreaterThan(100);
    });

    it.each([
      ['another name', 'web.test', 'egress.authority-mismatch'],
      ['no name', undefined, 'egress.authority-mismatch'],
    ])('is not reached with %s in the handshake', async (_what, servername, code) => {
      const [event] = await recorded(1, async () => {
        expect(await hello(servername, await rig.tcp('pinned.test', 443))).toMatch(
          /ERR_SSL_.*ACCESS_DENIED/,
        );
      });
      expect(event).toMatchObject({ verdict: 'denied', code, inspected: false });
    });
  });

  describe('the proxy', () => {
    const toProxy = (port = 3128): Duplex => rig.relay.open(`${PROXY}:${String(port)}`);

    const connect = async (target: string, headers = ''): Promise<[Duplex, string]> => {
      const socket = toProxy();
      socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${headers}\r\n`);
      const line = (await readSome(socket, 12)).toString('latin1');
      return [socket, line];
    };
    const skipHead = async (socket: Duplex): Promise<void> => {
      let head = '';
      while (!head.endsWith('\r\n\r\n')) head += (await readSome(socket, 1)).toString('latin1');
    };
    const secure = (socket: Duplex, servername: string) =>
      connectTls({ socket, servername, ca: rig.broker.authority.certificatePem });

    it('has a name that leads to it, and nothing of the question leaves', async () => {
      expect(await rig.relay.addressOf('proxy.glovebox.internal')).toBe(PROXY);
    });

    it('leads CONNECT on as if the program had connected there, recorded once', async () => {
      const events = await recorded(1, async () => {
        const [socket, line] = await connect('granted.test:443');
        expect(line).toBe('HTTP/1.1 200');
        await skipHead(socket);
        const tls = secure(socket, 'granted.test');
        const answer = await requestOn(tls, '/x', 'granted.test', {
          headers: { authorization: `Bearer ${rig.grants[0]?.placeholder ?? ''}` },
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
      const [event] = await recorded(1, async () => {
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
      const [event] = await recorded(1, async () => {
        const [socket] = await connect('greeter.test:25');
        await skipHead(socket);
        expect((await readSome(socket, 11)).toString()).toBe('220 ready\r\n');
        socket.end('x');
        expect(await readAll(socket)).toBe('250 heard x');
      });
      expect(event).toMatchObject({ host: 'greeter.test', protocol: 'tcp' });
    });

    it('refuses a tunnel inside a tunnel, and a way to itself', async () => {
      const [nested, loop] = await recorded(2, async () => {
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
      const [event] = await recorded(1, async () => {
        const [socket, line] = await connect(target, headers);
        expect(line).toMatch(/^HTTP\/1.1 4/);
        expect(await readAll(socket)).toContain(code);
      });
      expect(event).toMatchObject({ verdict: 'denied', code });
    });

    it('refuses CONNECT whose Host names another host', async () => {
      const [event] = await recorded(1, async () => {
        const socket = toProxy();
        socket.write('CONNECT web.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n');
        expect(await readAll(socket)).toContain('egress.authority-mismatch');
      });
      expect(event).toMatchObject({ code: 'egress.authority-mismatch' });
    });

    it('notices a placeholder that was meant for a proxy', async () => {
      const text = `me:${rig.grants[0]?.placeholder ?? ''}`;
      const basic = Buffer.from(text).toString('base64');
      const [event] = await recorded(1, async () => {
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
      const events = await recorded(3, async () => {
        const socket = toProxy(8080);
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
      const before = webRequests;
      const [event] = await recorded(1, async () => {
        const socket = toProxy();
        socket.write(`GET ${url} HTTP/1.1\r\nHost: web.test\r\n\r\n`);
        expect(await readAll(socket)).toContain(code);
      });
      expect(event).toMatchObject({ verdict: 'denied', code });
      expect(webRequests).toBe(before);
    });

    it('serves SOCKS5 to a name, with or without a login', async () => {
      const events = await recorded(2, async () => {
        for (const login of [false, true]) {
          const socket = toProxy(1080);
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
      const address = await rig.relay.addressOf('plain.test');
      const [event] = await recorded(1, async () => {
        const socket = toProxy(1080);
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
      const [event] = await recorded(1, async () => {
        const socket = toProxy(1080);
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
      const [event] = await recorded(1, async () => {
        const socket = toProxy(1080);
        socket.write(Buffer.from([5, 1, 0]));
        await readSome(socket, 2);
        socket.write(Buffer.from(request));
        expect((await readSome(socket, 10))[1]).toBe(reply);
      });
      expect(event).toMatchObject({ verdict: 'denied' });
    });

    it('answers SOCKS5 without a method of ours with none', async () => {
      const [event] = await recorded(1, async () => {
        const socket = toProxy(1080);
        socket.write(Buffer.from([5, 1, 1]));
        expect(Array.from(await readSome(socket, 2))).toEqual([5, 255]);
      });
      expect(event).toMatchObject({ verdict: 'denied', code: 'egress.bad-request' });
    });

    it('serves SOCKS4a', async () => {
      const [event] = await recorded(1, async () => {
        const socket = toProxy(1080);
        socket.write(
          Buffer.concat([Buffer.from([4, 1, 0, 80, 0, 0, 0, 1, 0]), Buffer.from('plain.test\0')]),
        );
        expect((await readSome(socket, 8))[1]).toBe(90);
        expect((await requestOn(socket, '/4', 'plain.test')).text).toBe('plain.test/4');
        socket.destroy();
      });
      expect(event).toMatchObject({ host: 'plain.test', path: '/4' });
    });

    it('is not spoken to with TLS', async () => {
      const [event] = await recorded(1, async () => {
        const tls = connectTls({ socket: toProxy(), servername: 'proxy.glovebox.internal' });
        await new Promise<void>((resolve) => tls.once('error', () => resolve()));
      });
      expect(event).toMatchObject({ verdict: 'denied', code: 'egress.unknown-protocol' });
    });
  });
});
