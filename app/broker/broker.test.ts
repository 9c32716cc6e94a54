import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRig,
  createTestAuthority,
  listenTls,
  SECRET,
  type Rig,
  type Upstream,
} from './testing/setup.ts';

describe('a broker on its link', () => {
  let rig: Rig;
  let upstream: Upstream;
  const seen: { headers: Record<string, unknown>; url: string }[] = [];

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(authority, ['api.test'], (request, response) => {
      seen.push({ headers: request.headers, url: request.url ?? '' });
      response.end(`hello ${request.headers.authorization ?? ''}`);
    });
    rig = await createRig({
      authority,
      allow: ['api.test'],
      resolve: [`api.test:443:127.0.0.1:${String(upstream.port)}`],
      grants: [{ kind: 'bearer', hosts: ['api.test:443'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  it('forwards a request, swaps the placeholder and scrubs the echo', async () => {
    const placeholder = rig.grants[0]?.placeholder ?? '';
    const answer = await rig.fetch('https://api.test/v1/x?y=1', {
      headers: { authorization: `Bearer ${placeholder}` },
    });
    expect(answer.status).toBe(200);
    expect(seen[0]?.headers['authorization']).toBe(`Bearer ${SECRET}`);
    expect(answer.text).toBe(`hello Bearer ${placeholder}`);
    const [record] = await rig.egress(1);
    expect(record).toMatchObject({
      verdict: 'allowed',
      host: 'api.test',
      port: 443,
      path: '/v1/x?y=1',
      status: 200,
      credential: 'cred-0',
      scrubbed: 1,
      firstSeen: true,
      address: '127.0.0.1',
    });
  });
});
