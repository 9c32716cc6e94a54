import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, verify } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost, type TestHost } from '../../e2e/fixtures/host.ts';
import { openInside, requestFor, type Inside } from '../../e2e/fixtures/inside.ts';
import { createTestProject } from '../../e2e/fixtures/project.ts';
import { createTestAuthority } from '../../e2e/upstreams/authority.ts';
import { Secret, unwrap } from '../kit/index.ts';
import { readJwt } from './process/mediators/jwt.ts';
import { readSigv4Header } from './process/mediators/sigv4-header.ts';
import { createForge } from './testing/git-forge.ts';

const FORGE = 'forge.example.test';
const AWS = 's3.example.test';
const AUTH = 'auth.example.test';
const API = 'api.example.test';
const ACCOUNTS = 'accounts.example.test';
/** Where npm looks by itself. */
const NPM = 'registry.npmjs.org';
const NAMES = [FORGE, AWS, AUTH, API, ACCOUNTS, NPM];

const TOKEN = 'ghp_realrealrealrealreal0123456789abcd';
const NPM_TOKEN = 'npm_realrealrealrealrealrealreal01234567';
const AWS_ID = 'AKIAREALREALREALREAL';
const AWS_KEY = 'realREAL/real+REALrealREALrealREALreal01';
const REFRESH = 'real-refresh-token-0123456789';
const ACCESS = 'real-access-token-0123456789abcdef';
const EMAIL = 'bot@project.iam.gserviceaccount.com';

type Seen = { readonly host: string; readonly authorization: string; readonly body: string };

let test: TestHost;
let inside: Inside;
const seen: Seen[] = [];
const account = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

/** Stands for all services but the forge: remembers, hands out tokens, and echoes what logged in. */
const services = (request: IncomingMessage, response: ServerResponse): void => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const { host = '', authorization = '' } = request.headers;
    const body = Buffer.concat(parts).toString();
    seen.push({ host, authorization, body });
    if (request.url === '/token') {
      const rotated = host === AUTH ? { refresh_token: `${REFRESH}-next` } : {};
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ access_token: ACCESS, expires_in: 3600, ...rotated }));
    } else if (request.url === '/-/whoami') response.end('{"username":"me"}');
    else response.end(`you sent ${authorization}`);
  });
};

const lastOf = (host: string): Seen => {
  const found = seen.findLast((one) => one.host === host);
  if (found === undefined) throw new Error(`${host} saw nothing`);
  return found;
};

beforeAll(async () => {
  test = await startTestHost();
  const { scope, host } = test;
  const folder = scope.use(createTestFolder('gbx-forge-'));
  const project = scope.use(createTestProject());
  const authority = await createTestAuthority();
  folder.write({ 'ca.pem': authority.certificate });
  const bare = join(folder.path, 'forge', 'me', 'work.git');
  execFileSync('git', ['clone', '-q', '--bare', project.path, bare]);
  execFileSync('git', ['config', 'http.receivepack', 'true'], { cwd: bare });
  const forge = createForge(join(folder.path, 'forge'), TOKEN);
  const { certificate: cert, key } = await authority.issue(NAMES);
  const server = createServer({ cert, key }, (request, response) => {
    if (request.headers.host === FORGE) forge.listener(request, response);
    else services(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.closeAllConnections());
  scope.use({ close: () => void server.close() });
  const { port } = server.address() as AddressInfo;
  const lend = async (name: string, kind: string, at: string, secret: string): Promise<void> => {
    const hosts = [`${at}:443`];
    unwrap(await host.vault.add({ name, kind, hosts, secret: new Secret(secret) }));
  };
  await lend('forge', 'github', FORGE, TOKEN);
  await lend('packages', 'npm', NPM, NPM_TOKEN);
  await lend('cloud', 'aws', AWS, `${AWS_ID}:${AWS_KEY}`);
  await lend(
    'login',
    'oauth-refresh',
    API,
    JSON.stringify({ token_uri: `https://${AUTH}/token`, client_id: 'me', refresh_token: REFRESH }),
  );
  await lend(
    'robot',
    'google-service-account',
    API,
    JSON.stringify({
      type: 'service_account',
      private_key_id: 'real-key-id',
      private_key: account.privateKey,
      client_email: EMAIL,
      token_uri: `https://${ACCOUNTS}/token`,
    }),
  );
  inside = scope.use(
    await openInside(
      host,
      requestFor(project.path, {
        grants: ['forge', 'packages', 'cloud', 'login', 'robot'].map((credential) => ({
          credential,
        })),
        network: {
          default: 'deny',
          presets: [],
          allow: [],
          deny: [],
          git: [`allow push ${FORGE}/me/work branch agent/*`],
          resolve: NAMES.map((name) => `${name}:443:127.0.0.1:${String(port)}`),
          upstreamCa: join(folder.path, 'ca.pem'),
        },
      }),
    ),
  );
});
afterAll(async () => {
  await test.scope.close();
});

describe('in a real sandbox, with nothing set up', () => {
  it('git clones and pushes to a private repository, and is told what it may not', async () => {
    const ran = await inside.run(`
      cd /tmp && git clone -q https://${FORGE}/me/work.git && cd work || exit 9
      git config user.name a && git config user.email a@example.com
      echo more > more && git add more && git commit -qm more
      git push -q origin HEAD:agent/one && echo PUSHED
      git push origin HEAD:main; echo "status $?"
      git ls-remote origin`);
    expect(ran.stdout).toContain('PUSHED');
    expect(ran.stdout).toContain('status 1');
    expect(ran.stdout).toContain('refs/heads/agent/one');
    expect(ran.stderr).toMatch(/remote: .*refs\/heads\/main.*git\.push-denied/);
  });

  it('curl signs for AWS with the pair in its variables', async () => {
    const ran = await inside.run(
      `curl -sS --aws-sigv4 aws:amz:eu-west-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" https://${AWS}/bucket/key; echo; echo "$AWS_ACCESS_KEY_ID"`,
    );
    const [echo = '', id = ''] = ran.stdout.trim().split('\n');
    expect(id).toMatch(/^AKIA/);
    // What the service says back names the sandbox's own id again.
    expect(echo).toContain(`Credential=${id}/`);
    const header = unwrap(readSigv4Header(lastOf(AWS).authorization));
    expect(header.accessKeyId).toBe(AWS_ID);
  });

  it('npm logs in to its registry', async () => {
    const ran = await inside.run('npm whoami');
    expect(ran.stdout.trim()).toBe('me');
    expect(lastOf(NPM).authorization).toBe(`Bearer ${NPM_TOKEN}`);
  });

  it('a refresh token brings an access token, and the new one is stored outside', async () => {
    const ran = await inside.run(`
      file=/etc/glovebox/credentials/login.json
      answer=$(curl -sS https://${AUTH}/token -d grant_type=refresh_token \\
        -d client_id="$(jq -r .client_id $file)" -d refresh_token="$(jq -r .refresh_token $file)")
      curl -sS -H "Authorization: Bearer $(jq -r .access_token <<< "$answer")" https://${API}/v1
      echo; echo "$answer"`);
    expect(lastOf(AUTH).body).toContain(`refresh_token=${REFRESH}`);
    expect(lastOf(API).authorization).toBe(`Bearer ${ACCESS}`);
    expect(ran.stdout).toContain('you sent Bearer ');
    expect(ran.stdout).not.toContain('real-');
    const stored = async (): Promise<string> =>
      unwrap(await test.host.vault.reveal('login')).secret.expose();
    await expect.poll(stored, { timeout: 20_000 }).toContain(`${REFRESH}-next`);
  });

  it('a service account’s key file signs for a token', async () => {
    const ran = await inside.run(`
      file=$GOOGLE_APPLICATION_CREDENTIALS
      b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
      now=$(date +%s)
      head=$(printf '{"alg":"RS256","typ":"JWT"}' | b64)
      claims=$(jq -c "{iss: .client_email, scope: \\"x\\", aud: .token_uri, iat: $now, exp: ($now + 3600)}" $file | b64)
      jq -r .private_key $file > /tmp/key.pem
      sign=$(printf %s "$head.$claims" | openssl dgst -sha256 -sign /tmp/key.pem | b64)
      curl -sS "$(jq -r .token_uri $file)" -d assertion="$head.$claims.$sign" \\
        --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer`);
    expect(ran.stdout).toMatch(/"access_token":"[\w-]{32,}"/);
    expect(ran.stdout).not.toContain('real-');
    const sent = new URLSearchParams(lastOf(ACCOUNTS).body).get('assertion') ?? '';
    const jwt = readJwt(sent);
    expect(jwt?.claims['iss']).toBe(EMAIL);
    const input = Buffer.from(jwt?.signingInput ?? '');
    expect(verify('sha256', input, account.publicKey, jwt?.signature ?? Buffer.alloc(0))).toBe(
      true,
    );
  });

  it('none of the real values is anywhere inside', async () => {
    const ran = await inside.run(
      `env; cat ~/.npmrc /etc/glovebox/credentials/*; git config --list; cat /tmp/work/.git/config`,
    );
    for (const secret of [TOKEN, NPM_TOKEN, AWS_ID, AWS_KEY, REFRESH, ACCESS, 'real-key-id'])
      expect(ran.stdout).not.toContain(secret);
    expect(ran.stdout).not.toContain(account.privateKey.slice(100, 140));
  });
});
