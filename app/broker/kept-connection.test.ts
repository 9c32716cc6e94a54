import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_STREAMS } from './process/http2-limits.ts';
import { MAX_PIPELINED_REQUESTS } from './process/serve-http1.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { connectHttp2, listenHttp2, type Http2Upstream } from './testing/http2.ts';
import { createRig, type Rig } from './testing/setup.ts';

const get = (path: string, host = 'plain.test', fields = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;

describe('several requests on one connection', () => {
  let rig: Rig;
  let server: Server;
  let modern: Http2Upstream;
  const seen: string[] = [];
  const waiting: ServerResponse[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      request.on('error', () => undefined);
      request.resume();
      request.once('end', () => {
        seen.push(request.url ?? '');
        if (request.url?.startsWith('/wait') === true) waiting.push(response);
        else response.end('served');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const authority = await createTestAuthority();
    modern = await listenHttp2(authority, ['modern.test'], (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('served');
    });
    rig = await createRig({
      authority,
      allow: ['plain.test', 'modern.test'],
      resolve: [
        `plain.test:80:127.0.0.1:${String((server.address() as AddressInfo).port)}`,
        `modern.test:443:127.0.0.1:${String(modern.port)}`,
      ],
      grants: [{ kind: 'bearer', hosts: ['granted.test'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    await modern.close();
    server.closeAllConnections();
    server.close();
  });

  const say = async (bytes: string): Promise<{ stream: Duplex; heard: () => string }> => {
    const stream = await rig.tcp('plain.test', 80);
    let heard = '';
    stream.on('data', (part: Buffer) => {
      heard += part.toString('latin1');
    });
    stream.on('error', () => undefined);
    stream.write(bytes);
    return { stream, heard: () => heard };
  };
  const codes = (): readonly (string | undefined)[] =>
    rig.events.flatMap((event) => (event.kind === 'egress' ? [event.code] : []));

  it('are bounded in number while their answers are not there', async () => {
    const many = Array.from({ length: MAX_PIPELINED_REQUESTS + 6 }, (_, index) =>
      get(`/wait/${String(index)}`),
    );
    const { stream } = await say(many.join(''));
    await rig.until(() => codes().includes('egress.too-many'), 'the refusal');
    expect(seen.filter((path) => path.startsWith('/wait')).length).toBeLessThanOrEqual(
      MAX_PIPELINED_REQUESTS,
    );
    stream.destroy();
    for (const response of waiting) response.end();
  });

  it('are told how many streams they may open', async () => {
    const session = await connectHttp2(rig, 'modern.test');
    expect(session.remoteSettings.maxConcurrentStreams).toBe(MAX_STREAMS);
    expect(MAX_STREAMS).toBeLessThanOrEqual(256);
    session.destroy();
  });

  it('are not read behind a refusal', async () => {
    const { stream, heard } = await say(`${get('/one', 'evil.test')}${get('/behind')}`);
    await rig.until(() => heard().includes('egress.authority-mismatch'), 'the refusal');
    await new Promise((resolve) => setTimeout(resolve, 100));
    stream.destroy();
    expect(seen).not.toContain('/behind');
    expect(heard().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('set a tripwire off even where they are refused anyway', async () => {
    const placeholder = rig.grants[0]?.placeholder ?? '';
    const { stream, heard } = await say(
      get('/trip', 'evil.test', `Authorization: Bearer ${placeholder}\r\n`),
    );
    await rig.until(() => heard().includes('\r\n\r\n{'), 'the refusal');
    stream.destroy();
    expect(heard()).toContain('grant.wrong-host');
  });

  it('carry no placeholder in a trailer', async () => {
    const placeholder = rig.grants[0]?.placeholder ?? '';
    const trailing = (path: string, value: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: plain.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: ${value}\r\n\r\n`;
    const { stream, heard } = await say(trailing('/trailer/stray', placeholder));
    await rig.until(() => heard().includes('grant.wrong-host'), 'the refusal');
    stream.destroy();
    expect(seen).not.toContain('/trailer/stray');
    const clean = await say(trailing('/trailer/clean', '1'));
    await rig.until(() => clean.heard().includes('served'), 'the answer');
    clean.stream.destroy();
  });
});
