import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret, unwrap } from '../kit/index.ts';
import { buildGrant, type GrantFile } from '../policy/index.ts';
import { grantFiles } from '../session/grant-files.ts';
import type { HeaderPairs } from './process/inject.ts';
import { readJwt, signRs256, writeJwt } from './process/mediators/jwt.ts';
import { JWT_BEARER } from './process/mediators/tokens.ts';
import { signForAws, type AwsAsk, type AwsKeys } from './testing/aws-signer.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, listenTls, type Answer, type Rig, type Upstream } from './testing/setup.ts';

const REAL_KEYS: AwsKeys = {
  accessKeyId: 'AKIAREALREALREALREAL',
  secretAccessKey: 'realREAL/real+REALrealREALrealREALreal01',
};
const REFRESH = 'real-refresh-token-0123456789';
const ACCESS = 'ya29.real-access-token-0123456789abcdef';
const CLIENT_SECRET = 'real/client+secret~0123456789=';
const EMAIL = 'bot@project.iam.gserviceaccount.com';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

type Seen = {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly pairs: HeaderPairs;
  body: Buffer;
};

/** Stands for every service at once: remembers each request, and hands out tokens. */
const createServices = () => {
  const seen: Seen[] = [];
  let next = ACCESS;
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { rawHeaders, method = '', url = '', headers } = request;
    const pairs = rawHeaders.flatMap((name, at): [string, string][] =>
      at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : [],
    );
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      seen.push({ method, url, host: headers.host ?? '', pairs, body });
      if (url === '/token') {
        const refreshed = body.toString().includes('rotate') ? `${REFRESH}-next` : undefined;
        const answer = gzipSync(
          JSON.stringify({ access_token: next, expires_in: 3600, refresh_token: refreshed }),
        );
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
          .end(answer);
      } else if (url === '/said') {
        response
          .writeHead(200, `OK ${next}`, { 'x-note': next })
          .end(JSON.stringify({ access_token: next, note: `again ${next}` }));
      } else if (url === '/echo') {
        const said = `${String(headers.authorization)} ${body.toString()}`;
        response.writeHead(400).end(JSON.stringify({ error: 'invalid', error_description: said }));
      } else if (url === '/broken') {
        response.writeHead(200, { 'content-type': 'text/plain' }).end(`token=${ACCESS}`);
      } else {
        response.end(`you sent ${headers.authorization ?? 'nothing'}`);
      }
    });
  };
  return {
    seen,
    listener,
    last: (): Seen => {
      const found = seen.at(-1);
      if (found === undefined) throw new Error('nothing arrived');
      return found;
    },
    grantToken: (token: string): void => {
      next = token;
    },
  };
};

describe('credentials that are not put in but made anew', () => {
  const services = createServices();
  const real = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const oauth = (uri: string): string =>
    JSON.stringify({ token_uri: uri, client_id: 'client', refresh_token: REFRESH });
  const account = JSON.stringify({
    type: 'service_account',
    private_key_id: 'real-key-id',
    private_key: real.privateKey,
    client_email: EMAIL,
    token_uri: 'https://accounts.test/token',
  });
  const echoAccount = account
    .replace(EMAIL, `echo-${EMAIL}`)
    .replace('https://accounts.test/token', 'https://accounts.test/echo');
  const names = ['s3.aws.test', 'auth.test', 'accounts.test', 'api.test', 'pubsub.google.test'];
  let rig: Rig;
  let upstream: Upstream;
  let keyFile: GrantFile;
  let echoKeyFile: GrantFile;

  const placeholder = (at: number, part = 0): string =>
    rig.grants[at]?.parts[part]?.placeholder ?? '';
  const insideKeys = (): AwsKeys => ({
    accessKeyId: placeholder(0, 0),
    secretAccessKey: placeholder(0, 1),
  });
  const callAws = async (ask: AwsAsk): Promise<Answer> => {
    const headers = (await signForAws(ask, insideKeys())).filter(([name]) => name !== 'host');
    return rig.fetch(ask.url, {
      method: ask.method ?? 'GET',
      headers: headers.flat(),
      ...(ask.body === undefined ? {} : { body: ask.body }),
    });
  };
  const valueOf = ({ pairs }: Seen, name: string): string | undefined =>
    pairs.find(([other]) => other.toLowerCase() === name)?.[1];

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(authority, names, services.listener);
    const made = unwrap(
      buildGrant({ name: 'cred-2', kind: 'google-service-account', hosts: [], addedAt: '' }, [
        '*.google.test:443',
      ]),
    );
    const [file] = await grantFiles(made, new Secret(account));
    if (file === undefined) throw new Error('no key file');
    keyFile = file;
    const echoFiles = await grantFiles(made, new Secret(echoAccount));
    echoKeyFile = echoFiles[0] ?? file;
    rig = await createRig({
      authority,
      allow: names,
      resolve: names.map((name) => `${name}:443:127.0.0.1:${String(upstream.port)}`),
      grants: [
        {
          kind: 'aws',
          hosts: ['s3.aws.test:443'],
          secret: `${REAL_KEYS.accessKeyId}:${REAL_KEYS.secretAccessKey}`,
        },
        {
          kind: 'oauth-refresh',
          hosts: ['api.test:443'],
          secret: oauth('https://auth.test/token'),
        },
        {
          kind: 'google-service-account',
          hosts: ['*.google.test:443'],
          secret: account,
          files: [file],
        },
        {
          kind: 'oauth-refresh',
          hosts: ['api.test:443'],
          secret: oauth('https://auth.test/broken'),
        },
        {
          kind: 'oauth-refresh',
          hosts: ['api.test:443'],
          secret: oauth('https://auth.test/said'),
        },
        {
          kind: 'oauth-refresh',
          hosts: ['api.test:443'],
          secret: JSON.stringify({
            token_uri: 'https://auth.test/echo',
            client_id: 'client',
            client_secret: CLIENT_SECRET,
            refresh_token: REFRESH,
          }),
        },
        {
          kind: 'google-service-account',
          hosts: ['*.google.test:443'],
          secret: echoAccount,
          files: echoFiles,
        },
      ],
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  it.each<AwsAsk>([
    { url: 'https://s3.aws.test/b/k%20%281%29?versionId=3', headers: { range: 'bytes=0-9' } },
    { url: 'https://s3.aws.test/b/k', method: 'PUT', body: 'x'.repeat(100_000) },
    { url: 'https://s3.aws.test/', method: 'POST', service: 'sqs', body: 'Action=ListQueues' },
  ])('a request for AWS arrives as the real pair would have signed it', async (ask) => {
    const at = Math.floor(Date.now() / 1000) * 1000;
    expect((await callAws({ ...ask, at })).status).toBe(200);
    const arrived = services.last();
    expect(arrived.body.toString()).toBe(ask.body?.toString() ?? '');
    const expected = await signForAws({ ...ask, at }, REAL_KEYS);
    const authorization = expected.find(([name]) => name === 'authorization')?.[1];
    expect(valueOf(arrived, 'authorization')).toBe(authorization);
    expect(valueOf(arrived, 'range')).toBe(ask.headers?.['range']);
  });

  it('an echo of the real pair’s id comes back as the placeholder’s', async () => {
    const { text } = await callAws({ url: 'https://s3.aws.test/b/k' });
    expect(text).toContain(placeholder(0));
    expect(text).not.toContain(REAL_KEYS.accessKeyId);
  });

  it('a request with a stolen id alone never arrives', async () => {
    const before = services.seen.length;
    const headers = await signForAws(
      { url: 'https://s3.aws.test/b/k' },
      { ...insideKeys(), secretAccessKey: 'guessed' },
    );
    const answer = await rig.fetch('https://s3.aws.test/b/k', {
      headers: headers.filter(([name]) => name !== 'host').flat(),
    });
    expect(answer.headers['glovebox-code']).toBe('aws.bad-signature');
    expect(services.seen).toHaveLength(before);
  });

  it('either half of a placeholder pair trips elsewhere', async () => {
    for (const part of [0, 1]) {
      const answer = await rig.fetch('https://api.test/', {
        method: 'POST',
        body: `note=${placeholder(0, part)}`,
      });
      expect(answer.headers['glovebox-code']).toBe('grant.wrong-host');
    }
  });

  it('a placeholder in a compressed body is found before the request is signed anew', async () => {
    const before = services.seen.length;
    for (const url of ['https://s3.aws.test/b/k', 'https://s3.aws.test/']) {
      const answer = await callAws({
        url,
        method: 'PUT',
        // The one says the hash of its body in a header, the other leaves it to the body.
        service: url.endsWith('k') ? 's3' : 'sqs',
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(`note=${placeholder(0, 1)}`),
      });
      expect(answer.headers['glovebox-code']).toBe('grant.wrong-place');
    }
    expect(services.seen).toHaveLength(before);
  });

  const refresh = (more = ''): Promise<Answer> =>
    rig.fetch('https://auth.test/token', {
      method: 'POST',
      headers: FORM,
      body: `grant_type=refresh_token&refresh_token=${placeholder(1)}&client_id=client${more}`,
    });

  it('a refresh brings an access token that is good at its host and nowhere else', async () => {
    services.grantToken(ACCESS);
    const answer = await refresh();
    expect(services.last().body.toString()).toContain(`refresh_token=${REFRESH}`);
    const { access_token: token } = JSON.parse(answer.text) as { access_token: string };
    expect(answer.text).not.toContain('real');
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    expect(token).toMatch(/^ya29\./);
    const headers = { authorization: `Bearer ${token}` };
    const used = await rig.fetch('https://api.test/v1', { headers });
    expect(valueOf(services.last(), 'authorization')).toBe(`Bearer ${ACCESS}`);
    expect(used.text).toBe(`you sent Bearer ${token}`);
    const other = await rig.fetch('https://pubsub.google.test/', { headers });
    expect(other.headers['glovebox-code']).toBe('grant.wrong-host');
    const find = () =>
      rig.events.find(
        (event) => event.kind === 'egress' && event.host === 'auth.test' && event.path === '/token',
      );
    await rig.until(() => find() !== undefined, 'the record');
    expect(find()).toMatchObject({ verdict: 'allowed', credential: 'cred-1', status: 200 });
  });

  it('a new refresh token goes to the host, and the sandbox keeps its own', async () => {
    const answer = await refresh('&rotate=1');
    expect(JSON.parse(answer.text)).toMatchObject({ refresh_token: placeholder(1) });
    await rig.until(() => rig.rotated.length > 0, 'the new refresh token');
    const [name, ...secret] = (rig.rotated[0] ?? '').split(' ');
    expect(name).toBe('cred-1');
    expect(JSON.parse(secret.join(' '))).toEqual({
      token_uri: 'https://auth.test/token',
      client_id: 'client',
      refresh_token: `${REFRESH}-next`,
    });
    await refresh();
    expect(services.last().body.toString()).toContain(`refresh_token=${REFRESH}-next`);
  });

  it('an answer that cannot be read is not passed on', async () => {
    const answer = await rig.fetch('https://auth.test/broken', {
      method: 'POST',
      headers: FORM,
      body: `grant_type=refresh_token&refresh_token=${placeholder(3)}`,
    });
    expect(answer.headers['glovebox-code']).toBe('oauth.unreadable');
    expect(answer.text).not.toContain(ACCESS);
  });

  it('a new token is taken out wherever its own answer repeats it', async () => {
    services.grantToken(`ya29.said-${ACCESS.slice(10)}`);
    const answer = await rig.fetch('https://auth.test/said', {
      method: 'POST',
      headers: FORM,
      body: `grant_type=refresh_token&refresh_token=${placeholder(4)}`,
    });
    const { access_token: token, note } = JSON.parse(answer.text) as Record<string, string>;
    expect(note).toBe(`again ${String(token)}`);
    expect(answer.reason).toBe(`OK ${String(token)}`);
    expect(answer.headers['x-note']).toBe(token);
  });

  it('a refresh token’s placeholder goes to no other endpoint', async () => {
    const before = services.seen.length;
    const answer = await rig.fetch('https://accounts.test/token', {
      method: 'POST',
      headers: FORM,
      body: `grant_type=refresh_token&refresh_token=${placeholder(1)}`,
    });
    expect(answer.headers['glovebox-code']).toBe('grant.wrong-host');
    expect(services.seen).toHaveLength(before);
  });

  const jwt = (claims: Readonly<Record<string, unknown>>, file = keyFile): string => {
    const { private_key: key } = JSON.parse(file.content) as { private_key: string };
    const now = Math.floor(Date.now() / 1000);
    const sign = signRs256(key as never);
    return writeJwt(
      { alg: 'RS256', typ: 'JWT', kid: placeholder(2) },
      { iss: EMAIL, iat: now, exp: now + 3600, ...claims },
      sign,
    );
  };
  const isReal = (token: string): boolean => {
    const read = readJwt(token);
    const key = createPublicKey(real.publicKey);
    return (
      read !== undefined && verify('sha256', Buffer.from(read.signingInput), key, read.signature)
    );
  };

  it('a service account’s key file inside gets real tokens outside', async () => {
    services.grantToken(`${ACCESS}-2`);
    const assertion = jwt({ scope: 'x', aud: 'https://accounts.test/token' });
    const answer = await rig.fetch('https://accounts.test/token', {
      method: 'POST',
      headers: FORM,
      body: new URLSearchParams({ grant_type: JWT_BEARER, assertion }).toString(),
    });
    const sent = new URLSearchParams(services.last().body.toString()).get('assertion') ?? '';
    expect(isReal(assertion)).toBe(false);
    expect(isReal(sent)).toBe(true);
    const { access_token: token } = JSON.parse(answer.text) as { access_token: string };
    await rig.fetch('https://pubsub.google.test/', {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(valueOf(services.last(), 'authorization')).toBe(`Bearer ${ACCESS}-2`);
  });

  it('a service account’s own token is signed anew on its way', async () => {
    const token = jwt({ sub: EMAIL, aud: 'https://pubsub.google.test/' });
    const answer = await rig.fetch('https://pubsub.google.test/v1', {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    expect(isReal(valueOf(services.last(), 'authorization')?.slice(7) ?? '')).toBe(true);
    // What it was signed as is as good as the key for an hour, and the server gives it back.
    const [echoed = ''] = /\S+$/.exec(answer.text) ?? [];
    expect(readJwt(echoed)?.claims['iss']).toBe(EMAIL);
    expect(isReal(echoed)).toBe(false);
  });

  it('an assertion that was made anew does not come back', async () => {
    const claims = { iss: `echo-${EMAIL}`, scope: 'x', aud: 'https://accounts.test/echo' };
    const assertion = jwt(claims, echoKeyFile);
    const answer = await rig.fetch('https://accounts.test/echo', {
      method: 'POST',
      headers: FORM,
      body: new URLSearchParams({ grant_type: JWT_BEARER, assertion }).toString(),
    });
    const sent = new URLSearchParams(services.last().body.toString()).get('assertion') ?? '';
    expect(isReal(sent)).toBe(true);
    const [echoed = ''] = /[\w-]+\.[\w-]+\.[\w-]+/.exec(answer.text) ?? [];
    expect(readJwt(echoed)?.claims).toMatchObject(claims);
    expect(isReal(echoed)).toBe(false);
  });

  it('a client’s secret does not come back as it was written for its login', async () => {
    const login = Buffer.from(`client:${placeholder(5, 1)}`).toString('base64');
    const answer = await rig.fetch('https://auth.test/echo', {
      method: 'POST',
      headers: { ...FORM, authorization: `Basic ${login}` },
      body: `grant_type=refresh_token&refresh_token=${placeholder(5)}`,
    });
    const basic = (text: string): string =>
      Buffer.from(/Basic (\S+)/.exec(text)?.[1] ?? '', 'base64').toString();
    expect(basic(valueOf(services.last(), 'authorization') ?? '')).toBe(
      `client:${encodeURIComponent(CLIENT_SECRET)}`,
    );
    expect(answer.status).toBe(400);
    expect(decodeURIComponent(basic(answer.text))).not.toContain(CLIENT_SECRET.slice(4, -4));
  });
});
