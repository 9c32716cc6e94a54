import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createS3 } from '../upstreams/s3.ts';
import { echo, startUpstream, type Service, type Upstream } from './upstream.ts';
import { startGrpcEcho, type GrpcEcho } from '../upstreams/grpc-echo.ts';
import { buildPostgresImage, startPostgres } from '../upstreams/postgres.ts';
import { claimedClients, expectClaimHolds, expectPrograms, heldClients, hold } from './holds.ts';
import { openMatrix, type Matrix } from './rig.ts';
import { findInside, shapesIn } from './secret.ts';

const GRPC = 'grpc.matrix.test';
const DATABASE = 'db.matrix.test';
const HUB = 'api.github.com';
const STORE = 's3.matrix.test';
const HUB_TOKEN = 'ghp_RealMatrixRealMatrixRealMatrix012345';
const AWS = {
  accessKeyId: 'AKIAREALMATRIXREAL22',
  secretAccessKey: 'realMatrix/real+MatrixRealMatrixReal0123',
} as const;
const TOKEN = 'real/matrix+grpc~token-93ab11';
const PASSWORD = 'real-matrix-database-password-6b1f6f';

let matrix: Matrix;
let grpc: GrpcEcho;
let upstream: Upstream;

/** Who is logged in at the hub, said by a careless one. */
const hub: Service = (request, response) => {
  const { headers, body } = echo(HUB_TOKEN, request.url);
  const known = request.headers.authorization === `token ${HUB_TOKEN}`;
  response
    .writeHead(known ? 200 : 401, headers)
    .end(known ? body : '{"message":"Bad credentials"}');
};

beforeAll(async () => {
  matrix = await openMatrix(async ({ authority, scope, baseImage }) => {
    grpc = scope.use(await startGrpcEcho(await authority.issue([GRPC]), TOKEN));
    const store = createS3(STORE, AWS);
    upstream = scope.use(
      await startUpstream({
        identity: await authority.issue([HUB, STORE]),
        services: {
          [HUB]: hub,
          // The compatible halves of HTTP/2's requests and answers are all that it uses.
          [STORE]: (request, response) =>
            store(request as unknown as IncomingMessage, response as unknown as ServerResponse),
        },
      }),
    );
    const database = scope.use(
      await startPostgres({
        image: buildPostgresImage(await baseImage()),
        identity: await authority.issue([DATABASE]),
        password: PASSWORD,
        encrypted: true,
      }),
    );
    return {
      lent: [
        { name: 'grpc', kind: 'bearer', host: `${GRPC}:443`, secret: TOKEN, env: 'MATRIX_TOKEN' },
        { name: 'hub', kind: 'github', host: `${HUB}:443`, secret: HUB_TOKEN },
        {
          name: 'store',
          kind: 'aws',
          host: `${STORE}:443`,
          secret: `${AWS.accessKeyId}:${AWS.secretAccessKey}`,
        },
        { name: 'database', kind: 'postgres', host: `${DATABASE}:5432`, secret: PASSWORD },
      ],
      routes: {
        [`${GRPC}:443`]: grpc.port,
        [`${HUB}:443`]: upstream.port,
        [`${STORE}:443`]: upstream.port,
        [`${DATABASE}:5432`]: database.port,
      },
    };
  });
});
afterAll(async () => {
  await matrix.close();
});

describe('gRPC clients in a real sandbox', () => {
  it.each([
    { client: '@grpc/grpc-js', script: 'node /opt/clients/grpc.mjs', program: /grpc\.mjs/ },
    {
      client: 'Python grpcio',
      script: 'python3 /opt/clients/grpc_client.py',
      program: /grpc_client/,
    },
  ] as const)(
    '$client: unary, streams both ways, trailers',
    async ({ client, script, program }) => {
      const { protocol } = hold(client);
      const from = grpc.seen.length;
      const ran = await matrix.inside.run(`${script} ${GRPC}:443`);
      const said = ran.stdout + ran.stderr;
      const placeholder = (await matrix.inside.run('printf %s "$MATRIX_TOKEN"')).stdout;
      expect(said).toMatch(/unary one from .*, still in one message/);
      for (const message of ['1', '2', '3']) {
        expect(said).toContain(`both message ${message} from `);
      }
      expect(said).toMatch(/unary trailers .*x-trailer/);
      expect(said).toMatch(/both trailers .*x-trailer/);
      expect(ran.status).toBe(0);
      const arrived = grpc.seen.slice(from);
      expect(arrived.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
        { path: '/matrix.Echo/Both', authorization: `Bearer ${TOKEN}` },
        { path: '/matrix.Echo/Unary', authorization: `Bearer ${TOKEN}` },
      ]);
      expect(shapesIn(said, TOKEN)).toEqual([]);
      // In metadata, and in the trailers of both calls.
      expect(said.split(`Bearer ${placeholder}`).length).toBeGreaterThan(3);
      const records = (await matrix.egress(({ host }) => host === GRPC, from + 2)).slice(from);
      expectPrograms(records, program);
      expect(records).toHaveLength(2);
      expect(new Set(records.map(({ path }) => path))).toEqual(
        new Set(arrived.map(({ path }) => path)),
      );
      for (const record of records) {
        expect(record).toMatchObject({
          host: GRPC,
          verdict: 'allowed',
          credential: 'grpc',
          protocol,
          status: 200,
        });
        expect(record.scrubbed).toBeGreaterThan(2);
      }
    },
  );
});

describe('what speaks to one service', () => {
  it('gh asks who it is', async () => {
    const ran = await matrix.inside.run('gh api -i user; gh api -i user; gh api -i user');
    expect(ran.stdout).toContain('"answer-to":"/user"');
    await expectClaimHolds(
      {
        client: 'gh',
        host: HUB,
        secret: HUB_TOKEN,
        credential: 'hub',
        variable: 'GH_TOKEN',
        login: `token ${HUB_TOKEN}`,
        program: /gh/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('boto3 puts an object and gets it', async () => {
    const { protocol } = hold('boto3');
    const ran = await matrix.inside.run(`python3 /opt/clients/s3_client.py https://${STORE}`);
    const said = ran.stdout + ran.stderr;
    expect(said).toContain("an object's bytes from ");
    const pair = await matrix.inside.run('echo $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY');
    const [id = '-', key = '-'] = pair.stdout.trim().split(' ');
    expect(said).toContain(`bytes from ${key}`);
    expect(said).toContain(id);
    for (const secret of Object.values(AWS)) expect(shapesIn(said, secret)).toEqual([]);
    const arrived = upstream.seen.filter(({ host }) => host === STORE);
    expect(arrived.map(({ method }) => method)).toEqual(['PUT', 'GET']);
    for (const one of arrived) {
      expect(one.login).toContain(`Credential=${AWS.accessKeyId}/`);
      expect(one.protocol).toBe(protocol);
    }
    const records = await matrix.egress(({ host }) => host === STORE, arrived.length);
    expect(records.map(({ method, path }) => `${method ?? ''} ${path ?? ''}`)).toEqual(
      arrived.map(({ method, path }) => `${method} ${path}`),
    );
    expectPrograms(records, /s3_client/);
    for (const record of records) {
      expect(record).toMatchObject({
        verdict: 'allowed',
        credential: 'store',
        protocol,
        status: 200,
      });
    }
  });
});

describe('psql in a real sandbox', () => {
  const psql = (sql: string) =>
    matrix.inside.run(
      `PGSSLMODE=verify-full PGSSLROOTCERT=$SSL_CERT_FILE psql -h ${DATABASE} -U scram_user -d postgres -X -A -t -c ${JSON.stringify(sql)}`,
    );

  it('logs in; a result with the password is cut off before it', async () => {
    const { protocol, echo: fate } = hold('psql');
    const ran = await psql(
      'SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    expect(ran.stderr).toBe('');
    expect(ran.stdout.trim()).toBe('scram_user|t');
    const careless = await psql('TABLE careless');
    expect(careless.status).not.toBe(0);
    expect(shapesIn(careless.stdout + careless.stderr, PASSWORD)).toEqual([]);
    expect(fate).toBe('cut');
    const records = await matrix.egress(({ host }) => host === DATABASE, 2);
    expect(records).toHaveLength(2);
    expectPrograms(records, /psql/);
    for (const record of records) {
      expect(record).toMatchObject({ credential: 'database', protocol });
    }
    expect(records[0]).toMatchObject({ verdict: 'allowed' });
    expect(records[1]).toMatchObject({ code: 'scrub.cut', scrubbed: 1 });
  });

  it('none of the secrets is anywhere inside', async () => {
    const { stdout } = await matrix.inside.run(
      findInside([TOKEN, PASSWORD, HUB_TOKEN, ...Object.values(AWS)]),
    );
    expect(stdout.trim()).toBe('found: []');
  });

  it('every claim about this family was held', () => {
    expect(heldClients()).toEqual(claimedClients('services'));
  });
});
