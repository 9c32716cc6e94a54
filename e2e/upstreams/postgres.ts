import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Closable } from '../../app/kit/index.ts';
import type { Identity } from './authority.ts';

/** Debian's PostgreSQL on top of a sandbox image, with psql and its libraries gathered in one folder. */
const DOCKERFILE = `ARG BASE
FROM \${BASE}
LABEL dev.glovebox.image="" dev.glovebox.install=""
RUN apt-get update -qq \\
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql \\
    && apt-get clean && rm -rf /var/lib/apt/lists/* \\
    && mkdir /psql && cp /usr/lib/postgresql/*/bin/psql /psql/psql \\
    && ldd /psql/psql | awk '$3 ~ /^\\// { print $3 }' | grep -v -E '/(libc|libm|libdl|libpthread)\\.so' \\
       | xargs -I{} cp -L {} /psql/
`;

const SETUP = `set -eu
bin=$(echo /usr/lib/postgresql/*/bin); data=/tmp/data
export PATH="$bin:$PATH" LC_ALL=C.UTF-8
initdb -D $data -U postgres -A trust >/dev/null
printf '%s' "$SERVER_CERT" > $data/server.crt; printf '%s' "$SERVER_KEY" > $data/server.key
chmod 600 $data/server.key
cat >> $data/postgresql.conf <<END
listen_addresses = '*'
unix_socket_directories = '/tmp'
fsync = off
END
pg_ctl -D $data -w -s -o '-c listen_addresses=' start
psql -q -h /tmp -U postgres <<END
CREATE ROLE scram_user LOGIN PASSWORD '$PASSWORD';
CREATE ROLE clear_user LOGIN PASSWORD '$PASSWORD';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD '$PASSWORD';
CREATE TABLE careless AS SELECT '$PASSWORD'::text AS note;
CREATE TABLE harmless AS SELECT n, repeat('x', 1000) AS filler FROM generate_series(1, 5000) n;
GRANT SELECT ON careless, harmless TO PUBLIC;
END
pg_ctl -D $data -w -s stop
cat > $data/pg_hba.conf <<END
host all clear_user all password
host all md5_user all md5
host all all all scram-sha-256
END
if [ "$ENCRYPTED" = yes ]; then
  printf "ssl = on\\nssl_cert_file = 'server.crt'\\nssl_key_file = 'server.key'\\n" >> $data/postgresql.conf
fi
exec postgres -D $data
`;

const docker = (args: readonly string[], input?: string): string =>
  execFileSync('docker', [...args], {
    encoding: 'utf8',
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  }).trim();

/** Builds the server's image on a sandbox image; the engine keeps it, so only the first build takes long. */
export const buildPostgresImage = (sandboxImage: string): string =>
  docker(
    ['build', '-q', '-t', 'glovebox-test/postgres', '--build-arg', `BASE=${sandboxImage}`, '-'],
    DOCKERFILE,
  );

/** psql and the libraries that it needs, as a tar archive. */
export const psqlArchive = (image: string): Buffer =>
  execFileSync('docker', ['run', '--rm', '--network', 'none', image, 'tar', '-c', '/psql'], {
    maxBuffer: 128 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** A real PostgreSQL server in a container, on a port of this host's loopback. */
export type PostgresServer = Closable & { readonly port: number };

/**
 * Starts a server with the roles `scram_user`, `md5_user` and `clear_user`, who all have the one
 * password and log in the way their names say, and a table `careless` that holds it.
 */
export const startPostgres = async (options: {
  readonly image: string;
  readonly identity: Identity;
  readonly password: string;
  readonly encrypted: boolean;
}): Promise<PostgresServer> => {
  const name = `glovebox-test-postgres-${randomUUID()}`;
  const { image, identity, password, encrypted } = options;
  const env = {
    SERVER_CERT: identity.certificate,
    SERVER_KEY: identity.key,
    PASSWORD: password,
    ENCRYPTED: encrypted ? 'yes' : 'no',
  };
  const names = Object.keys(env).flatMap((key) => ['--env', key]);
  execFileSync(
    'docker',
    [
      'run',
      '-d',
      '--rm',
      '--name',
      name,
      '--user',
      'postgres',
      '-p',
      '127.0.0.1::5432',
      ...names,
    ].concat([image, 'sh', '-c', SETUP]),
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const close = (): Promise<void> => {
    spawnSync('docker', ['rm', '-f', name], { stdio: 'ignore' });
    return Promise.resolve();
  };
  const deadline = Date.now() + 60_000;
  for (;;) {
    // Not yet on the network while it is being set up, so an answer there means ready.
    const ready = spawnSync(
      'docker',
      [
        'exec',
        name,
        'sh',
        '-c',
        'exec $(echo /usr/lib/postgresql/*/bin)/pg_isready -q -h 127.0.0.1',
      ],
      { stdio: 'ignore' },
    );
    if (ready.status === 0) break;
    if (Date.now() > deadline) {
      const log = spawnSync('docker', ['logs', name], { encoding: 'utf8' });
      await close();
      throw new Error(`PostgreSQL did not come up: ${log.stdout}${log.stderr}`);
    }
    await delay(200);
  }
  const port = Number(docker(['port', name, '5432/tcp']).split('\n')[0]?.split(':').at(-1));
  return { port, close };
};
