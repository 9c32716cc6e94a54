import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { fail, ok, type Result } from '../kit/index.ts';

type Env = Readonly<Record<string, string | undefined>>;

export type TlsFiles = { readonly ca: string; readonly cert: string; readonly key: string };

/** Where an engine may answer. */
export type EngineAddress =
  | { readonly type: 'socket'; readonly path: string }
  | {
      readonly type: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: TlsFiles | undefined;
    };

/** One place to look, with where the idea came from: `DOCKER_HOST`, `Docker context work`, `rootless Podman`. */
export type Candidate = {
  readonly from: string;
  readonly address: Result<EngineAddress>;
};

export const addressText = (address: EngineAddress): string =>
  address.type === 'socket'
    ? address.path
    : `${address.tls === undefined ? 'http' : 'https'}://${address.host}:${String(address.port)}`;

const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/** Reads a `DOCKER_HOST`-like value: `unix:///path`, `tcp://host[:port]`, a bare `host:port`. */
export const parseEngineHost = (text: string, tls: TlsFiles | undefined): Result<EngineAddress> => {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (path.startsWith('/')) return ok({ type: 'socket', path });
    return fail('engine.not-found', 'names no absolute socket path');
  }
  const withScheme = text.includes('://') ? text : `tcp://${text}`;
  if (!URL.canParse(withScheme)) return fail('engine.not-found', 'is no engine address');
  const url = new URL(withScheme);
  if (!['tcp:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    return fail('engine.not-found', `uses ${url.protocol}//, which Glovebox does not speak`);
  }
  const port = url.port === '' ? (tls === undefined ? PLAIN_PORT : TLS_PORT) : Number(url.port);
  return ok({ type: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port, tls });
};

const ConfigFile = z.looseObject({ currentContext: z.string().max(256).optional() });
const ContextFile = z.looseObject({
  Endpoints: z.looseObject({ docker: z.looseObject({ Host: z.string().max(4096) }) }),
});

const readJson = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Absent or broken: the next place to look decides.
    return undefined;
  }
};

const readTls = (folder: string): TlsFiles | undefined => {
  try {
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    return ca === undefined || cert === undefined || key === undefined
      ? undefined
      : { ca, cert, key };
  } catch {
    return undefined;
  }
};

const fromHostVariable = (env: Env, config: string): Candidate[] => {
  const host = env['DOCKER_HOST'];
  if (host === undefined || host === '') return [];
  const from = `DOCKER_HOST (${host})`;
  const wantsTls = (env['DOCKER_TLS_VERIFY'] ?? '') !== '' || (env['DOCKER_TLS'] ?? '') !== '';
  if (!wantsTls) return [{ from, address: parseEngineHost(host, undefined) }];
  const folder = env['DOCKER_CERT_PATH'] ?? config;
  const tls = readTls(folder);
  // Without its certificates the connection would silently be a plain one.
  if (tls === undefined && !host.startsWith('unix:')) {
    return [
      {
        from,
        address: fail(
          'engine.not-found',
          `wants TLS, but ${folder} has no ca.pem, cert.pem and key.pem`,
        ),
      },
    ];
  }
  return [{ from, address: parseEngineHost(host, tls) }];
};

const fromContext = (env: Env, config: string): Candidate[] => {
  const parsed = ConfigFile.safeParse(readJson(join(config, 'config.json')));
  const chosen = env['DOCKER_CONTEXT'] ?? (parsed.success ? parsed.data.currentContext : undefined);
  if (chosen === undefined || chosen === '' || chosen === 'default') return [];
  const from = `Docker context ${chosen}`;
  const id = createHash('sha256').update(chosen).digest('hex');
  const meta = ContextFile.safeParse(readJson(join(config, 'contexts/meta', id, 'meta.json')));
  if (!meta.success)
    return [{ from, address: fail('engine.not-found', 'has no readable description') }];
  const tls = readTls(join(config, 'contexts/tls', id, 'docker'));
  return [{ from, address: parseEngineHost(meta.data.Endpoints.docker.Host, tls) }];
};

/** Everywhere an engine may answer, in the order in which it is asked. */
export const engineCandidates = (
  env: Env,
  uid: number | undefined = process.getuid?.(),
): readonly Candidate[] => {
  const home = env['HOME'] ?? homedir();
  const config = env['DOCKER_CONFIG'] ?? join(home, '.docker');
  const runtime =
    env['XDG_RUNTIME_DIR'] ?? (uid === undefined ? undefined : `/run/user/${String(uid)}`);
  const sockets: [string, string | undefined][] = [
    ['Docker', '/var/run/docker.sock'],
    ['rootless Docker', runtime && join(runtime, 'docker.sock')],
    ['rootless Podman', runtime && join(runtime, 'podman/podman.sock')],
    ['Podman', '/run/podman/podman.sock'],
    ['Colima', join(home, '.colima/default/docker.sock')],
    ['Colima', join(home, '.config/colima/default/docker.sock')],
    ['OrbStack', join(home, '.orbstack/run/docker.sock')],
    ['Docker Desktop', join(home, '.docker/run/docker.sock')],
    ['Docker Desktop', join(home, '.docker/desktop/docker.sock')],
    ['Podman machine', join(home, '.local/share/containers/podman/machine/podman.sock')],
  ];
  return [
    ...fromHostVariable(env, config),
    ...fromContext(env, config),
    ...sockets.flatMap(([from, path]): Candidate[] =>
      path === undefined ? [] : [{ from, address: ok({ type: 'socket', path }) }],
    ),
  ];
};
