import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost, type TestHost } from '../../e2e/fixtures/host.ts';
import { openInside, requestFor, type Inside } from '../../e2e/fixtures/inside.ts';
import { createTestProject } from '../../e2e/fixtures/project.ts';
import { settledEvents } from '../../e2e/fixtures/settled.ts';
import { createTestAuthority } from '../../e2e/upstreams/authority.ts';
import { buildPostgresImage, psqlArchive, startPostgres } from '../../e2e/upstreams/postgres.ts';
import {
  startRecordingServer,
  type RecordingServer,
} from '../../e2e/upstreams/recording-server.ts';
import type { TimelineEvent } from '../contract/index.ts';
import { findEngine } from '../engine/index.ts';
import { Secret, unwrap } from '../kit/index.ts';

const IMAGES = join(import.meta.dirname, '..', '..', 'sandbox-images');
const PASSWORD = 'real-database-password-7f2c90';
const TOKEN = 'real-token-of-the-web-server-51bb08';
const DB = 'db.example.test';
const PLAIN_DB = 'plain-db.example.test';
const STRANGER_DB = 'stranger-db.example.test';
const WEB = 'web.example.test';
const PINNED = 'pinned.example.test';
const RAW = 'raw.example.test';
const PROXY = 'proxy.glovebox.internal';

let test: TestHost;
let inside: Inside;
let web: RecordingServer;
let rawPeers = 0;

type EgressEvent = Extract<TimelineEvent, { kind: 'egress' }>;

/** What is on record about a host, once that is `enough`. */
const egressTo = async (
  host: string,
  enough: (records: readonly EgressEvent[]) => boolean = ({ length }) => length > 0,
): Promise<readonly EgressEvent[]> => {
  const toHost = (events: readonly TimelineEvent[]): readonly EgressEvent[] =>
    events.filter((event): event is EgressEvent => event.kind === 'egress' && event.host === host);
  return toHost(await settledEvents(test.host, inside.session, (events) => enough(toHost(events))));
};

const some =
  (code: string) =>
  (records: readonly EgressEvent[]): boolean =>
    records.some((record) => record.code === code);

beforeAll(async () => {
  test = await startTestHost();
  const { scope, host } = test;
  const engine = unwrap(
    await findEngine({ installId: 'images', env: test.env, imagesFolder: IMAGES }, scope),
  );
  const { sandbox } = unwrap(await engine.ensureImages('shell', () => undefined, scope.signal));
  const image = buildPostgresImage(sandbox);
  const authority = await createTestAuthority();
  const stranger = await createTestAuthority('Stranger');
  const server = { image, password: PASSWORD, encrypted: true };
  const [database, plainDatabase, strangerDatabase] = await Promise.all([
    startPostgres({ ...server, identity: await authority.issue([DB]) }),
    startPostgres({ ...server, identity: await authority.issue([DB]), encrypted: false }),
    startPostgres({ ...server, identity: await stranger.issue([STRANGER_DB]) }),
  ]);
  for (const one of [database, plainDatabase, strangerDatabase]) scope.use(one);
  web = scope.use(await startRecordingServer({ identity: await authority.issue([WEB]) }));
  const pinned = scope.use(
    await startRecordingServer({ identity: await stranger.issue([PINNED]) }),
  );
  const raw = createServer({ allowHalfOpen: true }, (socket) => {
    rawPeers += 1;
    let heard = 0;
    socket.on('error', () => undefined);
    socket.write('welcome');
    socket.on('data', (part: Buffer) => {
      heard += part.length;
      if (part.includes('reset')) socket.resetAndDestroy();
    });
    socket.on('end', () => socket.end(`heard ${String(heard)}`));
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  scope.use({ close: () => void raw.close() });
  const rawPort = (raw.address() as AddressInfo).port;
  const folder = scope.use(createTestFolder('gbx-ca-'));
  const caFile = join(folder.path, 'ca.pem');
  writeFileSync(caFile, authority.certificate);
  const hosts = [DB, PLAIN_DB, STRANGER_DB].map((name) => `${name}:5432`);
  unwrap(
    await host.vault.add({ name: 'data', kind: 'postgres', hosts, secret: new Secret(PASSWORD) }),
  );
  unwrap(
    await host.vault.add({
      name: 'web',
      kind: 'bearer',
      hosts: [`${WEB}:443`],
      env: 'WEB_TOKEN',
      secret: new Secret(TOKEN),
    }),
  );
  const project = scope.use(createTestProject());
  mkdirSync(join(project.path, 'tools'));
  execFileSync('tar', ['-x', '-C', join(project.path, 'tools')], { input: psqlArchive(image) });
  inside = scope.use(
    await openInside(
      host,
      requestFor(project.path, {
        grants: [{ credential: 'data' }, { credential: 'web' }],
        network: {
          default: 'deny',
          presets: [],
          allow: ['raw-db.example.test:5432', `${RAW}:7000`],
          deny: [],
          passThrough: [PINNED],
          resolve: [
            `${DB}:5432:127.0.0.1:${String(database.port)}`,
            `${PLAIN_DB}:5432:127.0.0.1:${String(plainDatabase.port)}`,
            `${STRANGER_DB}:5432:127.0.0.1:${String(strangerDatabase.port)}`,
            `raw-db.example.test:5432:127.0.0.1:${String(database.port)}`,
            `${RAW}:7000:127.0.0.1:${String(rawPort)}`,
            `${RAW}:7001:127.0.0.1:${String(rawPort)}`,
            `raw-other.example.test:7000:127.0.0.1:${String(rawPort)}`,
            `${WEB}:443:127.0.0.1:${String(web.port)}`,
            `${PINNED}:443:127.0.0.1:${String(pinned.port)}`,
          ],
          upstreamCa: caFile,
        },
      }),
    ),
  );
});
afterAll(async () => {
  await test.scope.close();
});

/** Runs psql inside; `settings` are further variables of libpq. */
const psql = (sql: string, settings: Readonly<Record<string, string>> = {}) => {
  const env = {
    PGHOST: DB,
    PGUSER: 'scram_user',
    PGDATABASE: 'postgres',
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: '/etc/ssl/certs/ca-certificates.crt',
    PGCONNECT_TIMEOUT: '20',
    LD_LIBRARY_PATH: '$PWD/tools/psql',
    ...settings,
  };
  const words = Object.entries(env).map(([name, value]) => `${name}="${value}"`);
  return inside.run(`env ${words.join(' ')} tools/psql/psql -X -A -t -c ${JSON.stringify(sql)}`);
};

describe('PostgreSQL with a granted password, from psql in a real sandbox', () => {
  it.each([
    ['SCRAM bound to the certificate', { PGCHANNELBINDING: 'require' }, 'scram_user'],
    ['SCRAM without TLS inside', { PGSSLMODE: 'disable' }, 'scram_user'],
    ['MD5', { PGUSER: 'md5_user' }, 'md5_user'],
    ['the password itself, over TLS', { PGUSER: 'clear_user' }, 'clear_user'],
  ])('logs in with %s, encrypted upstream', async (_how, settings, user) => {
    const { stdout, stderr, status } = await psql(
      'SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      settings,
    );
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe(`${user}|t`);
    expect(status).toBe(0);
  });

  it('carries large results whole', async () => {
    const { stdout } = await psql('SELECT sum(length(filler)) FROM harmless; TABLE harmless');
    expect(stdout.length).toBeGreaterThan(5_000_000);
    expect(stdout).toContain('5000|');
  });

  it('logs in without encryption only where the address was named', async () => {
    const { stdout } = await psql('SELECT current_user', { PGHOST: PLAIN_DB });
    expect(stdout.trim()).toBe('scram_user');
    const refused = await psql('SELECT 1', { PGHOST: PLAIN_DB, PGUSER: 'clear_user' });
    expect(refused.stderr).toContain('grant.cleartext');
  });

  it('says why it does not log in', async () => {
    const wrong = await psql('SELECT 1', { PGPASSWORD: 'a-guess' });
    expect(wrong.stderr).toContain('grant.wrong-password');
    const other = await psql('SELECT 1', { PGPASSWORD: '$WEB_TOKEN' });
    expect(other.stderr).toContain('grant.wrong-host');
    const unverified = await psql('SELECT 1', { PGHOST: STRANGER_DB });
    expect(unverified.stderr).toContain('egress.upstream-unverified');
    const nobody = await psql('SELECT 1', { PGUSER: 'nobody' });
    expect(nobody.stderr).toContain('password authentication failed for user "nobody"');
    const nowhere = await psql('SELECT 1', { PGDATABASE: 'nowhere' });
    expect(nowhere.stderr).toContain('database "nowhere" does not exist');
    for (const { stderr } of [wrong, other, unverified, nobody, nowhere]) {
      expect(stderr).not.toContain(PASSWORD);
    }
  });

  it('cancels a query, and only one of this session', async () => {
    const started = performance.now();
    const { stderr } = await inside.run(
      `export PGHOST=${DB} PGUSER=scram_user PGDATABASE=postgres PGSSLMODE=require LD_LIBRARY_PATH=$PWD/tools/psql
       tools/psql/psql -X -c 'SELECT pg_sleep(30)' & sleep 2; while kill -INT $!; do sleep 2; done 2>/dev/null; wait $!`,
    );
    expect(stderr).toContain('canceling statement due to user request');
    expect(performance.now() - started).toBeLessThan(20_000);
    const { stdout } = await inside.run(
      `python3 - <<'END'
import socket, struct
s = socket.create_connection(('${DB}', 5432)); s.sendall(struct.pack('!iiii', 16, 80877102, 1, 1)); print(s.recv(10))
END`,
    );
    expect(stdout.trim()).toBe("b''");
    expect(await egressTo(DB, some('egress.bad-request'))).toContainEqual(
      expect.objectContaining({ verdict: 'denied', code: 'egress.bad-request' }),
    );
  });

  it('cuts the connection before the password comes back, or a placeholder goes out', async () => {
    const careless = await psql('TABLE careless');
    expect(careless.stdout).not.toContain(PASSWORD);
    expect(careless.status).not.toBe(0);
    const sent = await psql(`SELECT '$WEB_TOKEN'`);
    expect(sent.status).not.toBe(0);
    const records = await egressTo(
      DB,
      (all) => some('scrub.cut')(all) && some('grant.wrong-host')(all),
    );
    expect(records).toContainEqual(expect.objectContaining({ code: 'scrub.cut', scrubbed: 1 }));
    expect(records).toContainEqual(expect.objectContaining({ code: 'grant.wrong-host' }));
  });

  it('never shows the password inside, and records each connection with its credential', async () => {
    const { stdout } = await inside.run(`env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'`);
    expect(stdout).toMatch(/PGPASSWORD=\S+/);
    expect(stdout).not.toContain(PASSWORD);
    const all = JSON.stringify(await settledEvents(test.host, inside.session));
    expect(all).not.toContain(PASSWORD);
    const [first] = await egressTo(DB);
    expect(first).toMatchObject({
      verdict: 'allowed',
      protocol: 'tcp',
      credential: 'data',
      address: '127.0.0.1',
    });
    expect(first).toHaveProperty('bytesIn');
  });

  it('is passed through unread where the host is named without a grant', async () => {
    const { stderr } = await psql('SELECT 1', {
      PGHOST: 'raw-db.example.test',
      PGSSLMODE: 'require',
      PGSSLROOTCERT: '',
    });
    // The server itself answers, and knows no such password.
    expect(stderr).toContain('password authentication failed');
    expect(stderr).not.toContain('glovebox');
    const [record] = await egressTo('raw-db.example.test');
    expect(record).toMatchObject({ protocol: 'tcp', inspected: false, verdict: 'allowed' });
  });
});

describe('raw TCP to a named host and port, from a real sandbox', () => {
  const python = (script: string) => inside.run(`python3 - <<'END'\n${script}\nEND`);

  it('keeps who speaks first, the end of one direction, and a reset', async () => {
    const { stdout, stderr } = await python(`
import socket, struct, time
def dial(): return socket.create_connection(('${RAW}', 7000))
s = dial(); print(s.recv(100)); s.sendall(b'\\0ask'); s.shutdown(socket.SHUT_WR)
rest = b''
while True:
    part = s.recv(100)
    if not part: break
    rest += part
print(rest)
s = dial(); s.recv(100); s.sendall(b'\\0reset me')
try: print('got', s.recv(100))
except ConnectionResetError: print('reset')
`);
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual(["b'welcome'", "b'heard 4'", 'reset']);
    const records = await egressTo(RAW, ({ length }) => length >= 2);
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({
      verdict: 'allowed',
      protocol: 'tcp',
      inspected: false,
      bytesOut: 4,
      bytesIn: 14,
      program: { command: expect.arrayContaining(['python3']) as unknown },
    });
    expect(records[1]).toMatchObject({ code: 'egress.upstream-broke' });
  });

  it('goes to no other port of that host, and to no other host', async () => {
    const { stdout } = await python(`
import socket
for to in (('${RAW}', 7001), ('raw-other.example.test', 7000)):
    s = socket.create_connection(to); s.sendall(b'\\0out'); s.settimeout(15)
    try: print(s.recv(10))
    except ConnectionResetError: print("b''")
`);
    expect(stdout.trim().split('\n')).toEqual(["b''", "b''"]);
    expect(rawPeers).toBe(2);
  });
});

describe('a program that insists on a proxy', () => {
  it.each([
    ['curl -x http://', `curl -sS -x http://${PROXY}:3128`],
    ['curl --proxytunnel', `curl -sS --proxytunnel -x http://${PROXY}:8080`],
    ['curl --socks5-hostname', `curl -sS --socks5-hostname ${PROXY}:1080`],
    ['curl --socks5', `curl -sS --socks5 ${PROXY}:1080`],
    ['curl --socks4a', `curl -sS --socks4a ${PROXY}:3128`],
    ['the usual variables', 'env HTTPS_PROXY=$GLOVEBOX_PROXY curl -sS'],
  ])('gets through with %s, recorded once', async (_what, command) => {
    const path = `/via-${String(Math.random()).slice(2)}`;
    const { stdout, stderr } = await inside.run(
      `${command} -H "Authorization: Bearer $WEB_TOKEN" https://${WEB}${path}`,
    );
    expect(stderr).toBe('');
    expect(stdout).toContain(path);
    expect(stdout).not.toContain(TOKEN);
    const seen = web.requests.find(({ url }) => url === path);
    expect(seen?.rawHeaders).toContain(`Bearer ${TOKEN}`);
    const own = (event: EgressEvent): boolean => event.path === path;
    const records = (await egressTo(WEB, (all) => all.some(own))).filter(own);
    expect(records).toEqual([
      expect.objectContaining({ verdict: 'allowed', credential: 'web', status: 200 }),
    ]);
  });

  it('gets through from Node with its proxy variables', async () => {
    const { stdout, stderr } = await inside.run(
      `NODE_USE_ENV_PROXY=1 HTTPS_PROXY=$GLOVEBOX_PROXY node -e '
         fetch("https://${WEB}/from-node").then(async (r) => console.log(r.status, await r.text()));
         require("https").get("https://${WEB}/from-https", (r) => { console.log(r.statusCode); r.resume(); });'`,
    );
    expect(stderr).not.toContain('Error');
    expect(stdout).toContain('200');
    const paths = web.requests.map(({ url }) => url);
    expect(paths.filter((url) => url === '/from-node')).toHaveLength(1);
    expect(paths.filter((url) => url === '/from-https')).toHaveLength(1);
  });

  it('meets the same refusals', async () => {
    const { stdout } = await inside.run(
      `curl -sS -x $GLOVEBOX_PROXY https://elsewhere.example.test/; curl -sS -x $GLOVEBOX_PROXY http://elsewhere.example.test/`,
    );
    expect(stdout.match(/egress\.no-rule/g)).toHaveLength(2);
  });

  it('is set by nobody: the environment names the proxy and leaves the usual variables alone', async () => {
    const { stdout } = await inside.run('env');
    expect(stdout).toContain(`GLOVEBOX_PROXY=http://${PROXY}:3128`);
    expect(stdout).not.toMatch(/^(HTTPS?|ALL|NO)_PROXY=/im);
  });
});

describe('a host on the pass-through list', () => {
  it('shows its own certificate inside, and the record says that it was not inspected', async () => {
    const { stdout } = await inside.run(
      `echo | openssl s_client -connect ${PINNED}:443 -servername ${PINNED} 2>/dev/null | openssl x509 -noout -issuer`,
    );
    expect(stdout).toContain('Stranger authority');
    const [record] = await egressTo(PINNED);
    expect(record).toMatchObject({ protocol: 'tls', inspected: false, verdict: 'allowed' });
  });
});
