import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing/certificates.ts';
import { HEAD_BYTES } from './process/datagram-head.ts';
import { datagramHead } from './testing/datagram-head.ts';
import { dnsQuery } from './testing/relay.ts';
import { startResolver, type TestResolver } from './testing/resolver.ts';
import { createRig, listenTls, requestOn, type Rig, type Upstream } from './testing/setup.ts';

const PRIVATE: Readonly<Record<string, string>> = {
  'loopback.test': '127.0.0.1',
  'metadata.test': '169.254.169.254',
  'ten.test': '10.1.2.3',
  'zero.test': '0.0.0.0',
  'cgnat.test': '100.64.0.1',
  'multicast.test': '224.0.0.1',
  'zone.test': '198.18.0.9',
};

describe('what is refused', () => {
  let rig: Rig;
  let upstream: Upstream;
  let stranger: Upstream;
  let resolver: TestResolver;
  let reached = 0;

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(authority, ['good.test'], (_request, response) => {
      reached += 1;
      response.end('reached');
    });
    stranger = await listenTls(
      await createTestAuthority(),
      ['stranger.test'],
      (_request, response) => {
        reached += 1;
        response.end('reached');
      },
    );
    resolver = await startResolver(
      Object.fromEntries(Object.entries(PRIVATE).map(([name, address]) => [name, [address]])),
    );
    rig = await createRig({
      authority,
      allow: [
        'good.test',
        'wrong-name.test',
        'stranger.test',
        'gone.test',
        'nowhere.test',
        'denied.test',
        ...Object.keys(PRIVATE),
        '127.0.0.1',
        '169.254.169.254',
        '10.0.0.1',
      ],
      deny: ['denied.test'],
      resolve: [
        `good.test:443:127.0.0.1:${String(upstream.port)}`,
        `wrong-name.test:443:127.0.0.1:${String(upstream.port)}`,
        `stranger.test:443:127.0.0.1:${String(stranger.port)}`,
        'gone.test:443:127.0.0.1:1',
      ],
      dns: `127.0.0.1:${String(resolver.port)}`,
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
    await stranger.close();
    resolver.close();
  });

  it.each<[string, number, string]>([
    ['unlisted.test', 403, 'egress.no-rule'],
    ['denied.test', 403, 'egress.denied-by-rule'],
    ['nowhere.test', 502, 'egress.name-not-found'],
    ['gone.test', 502, 'egress.upstream-unreachable'],
    ['stranger.test', 502, 'egress.upstream-unverified'],
    ['wrong-name.test', 502, 'egress.upstream-unverified'],
    ...Object.keys(PRIVATE).map((name): [string, number, string] => [
      name,
      403,
      'egress.private-address',
    ]),
  ])('refuses %s with %i %s, readable inside', async (host, status, code) => {
    const before = reached;
    const answer = await rig.fetch(`https://${host}/`);
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([status, code]);
    const body = JSON.parse(answer.text) as { error: { code: string; message: string } };
    expect(body.error.code).toBe(code);
    expect(body.error.message).toContain(host);
    expect(reached).toBe(before);
    await rig.until(
      () =>
        rig.events.some(
          (event) => event.kind === 'egress' && event.host === host && event.code === code,
        ),
      'the record',
    );
  });

  it('asks the resolver for nothing that no rule allows', () => {
    expect(resolver.asked).not.toContain('unlisted.test');
    expect(resolver.asked).not.toContain('denied.test');
  });

  it.each(['127.0.0.1', '169.254.169.254', '10.0.0.1'])(
    'refuses the literal address %s though a rule names it',
    async (address) => {
      const socket = await rig.tls(address, { address, servername: false });
      const answer = await requestOn(socket, '/', address);
      expect([answer.status, answer.headers['glovebox-code']]).toEqual([
        403,
        'egress.private-address',
      ]);
      socket.destroy();
    },
  );

  it('refuses a TLS name that is not the one connected to', async () => {
    const socket = await rig.tls('good.test', { servername: 'other.test' });
    const answer = await requestOn(socket, '/', 'other.test');
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([
      421,
      'egress.authority-mismatch',
    ]);
  });

  it('refuses an allowed TLS name at an address that was dialled by hand', async () => {
    const before = reached;
    const socket = await rig.tls('good.test', { address: '93.184.216.34' });
    const answer = await requestOn(socket, '/', 'good.test');
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([
      421,
      'egress.authority-mismatch',
    ]);
    expect(reached).toBe(before);
  });

  it('refuses a handshake without a name for a named destination', async () => {
    const socket = await rig.tls('good.test', { servername: false });
    const answer = await requestOn(socket, '/', 'good.test');
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([
      421,
      'egress.authority-mismatch',
    ]);
  });

  it.each(['evil.test', 'good.test:444', 'good.test@evil.test', 'good.test.evil.test', ''])(
    'refuses the Host %j',
    async (host) => {
      const before = reached;
      const socket = await rig.tls('good.test');
      const answer = await requestOn(socket, '/', host);
      expect([answer.status, answer.headers['glovebox-code']]).toEqual([
        421,
        'egress.authority-mismatch',
      ]);
      expect(reached).toBe(before);
    },
  );

  it.each(['GOOD.test', 'good.test:443', 'good.test.'])(
    'takes %j for the same Host',
    async (host) => {
      const socket = await rig.tls('good.test');
      expect((await requestOn(socket, '/', host)).text).toBe('reached');
    },
  );

  const raw = async (bytes: string, host = 'good.test'): Promise<string> => {
    const socket = await rig.tls(host);
    return new Promise((resolve) => {
      let all = '';
      socket.on('data', (part: Buffer) => (all += part.toString('latin1')));
      socket.on('end', () => {
        resolve(all);
        socket.destroy();
      });
      socket.on('close', () => resolve(all));
      setTimeout(() => socket.destroy(), 5000);
      socket.write(Buffer.from(bytes, 'latin1'));
    });
  };
  const HOST = 'Host: good.test\r\n';

  it.each([
    [
      'both lengths',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
    [
      'two equal lengths',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`,
    ],
    ['a signed length', `POST / HTTP/1.1\r\n${HOST}Content-Length: +3\r\n\r\nabc`],
    ['a list of lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3, 3\r\n\r\nabc`],
    ['two codings', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['an unknown coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a hidden coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['two hosts', `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`],
    ['no host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n'],
    ['a folded line', `GET / HTTP/1.1\r\n${HOST}X: y\r\n z\r\n\r\n`],
    ['a bare LF', `GET / HTTP/1.1\r\n${HOST}X: y\nZ: z\r\n\r\n`],
    ['a bare CR', `GET / HTTP/1.1\r\n${HOST}X: y\rZ: z\r\n\r\n`],
    ['a NUL', `GET / HTTP/1.1\r\n${HOST}X: y\0z\r\n\r\n`],
    ['a control character', `GET / HTTP/1.1\r\n${HOST}X: y\u0007z\r\n\r\n`],
    ['a name with a space', `GET / HTTP/1.1\r\n${HOST}X Y: z\r\n\r\n`],
    ['another version', `GET / HTTP/1.2\r\n${HOST}\r\n`],
    ['a fragment', `GET /#x HTTP/1.1\r\n${HOST}\r\n`],
    ['dot segments', `GET /a/%2e%2e/b HTTP/1.1\r\n${HOST}\r\n`],
    ['a doubly encoded slash', `GET /a%252fb HTTP/1.1\r\n${HOST}\r\n`],
    ['a star', `GET * HTTP/1.1\r\n${HOST}\r\n`],
    ['another absolute target', `GET https://evil.test/ HTTP/1.1\r\n${HOST}\r\n`],
    ['an absolute target without TLS', `GET http://good.test/ HTTP/1.1\r\n${HOST}\r\n`],
    ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`],
    ['CONNECT', `CONNECT good.test:443 HTTP/1.1\r\n${HOST}\r\n`],
    [
      'TRACE in a header that overrides the method',
      `POST / HTTP/1.1\r\n${HOST}X-HTTP-Method-Override: trace\r\nContent-Length: 0\r\n\r\n`,
    ],
    ['TRACE in the query', `POST /?_method=TRACE HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`],
    ['an upgrade', `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    ['a HEAD with a body', `HEAD / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`],
    ['too large a header', `GET / HTTP/1.1\r\n${HOST}X: ${'y'.repeat(70_000)}\r\n\r\n`],
    ['too many headers', `GET / HTTP/1.1\r\n${HOST}${'X: y\r\n'.repeat(300)}\r\n`],
  ])('refuses %s', async (_what, bytes) => {
    const before = reached;
    const records = rig.events.length;
    const text = await raw(bytes);
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d .*glovebox-code: egress\./s);
    expect(reached).toBe(before);
    await rig.until(
      () =>
        rig.events
          .slice(records)
          .some((event) => event.kind === 'egress' && event.code !== undefined),
      'the record',
    );
  });

  it('takes the absolute form that names the connection', async () => {
    expect(
      await raw(`GET https://good.test/x HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`),
    ).toContain('reached');
  });

  it('passes no second request that hides in a body', async () => {
    const before = reached;
    const hidden = `GET /hidden HTTP/1.1\r\n${HOST}\r\n`;
    await raw(
      `POST / HTTP/1.1\r\n${HOST}Connection: close\r\nContent-Length: ${String(hidden.length)}\r\n\r\n${hidden}`,
    );
    expect(reached).toBe(before + 1);
  });

  it.each([
    ['SSH', 'SSH-2.0-OpenSSH_9\r\n', 'egress.unknown-protocol'],
    ['a broken HTTP/2 preface', 'PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n', 'egress.unknown-protocol'],
    ['a broken handshake', '\x16\x03\x01\x00\x05hello', 'egress.unknown-protocol'],
    ['words', 'EHLO there\r\n', 'egress.unknown-protocol'],
    ['plain HTTP to a TLS port', `GET / HTTP/1.1\r\nHost: good.test:443\r\n\r\n`, 'egress.not-tls'],
  ])('refuses %s', async (_what, bytes, code) => {
    const before = reached;
    const records = rig.events.length;
    const stream = await rig.tcp('good.test', 443);
    stream.write(Buffer.from(bytes, 'latin1'));
    await rig.until(
      () =>
        rig.events.slice(records).some((event) => event.kind === 'egress' && event.code === code),
      code,
    );
    expect(reached).toBe(before);
    stream.destroy();
  });

  it('offers HTTP/1.1 alone and records a program that wants only HTTP/2', async () => {
    await expect(rig.tls('good.test', { alpn: ['h2'] })).rejects.toThrow(/ECONNRESET/);
    const socket = await rig.tls('good.test', { alpn: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
  });

  it('records UDP, loops and nothing malformed', async () => {
    const v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const heads = Buffer.concat([
      Buffer.alloc(HEAD_BYTES, 0x45),
      datagramHead([10, 0, 0, 2], [8, 8, 8, 8], 443, 12),
      datagramHead([10, 0, 0, 2], [8, 8, 8, 8], 443, 10),
      datagramHead(v6, v6, 53_000, 1),
    ]);
    // In pieces that end nowhere in particular.
    for (let at = 0; at < heads.length; at += 33) {
      rig.relay.link.write(heads.subarray(at, at + 33));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => {
      // Without a note of the relay's, it went where it arrived.
      connect(rig.relay.port, '127.0.0.1').on('error', resolve);
    });
    const udp = () => rig.events.filter((one) => one.kind === 'egress' && one.scheme === 'udp');
    await rig.until(() => udp().length >= 2, 'the datagrams');
    expect(udp()).toMatchObject([
      { host: '8.8.8.8', port: 443, bytesOut: 22, code: 'egress.udp', verdict: 'denied' },
      { host: '2001:db8::1', port: 53_000, bytesOut: 1, code: 'egress.udp' },
    ]);
    for (const code of ['egress.udp', 'egress.loop']) {
      await rig.until(
        () => rig.events.some((event) => event.kind === 'egress' && event.code === code),
        code,
      );
    }
  });

  it('answers names from the zone and asks nobody', async () => {
    const address = await rig.relay.addressOf('Good.Test');
    expect(address).toMatch(/^198\.1[89]\./);
    expect(await rig.relay.addressOf('good.test')).toBe(address);
    const ask = async (name: string, type: number) => {
      const body = await rig.relay.ask(dnsQuery(name, type));
      return [(body[3] ?? 0) & 15, body.readUInt16BE(6)];
    };
    expect(await ask('good.test', 28)).toEqual([0, 0]);
    expect(await ask('good.test', 65)).toEqual([0, 0]);
    expect(await ask('secret-data.evil.test', 16)).toEqual([5, 0]);
    expect(await ask('1.2.3.4', 1)).toEqual([3, 0]);
    expect(resolver.asked).not.toContain('secret-data.evil.test');
    await rig.until(
      () =>
        rig.events.some(
          (event) =>
            event.kind === 'dns' &&
            event.name === 'secret-data.evil.test' &&
            event.code === 'dns.refused',
        ),
      'the record',
    );
  });
});
