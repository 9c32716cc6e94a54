import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Claim, ClientName } from './claims.ts';
import { claimedClients, commandsOf, expectPrograms, heldClients, hold } from './holds.ts';
import { openMatrix, type EgressEvent, type Matrix } from './rig.ts';
import { findInside, shapesIn } from './secret.ts';
import { echoService, echoSocket, startUpstream, type Upstream } from './upstream.ts';

const HOST = 'api.matrix.test';
const SOCKET_HOST = 'socket.matrix.test';
const TOKEN = 'real/matrix+token~7f2c90d1e85b44a3=';
const SOCKET_TOKEN = 'real-matrix-socket-51bb08ce773a4f10';

let matrix: Matrix;
let upstream: Upstream;

beforeAll(async () => {
  matrix = await openMatrix(async ({ authority, scope }) => {
    upstream = scope.use(
      await startUpstream({
        identity: await authority.issue([HOST, SOCKET_HOST]),
        services: { [HOST]: echoService(TOKEN) },
        sockets: { [HOST]: echoSocket(TOKEN), [SOCKET_HOST]: echoSocket(SOCKET_TOKEN) },
      }),
    );
    return {
      lent: [
        { name: 'api', kind: 'bearer', host: `${HOST}:443`, secret: TOKEN, env: 'MATRIX_TOKEN' },
        {
          name: 'socket',
          kind: 'header:sec-websocket-protocol',
          host: `${SOCKET_HOST}:443`,
          secret: SOCKET_TOKEN,
          env: 'MATRIX_SOCKET_TOKEN',
        },
      ],
      routes: { [`${HOST}:443`]: upstream.port, [`${SOCKET_HOST}:443`]: upstream.port },
    };
  });
});
afterAll(async () => {
  await matrix.close();
});

/** How often a client is run at most until its program is named. */
const TURNS = 3;
const HEADER = '-H "Authorization: Bearer $MATRIX_TOKEN"';

type Run = {
  readonly client: ClientName;
  readonly script: (url: string) => string;
  /** What the timeline calls the program. */
  readonly program: RegExp;
};

const RUNS: readonly Run[] = [
  { client: 'curl', script: (url) => `curl -sS -i ${HEADER} ${url}`, program: /curl/ },
  {
    client: 'curl --http1.1',
    script: (url) => `curl -sS -i --http1.1 --compressed ${HEADER} ${url}`,
    program: /curl/,
  },
  {
    client: 'curl, without environment',
    script: (url) => `env -i /usr/bin/curl -sS -i ${HEADER} ${url}`,
    program: /curl/,
  },
  {
    client: 'wget',
    script: (url) => `wget -q -S -O - --header "Authorization: Bearer $MATRIX_TOKEN" ${url}`,
    program: /wget/,
  },
  {
    client: 'Python urllib',
    script: (url) => `python3 /opt/clients/urllib_client.py ${url}`,
    program: /urllib/,
  },
  {
    client: 'Python http.client',
    script: (url) => `python3 /opt/clients/http_client.py ${url}`,
    program: /http_client/,
  },
  {
    client: 'Python requests',
    script: (url) => `python3 /opt/clients/requests_client.py ${url}`,
    program: /requests/,
  },
  {
    client: 'Node fetch',
    script: (url) => `node /opt/clients/fetch.mjs ${url}`,
    program: /fetch\.mjs/,
  },
  {
    client: 'Node https',
    script: (url) => `node /opt/clients/https.mjs ${url}`,
    program: /https\.mjs/,
  },
  {
    client: 'Node http2',
    script: (url) => `node /opt/clients/http2.mjs ${url}`,
    program: /http2\.mjs/,
  },
  {
    client: 'undici',
    script: (url) => `node /opt/clients/undici.mjs ${url}`,
    program: /undici\.mjs/,
  },
  { client: 'Go net/http', script: (url) => `/opt/clients/go-client ${url}`, program: /go-client/ },
  {
    client: 'Java HttpClient',
    script: (url) => `java -cp /opt/clients Client ${url}`,
    program: /java/,
  },
  {
    client: 'Deno fetch',
    script: (url) => `deno run -A /opt/clients/fetch.mjs ${url}`,
    program: /deno/,
  },
  {
    client: 'Ruby net/http',
    script: (url) => `ruby /opt/clients/client.rb ${url}`,
    program: /ruby/,
  },
  { client: 'Perl LWP', script: (url) => `perl /opt/clients/client.pl ${url}`, program: /perl/ },
  { client: 'PHP streams', script: (url) => `php /opt/clients/client.php ${url}`, program: /php/ },
];

/** Runs one request of a client and holds all that is claimed of it; gives back its record. */
const once = async (
  claim: Claim,
  script: string,
  url: string,
): Promise<Pick<EgressEvent, 'program'>> => {
  const { pathname: path } = new URL(url);
  const ran = await matrix.inside.run(script);
  const said = ran.stdout + ran.stderr;
  expect(said).toContain(`"answer-to":"${path}"`);
  expect(ran.status).toBe(0);

  const arrived = upstream.seen.filter((seen) => seen.path === path);
  expect(arrived).toEqual([
    expect.objectContaining({ login: `Bearer ${TOKEN}`, protocol: claim.protocol }),
  ]);
  expect(shapesIn(said, TOKEN)).toEqual([]);
  const placeholder = (await matrix.inside.run('printf %s "$MATRIX_TOKEN"')).stdout;
  // Once in the header, once plainly in the body.
  expect(said.split(placeholder).length).toBeGreaterThan(2);

  const records = await matrix.egress((event) => event.path === path, 1);
  expect(records).toEqual([
    expect.objectContaining({
      verdict: 'allowed',
      credential: 'api',
      protocol: claim.protocol,
      status: 200,
      inspected: true,
    }),
  ]);
  expect(records[0]?.scrubbed).toBeGreaterThan(6);
  return records[0] ?? {};
};

describe('HTTP clients in a real sandbox, with nothing set up', () => {
  it.each(RUNS)('$client', async ({ client, script, program }) => {
    const claim = hold(client);
    const url = `https://${HOST}/${client.replaceAll(/\W+/g, '-')}`;
    const records: Pick<EgressEvent, 'program'>[] = [];
    // On a busy machine a program may be gone before it is asked for; then all is done once more.
    for (let turn = 1; turn <= TURNS && records.at(-1)?.program === undefined; turn += 1) {
      records.push(await once(claim, script(`${url}-${String(turn)}`), `${url}-${String(turn)}`));
    }
    expect(commandsOf(records).at(-1)).toMatch(program);
  });
});
describe('WebSocket clients', () => {
  it.each([
    { client: 'ws', host: HOST, secret: TOKEN, variable: 'MATRIX_TOKEN', file: 'ws.mjs' },
    {
      client: 'Node WebSocket',
      host: SOCKET_HOST,
      secret: SOCKET_TOKEN,
      variable: 'MATRIX_SOCKET_TOKEN',
      file: 'websocket.mjs',
    },
  ] as const)('$client', async ({ client, host, secret, variable, file }) => {
    const claim = hold(client);
    const path = `/${client.replaceAll(' ', '-')}`;
    const ran = await matrix.inside.run(`node /opt/clients/${file} wss://${host}${path}`);
    expect(ran.stdout).toContain('a text message');
    expect(ran.stdout).toContain('a binary message');
    const arrived = upstream.seen.filter((seen) => seen.path === path);
    expect(arrived).toHaveLength(1);
    expect(arrived[0]?.protocol).toBe(claim.protocol);
    expect([arrived[0]?.login, ...(arrived[0]?.subprotocols ?? [])]).toContain(
      host === HOST ? `Bearer ${secret}` : secret,
    );
    expect(shapesIn(ran.stdout + ran.stderr, secret)).toEqual([]);
    const placeholder = (await matrix.inside.run(`printf %s "$${variable}"`)).stdout;
    expect(ran.stdout).toContain(placeholder);
    const records = await matrix.egress((event) => event.path === path, 1);
    expect(records).toEqual([
      expect.objectContaining({ verdict: 'allowed', protocol: claim.protocol, status: 101 }),
    ]);
    expect(records[0]?.scrubbed).toBeGreaterThan(0);
    expectPrograms(records, new RegExp(file));
  });
});

describe('afterwards', () => {
  it('Java’s own tool takes the authorities that the session brought', async () => {
    const { stdout } = await matrix.inside.run(
      'keytool -list -cacerts -storepass changeit | grep -c trustedCertEntry; grep -c BEGIN $SSL_CERT_FILE',
    );
    const [inStore, inBundle] = stdout.trim().split('\n');
    expect(Number(inStore)).toBeGreaterThan(0);
    expect(inStore).toBe(inBundle);
  });

  it('neither secret is anywhere inside, where a search finds what is there', async () => {
    const there = 'a-word-that-is-there-5b0c2c7e';
    await matrix.inside.run(`printf %s ${there} > /tmp/there`);
    const control = await matrix.inside.run(findInside([there]));
    expect(control.stdout).toContain('/tmp/there');
    const { stdout } = await matrix.inside.run(findInside([TOKEN, SOCKET_TOKEN]));
    expect(stdout.trim()).toBe('found: []');
  });

  it('every claim about this family was held', () => {
    expect(heldClients()).toEqual(claimedClients('http'));
  });
});
