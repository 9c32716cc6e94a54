import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildWatchSet } from './fingerprint.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, listenPlain, listenTls, type Rig, type Upstream } from './testing/setup.ts';
import { readAll } from './testing/wires.ts';

/** As they stand in a hidden file of the project, and are granted as well. */
const KEY = 'sk-ant-api03-hidden-and-granted-0123456789';
const SHARED = 'shared-by-two-grants-9f8e7d6c5b4a';

describe('the value of a granted credential that a hidden file holds too', () => {
  let rig: Rig;
  let secure: Upstream;
  let plain: Upstream;
  const seen: string[] = [];
  const placeholder = (at: number): string => rig.grants[at]?.placeholder ?? '';

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const hosts = ['api.test', 'other.test', 'one.test', 'two.test'];
    const listener: Parameters<typeof listenTls>[2] = (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { host = '', authorization = '' } = request.headers;
        seen.push(`${host} ${authorization} ${Buffer.concat(parts).toString('latin1')}`);
        response.end(`echo ${authorization}`);
      });
    };
    secure = await listenTls(authority, hosts, listener);
    plain = await listenPlain(listener);
    rig = await createRig({
      authority,
      allow: [...hosts, 'api.test:80', 'raw.test:5000'],
      resolve: [
        ...hosts.map((host) => `${host}:443:127.0.0.1:${String(secure.port)}`),
        `api.test:80:127.0.0.1:${String(plain.port)}`,
        `raw.test:5000:127.0.0.1:${String(plain.port)}`,
      ],
      grants: [
        { kind: 'bearer', hosts: ['api.test'], secret: KEY },
        { kind: 'bearer', hosts: ['one.test'], secret: SHARED },
        { kind: 'bearer', hosts: ['two.test'], secret: SHARED },
      ],
    });
    const [key = '', ...sharers] = rig.grants.map(({ credential }) => credential);
    rig.broker.watch(
      buildWatchSet([
        {
          value: KEY,
          owner: {
            code: 'watch.hidden-value',
            words: 'The value of API_KEY in .env',
            granted: [key],
          },
        },
        {
          value: SHARED,
          owner: {
            code: 'watch.hidden-value',
            words: 'The value of SHARED in .env',
            granted: sharers,
          },
        },
      ]).set,
    );
    await rig.fetch('https://api.test/first');
  });
  afterAll(async () => {
    await rig.close();
    await secure.close();
    await plain.close();
  });

  const post = (body: string | Buffer, headers: Record<string, string> = {}) => ({
    method: 'POST',
    headers,
    body,
  });

  it.each([
    ['in a body', 'https://other.test/', () => post(`k=${KEY}`)],
    ['in hex', 'https://other.test/', () => post(Buffer.from(KEY).toString('hex'))],
    [
      'compressed',
      'https://other.test/',
      () => post(gzipSync(`{"k":"${KEY}"}`), { 'content-encoding': 'gzip' }),
    ],
    ['in a query', `https://other.test/?k=${KEY}`, () => ({})],
    ['in a header', 'https://other.test/', () => ({ headers: { authorization: `Bearer ${KEY}` } })],
    [
      'where another credential goes',
      'https://one.test/',
      () => post(KEY, { authorization: `Bearer ${placeholder(1)}` }),
    ],
    ['in the clear', 'http://api.test/', () => post(KEY)],
  ] as const)('does not leave for a host that it is not granted for, %s', async (_, url, how) => {
    const before = seen.length;
    const answer = await rig.fetch(url, how());
    expect([answer.status, answer.headers['glovebox-code']]).toEqual([403, 'watch.hidden-value']);
    expect(answer.text).toContain('API_KEY in .env');
    expect(seen.length).toBe(before);
  });

  it('does not leave by a raw connection or as a name', async () => {
    const before = seen.length;
    const socket = await rig.tcp('raw.test', 5000);
    socket.write(`\u0001\u0002 ${KEY}`);
    await readAll(socket).catch(() => undefined);
    expect(seen.length).toBe(before);
    const hex = Buffer.from(SHARED).toString('hex');
    const name = `${hex.slice(0, 40)}.${hex.slice(40)}.other.test`;
    await expect(rig.relay.addressOf(name)).rejects.toThrow(/./);
  });

  it('goes where it is granted: put in, and as it is', async () => {
    for (const key of [placeholder(0), KEY]) {
      const answer = await rig.fetch(
        'https://api.test/',
        post(`beside it ${KEY}`, { authorization: `Bearer ${key}` }),
      );
      expect(answer.status).toBe(200);
      expect(seen.at(-1)).toBe(`api.test Bearer ${KEY} beside it ${KEY}`);
      // What comes back is the placeholder, as ever.
      expect(answer.text).toBe(`echo Bearer ${placeholder(0)}`);
    }
  });

  it('goes with each of several credentials that have it', async () => {
    for (const [at, host] of [
      [1, 'one.test'],
      [2, 'two.test'],
    ] as const) {
      const headers = { authorization: `Bearer ${placeholder(at)}` };
      const answer = await rig.fetch(`https://${host}/`, post('', headers));
      expect(answer.status).toBe(200);
      expect(seen.at(-1)).toBe(`${host} Bearer ${SHARED} `);
    }
  });
});
