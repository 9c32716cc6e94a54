import { once } from 'node:events';
import { cp, chown, lstat, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SessionId } from '../contract/index.ts';
import { createScope, randomId, unwrap, type Scope } from '../kit/index.ts';
import type { SandboxMount } from '../policy/index.ts';
import { hostAuthorities } from './host-authorities.ts';
import { LABEL, sessionLabels } from './labels.ts';
import { thisOwner } from './owner.ts';
import {
  findEngine,
  SANDBOX_HOME,
  type Engine,
  type ExecSpec,
  type SandboxSpec,
  type SessionImages,
} from './index.ts';

const repository = join(import.meta.dirname, '../..');
const installId = `test-${randomId()}`;
const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;
const user = isRoot
  ? { uid: 4711, gid: 4712 }
  : { uid: process.getuid?.() ?? 1000, gid: process.getgid?.() ?? 1000 };
const newSession = (): SessionId => SessionId.parse(randomId());

let scope: Scope;
let folder: string;
let imagesFolder: string;
let engine: Engine;
let images: SessionImages;
let docker: Docker;
const sessions: SessionId[] = [];

/** The real base and assistant images; gateway and guard are stand-ins that only hold their namespaces. */
const writeImages = async (): Promise<void> => {
  await cp(join(repository, 'sandbox-images/base'), join(imagesFolder, 'base'), {
    recursive: true,
  });
  await cp(join(repository, 'sandbox-images/assistants'), join(imagesFolder, 'assistants'), {
    recursive: true,
  });
  for (const name of ['gateway', 'guard']) {
    await mkdir(join(imagesFolder, name));
    await writeFile(
      join(imagesFolder, name, 'image.json'),
      '{ "base": "base", "context": [], "args": {} }',
    );
    await writeFile(
      join(imagesFolder, name, 'Dockerfile'),
      `ARG BASE\nFROM \${BASE}\nENV TEST=${installId}-${name}\n`,
    );
  }
};

const limits = { memoryBytes: 256 * 1024 * 1024, cpus: 0.5, pids: 128 };

const startSandbox = async (
  mounts: readonly SandboxMount[] = [],
  over: Partial<SandboxSpec> = {},
): Promise<{ readonly id: string; readonly gateway: string; readonly session: SessionId }> => {
  const session = newSession();
  sessions.push(session);
  const gateway = unwrap(
    await engine.startGateway(
      { session, image: images.gateway, user, linkFolder: folder, hostname: 'workbench' },
      never,
    ),
  );
  const sandbox = unwrap(
    await engine.startSandbox(
      {
        session,
        image: images.sandbox,
        user,
        gateway: gateway.id,
        hostname: 'workbench',
        workingFolder: SANDBOX_HOME,
        mounts,
        env: { HOME: SANDBOX_HOME, TERM: 'xterm-256color' },
        limits,
        ...over,
      },
      never,
    ),
  );
  return { id: sandbox.id, gateway: gateway.id, session };
};

const plain = (...command: [string, ...string[]]): ExecSpec => ({
  command,
  env: {},
  workingFolder: SANDBOX_HOME,
  user,
  tty: false,
});

/** Runs a shell line and gives what it wrote and its exit status. */
const run = async (
  container: string,
  line: string,
  stdin = '',
): Promise<{ stdout: string; stderr: string; exit: number }> => {
  const started = unwrap(await engine.exec(container, plain('sh', '-c', line)));
  if (started.io.tty) throw new Error('a terminal was not asked for');
  started.io.stdin.end(stdin);
  const [stdout, stderr, exit] = await Promise.all([
    text(started.io.stdout),
    text(started.io.stderr),
    started.exit,
  ]);
  return { stdout, stderr, exit };
};

beforeAll(async () => {
  scope = createScope('engine test');
  folder = await mkdtemp(join(tmpdir(), 'gb-engine-'));
  imagesFolder = join(folder, 'images');
  await mkdir(imagesFolder);
  await writeImages();
  engine = unwrap(await findEngine({ installId, env: process.env, imagesFolder }, scope));
  docker = new Docker({ socketPath: engine.address });
  images = unwrap(await engine.ensureImages('shell', () => undefined, never));
});

afterEach(async () => {
  for (const session of sessions.splice(0)) unwrap(await engine.removeSession(session));
});

afterAll(async () => {
  const filters = { label: [`${LABEL.install}=${installId}`] };
  for (const image of await docker.listImages({ filters })) {
    // What was built for this test alone; the others are everyone's by their hash.
    if (['gateway', 'guard', 'user'].includes(image.Labels[LABEL.image] ?? '')) {
      await docker.getImage(image.Id).remove({ force: true });
    }
  }
  await scope.close();
  await rm(folder, { recursive: true, force: true });
});

describe('images', () => {
  it('builds nothing the second time and says the image is ready', async () => {
    const steps: string[] = [];
    const again = unwrap(await engine.ensureImages('shell', (p) => steps.push(p.message), never));
    expect(again).toEqual(images);
    expect(steps).toEqual([]);
    expect(await engine.imageState('shell')).toEqual({ state: 'ready' });
  });

  it('carries what a working copy needs, under 450 MB', async () => {
    const { Size, Config } = await docker.getImage(images.sandbox).inspect();
    expect(Size).toBeLessThan(450_000_000);
    expect(Config.Labels[LABEL.image]).toBe('base');
    const { id } = await startSandbox();
    const tools = 'bash git curl wget less ps rg jq python3 openssl unzip xz nano node npm npx pip';
    const { stdout, exit } = await run(
      id,
      `for tool in ${tools}; do command -v $tool >/dev/null || echo $tool; done; locale charmap 2>/dev/null; node --version`,
    );
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^UTF-8\nv24\./);
  });

  it('trusts what this machine trusts beyond the public authorities', async () => {
    const { id } = await startSandbox();
    const { stdout } = await run(id, 'cat /etc/ssl/certs/ca-certificates.crt');
    for (const { pem } of hostAuthorities(process.env)) expect(stdout).toContain(pem);
    expect((await run(id, 'echo $NODE_EXTRA_CA_CERTS')).stdout).toBe(
      '/etc/ssl/certs/ca-certificates.crt\n',
    );
  });

  it('lets go of what its inputs no longer ask for', async () => {
    const changing = join(folder, 'changing');
    await cp(imagesFolder, changing, { recursive: true });
    const own = scope.child('changing');
    const other = unwrap(
      await findEngine({ installId, env: process.env, imagesFolder: changing }, own),
    );
    const ids: string[] = [];
    for (const value of ['one', 'two']) {
      const dockerfile = `ARG BASE\nFROM \${BASE}\nENV TEST=${installId}-${value}\n`;
      await writeFile(join(changing, 'guard/Dockerfile'), dockerfile);
      ids.push(unwrap(await other.ensureImages('shell', () => undefined, never)).guard);
    }
    await expect(docker.getImage(ids[0] ?? '').inspect()).rejects.toMatchObject({
      statusCode: 404,
    });
    expect((await docker.getImage(ids[1] ?? '').inspect()).RepoTags).toHaveLength(1);
    await own.close();
    images = unwrap(await engine.ensureImages('shell', () => undefined, never));
  });

  it('says which step failed, with its last words, and nothing is left half built', async () => {
    const broken = join(folder, 'broken');
    await cp(imagesFolder, broken, { recursive: true });
    await writeFile(
      join(broken, 'gateway/Dockerfile'),
      'ARG BASE\nFROM ${BASE}\n# step: weaving the net\nRUN echo the thread is torn; exit 3\n',
    );
    const own = scope.child('broken');
    const other = unwrap(
      await findEngine({ installId, env: process.env, imagesFolder: broken }, own),
    );
    const result = await other.ensureImages('shell', () => undefined, never);
    expect(result).toMatchObject({ ok: false, error: { code: 'image.build-failed' } });
    expect(result.ok ? '' : result.error.message).toMatch(
      /weaving the net \(step 3 of \d\).*non-zero code: 3\n(.*\n)*the thread is torn/,
    );
    await own.close();
  });

  it('stops a build when it is called off', async () => {
    const slow = join(folder, 'slow');
    await cp(imagesFolder, slow, { recursive: true });
    await writeFile(
      join(slow, 'gateway/Dockerfile'),
      `ARG BASE\nFROM \${BASE}\nRUN sleep 61 # ${installId}\n`,
    );
    const own = scope.child('slow');
    const other = unwrap(
      await findEngine({ installId, env: process.env, imagesFolder: slow }, own),
    );
    const stop = new AbortController();
    const began = performance.now();
    const result = await other.ensureImages(
      'shell',
      ({ message }) => {
        if (message.includes('running a command')) stop.abort();
      },
      stop.signal,
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'image.build-failed' } });
    expect(result.ok ? '' : result.error.message).toContain('called off');
    expect(performance.now() - began).toBeLessThan(30_000);
    await own.close();
  });
});

describe('a sandbox', () => {
  it('is started with every hardening', async () => {
    const { id, gateway } = await startSandbox();
    const { HostConfig, Config, Mounts } = await docker.getContainer(id).inspect();
    expect(HostConfig).toMatchObject({
      CapDrop: ['ALL'],
      CapAdd: null,
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Privileged: false,
      NetworkMode: `container:${gateway}`,
      IpcMode: 'private',
      PidMode: '',
      UsernsMode: '',
      PidsLimit: 128,
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      NanoCpus: 500_000_000,
      Init: true,
      AutoRemove: false,
      Binds: null,
      OomScoreAdj: 500,
      RestartPolicy: { Name: 'no' },
    });
    expect(Object.keys(HostConfig.Tmpfs ?? {}).toSorted()).toEqual([
      '/home/glovebox',
      '/run',
      '/tmp',
      '/var/tmp',
    ]);
    for (const options of Object.values(HostConfig.Tmpfs ?? {})) {
      expect(options).toContain('nosuid,nodev');
    }
    expect(Config.User).toBe(`${String(user.uid)}:${String(user.gid)}`);
    expect(Config.Cmd).toEqual(['sleep', 'infinity']);
    expect(Mounts).toEqual([]);
    expect(Config.Labels).toMatchObject(
      sessionLabels(installId, Config.Labels[LABEL.session] ?? '', 'sandbox', await thisOwner()),
    );
  });

  it('has no capability, a seccomp filter, no way to new privileges, and cannot write its root', async () => {
    const { id } = await startSandbox();
    const { stdout } = await run(
      id,
      'grep -E "^(Cap|NoNewPrivs|Seccomp:|Uid|Gid)" /proc/self/status; touch /etc/x 2>&1; touch /opt/x 2>&1; id -un; hostname; ls /sys/class/net',
    );
    expect(stdout).toMatch(/CapEff:\s+0+\n/);
    expect(stdout).toMatch(/CapBnd:\s+0+\n/);
    expect(stdout).toMatch(/NoNewPrivs:\s+1\n/);
    expect(stdout).toMatch(/Seccomp:\s+2\n/);
    expect(stdout).toMatch(new RegExp(`Uid:\\s+${String(user.uid)}\\s`));
    expect(stdout.match(/Read-only file system/g)).toHaveLength(2);
    expect(stdout).toMatch(/\nglovebox\nworkbench\nlo\n$/);
  });

  it('can write and run in its home and /tmp, and nowhere is a device or the engine’s socket', async () => {
    const { id } = await startSandbox();
    const { stdout, exit } = await run(
      id,
      'for d in ~ /tmp /var/tmp; do printf "#!/bin/sh\\necho ran\\n" > $d/x && chmod +x $d/x && $d/x || exit 1; done; ls /var/run/docker.sock /run/docker.sock 2>/dev/null',
    );
    expect(stdout).toBe('ran\nran\nran\n');
    expect(exit).not.toBe(1);
  });

  it('keeps to its memory and process limits', async () => {
    const { id } = await startSandbox([], { limits: { ...limits, pids: 32 } });
    const forks = await run(id, 'i=0; while [ $i -lt 64 ]; do sleep 5 & i=$((i+1)); done; wait');
    expect(forks.stderr).toMatch(/fork|Resource temporarily unavailable/i);
    const memory = await run(id, 'python3 -c "x = bytearray(1024*1024*1024)"');
    expect(memory.exit).not.toBe(0);
  });

  it('tells why where it cannot start', async () => {
    const session = newSession();
    sessions.push(session);
    const failed = await engine.startGateway(
      { session, image: images.gateway, user, linkFolder: join(folder, 'absent') },
      never,
    );
    expect(failed).toMatchObject({ ok: false, error: { code: 'engine.failed' } });
    expect(failed.ok ? '' : failed.error.message).toContain('absent');
    expect(
      await docker.listContainers({
        all: true,
        filters: { label: [`${LABEL.session}=${session}`] },
      }),
    ).toEqual([]);
  });
});

describe('gateway and guard', () => {
  it('have the few powers they need, no network, and the socket folder alone', async () => {
    const { id, gateway, session } = await startSandbox();
    const guard = unwrap(
      await engine.startGuard(
        {
          session,
          image: images.guard,
          sandbox: id,
          socketFolder: folder,
          watch: '/home/me/project',
        },
        never,
      ),
    );
    const common = {
      CapDrop: ['ALL'],
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      IpcMode: 'private',
      PidsLimit: 64,
      Binds: null,
    };
    const socket = [{ Type: 'bind', Source: folder, Destination: '/run/glovebox', RW: true }];
    const gatewayNow = await docker.getContainer(gateway).inspect();
    expect(gatewayNow.HostConfig).toMatchObject({
      ...common,
      CapAdd: ['NET_ADMIN', 'NET_RAW', 'SETUID', 'SETGID', 'SETPCAP'],
      SecurityOpt: ['no-new-privileges'],
      PidMode: '',
    });
    expect(gatewayNow.Mounts).toMatchObject(socket);
    expect(gatewayNow.Config.Env).toContain(`GLOVEBOX_UID=${String(user.uid)}`);
    const guardNow = await docker.getContainer(guard.id).inspect();
    expect(guardNow.HostConfig).toMatchObject({
      ...common,
      CapAdd: ['SYS_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH'],
      PidMode: `container:${id}`,
    });
    expect(guardNow.HostConfig.SecurityOpt).toContain('no-new-privileges');
    expect(guardNow.HostConfig.SecurityOpt).not.toContain('seccomp=unconfined');
    expect(guardNow.Mounts).toMatchObject(socket);
    expect(guardNow.Config.Env).toContain('GLOVEBOX_WATCH=/home/me/project');
  });
});

describe('the assistants', () => {
  it.each([
    ['claude-code', 'claude'],
    ['codex', 'codex'],
    ['gemini-cli', 'gemini'],
    ['opencode', 'opencode'],
  ] as const)('%s starts in a sandbox, in its pinned version', async (assistant, command) => {
    const made = unwrap(await engine.ensureImages(assistant, () => undefined, never));
    const state = await engine.imageState(assistant);
    expect(state.state).toBe('ready');
    const { id } = await startSandbox([], {
      image: made.sandbox,
      limits: { memoryBytes: 1024 * 1024 * 1024, cpus: 2, pids: 256 },
    });
    const { stdout, stderr, exit } = await run(id, `${command} --version`);
    expect(stderr).toBe('');
    expect(stdout).toContain(state.version ?? 'no version');
    expect(exit).toBe(0);
  });
});

describe('the working copy', () => {
  it('is an overlay at the project’s own path: written inside, untouched outside, whiteouts stay', async () => {
    const project = join(folder, 'my project: a\\b');
    const state = join(folder, 'state');
    for (const path of [project, state, join(state, 'upper'), join(state, 'work')]) {
      await mkdir(path);
      if (isRoot) await chown(path, user.uid, user.gid);
    }
    for (const name of ['kept', 'gone']) {
      await writeFile(join(project, name), `${name} on the host`);
      if (isRoot) await chown(join(project, name), user.uid, user.gid);
    }
    const overlay: SandboxMount = {
      type: 'overlay',
      lower: project,
      upper: join(state, 'upper'),
      work: join(state, 'work'),
      target: project,
      options: [],
    };
    const first = await startSandbox([overlay], { workingFolder: project });
    const { HostConfig } = await docker.getContainer(first.id).inspect();
    expect(HostConfig.Mounts).toMatchObject([{ Type: 'volume', Target: project }]);
    const inside = await run(
      first.id,
      `cd '${project}' && cat kept && echo inside > kept && rm gone && echo new > added && ls`,
    );
    expect(inside).toEqual({ stdout: 'kept on the hostadded\nkept\n', stderr: '', exit: 0 });
    expect(await readFile(join(project, 'kept'), 'utf8')).toBe('kept on the host');
    expect(await readFile(join(project, 'gone'), 'utf8')).toBe('gone on the host');
    unwrap(await engine.removeSession(first.session));
    expect((await lstat(join(state, 'upper/gone'))).isCharacterDevice()).toBe(true);
    expect(await readFile(join(state, 'upper/added'), 'utf8')).toBe('new\n');

    const second = await startSandbox([overlay], { workingFolder: project });
    expect((await run(second.id, `ls '${project}'`)).stdout).toBe('added\nkept\n');
  });
});

describe('exec', () => {
  it('keeps output and errors apart, hands input over, and gives the exit status', async () => {
    const { id } = await startSandbox();
    expect(await run(id, 'cat; echo aside >&2; exit 41', 'from outside\n')).toEqual({
      stdout: 'from outside\n',
      stderr: 'aside\n',
      exit: 41,
    });
  });

  it('carries eight megabytes each way unharmed', async () => {
    const { id } = await startSandbox();
    const much = 'glovebox'.repeat(1024 * 1024);
    const { stdout, exit } = await run(id, 'cat', much);
    expect(exit).toBe(0);
    expect(stdout === much).toBe(true);
  });

  it('with a terminal: the size asked for, resized while it runs, one stream', async () => {
    const { id } = await startSandbox();
    const started = unwrap(
      await engine.exec(id, {
        command: [
          'bash',
          '-c',
          'read -r _; stty size; trap "stty size; exit 7" WINCH; echo ready; while :; do sleep 0.05; done',
        ],
        env: {},
        workingFolder: SANDBOX_HOME,
        user,
        tty: true,
        size: { columns: 91, rows: 33 },
      }),
    );
    if (!started.io.tty) throw new Error('a terminal was asked for');
    const { stream } = started.io;
    let seen = '';
    const has = (words: string): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (seen.includes(words)) resolve();
        };
        stream.on('data', check);
        check();
      });
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    stream.write('\n');
    await has('ready');
    expect(seen).toContain('33 91');
    await started.resize({ columns: 120, rows: 40 });
    expect(await started.exit).toBe(7);
    expect(seen).toContain('40 120');
  });

  it('ends with 137 when its container is removed, and says so where there is none', async () => {
    const { id, session } = await startSandbox();
    const started = unwrap(await engine.exec(id, plain('sh', '-c', 'echo up; sleep 60')));
    if (started.io.tty) throw new Error('a terminal was not asked for');
    await once(started.io.stdout, 'data');
    unwrap(await engine.removeSession(session));
    expect(await started.exit).toBe(137);
    expect(await engine.exec(id, plain('true'))).toMatchObject({
      ok: false,
      error: { code: 'engine.failed' },
    });
  });
});

describe('the end', () => {
  it('takes everything of the session and nothing else, and may be asked twice', async () => {
    const one = await startSandbox([
      { type: 'volume', name: `gb-${installId}`, target: '/data', readOnly: false },
    ]);
    const other = await startSandbox();
    unwrap(await engine.removeSession(one.session));
    unwrap(await engine.removeSession(one.session));
    const left = await docker.listContainers({
      all: true,
      filters: { label: [`${LABEL.install}=${installId}`] },
    });
    expect(left.map(({ Id }) => Id).toSorted()).toEqual([other.id, other.gateway].toSorted());
    await docker.getVolume(`gb-${installId}`).remove();
  });

  it('shows when a container ends, with its status', async () => {
    const session = newSession();
    sessions.push(session);
    const gateway = unwrap(
      await engine.startGateway(
        { session, image: images.gateway, user, linkFolder: folder },
        never,
      ),
    );
    await docker.getContainer(gateway.id).kill();
    expect(await gateway.ended).toMatchObject({ exitCode: 137 });
  });

  it('sweeps what a dead owner left, and only that', async () => {
    const living = await startSandbox();
    const owner = await thisOwner();
    const dead = newSession();
    const foreign = newSession();
    const create = (
      install: string,
      session: SessionId,
      start: string,
    ): Promise<Docker.Container> =>
      docker.createContainer({
        Image: images.gateway,
        Labels: sessionLabels(install, session, 'gateway', { pid: owner.pid, start }),
      });
    const gone = await create(installId, dead, `${owner.start}0`);
    const others = await create(`${installId}-other`, foreign, `${owner.start}0`);
    await docker.createVolume({
      Name: `glovebox-${installId}-${dead}-0`,
      Labels: sessionLabels(installId, dead, 'working-copy', {
        pid: owner.pid,
        start: `${owner.start}0`,
      }),
    });
    expect(unwrap(await engine.sweep())).toEqual([dead]);
    await expect(gone.inspect()).rejects.toMatchObject({ statusCode: 404 });
    await expect(
      docker.getVolume(`glovebox-${installId}-${dead}-0`).inspect(),
    ).rejects.toMatchObject({ statusCode: 404 });
    expect((await docker.getContainer(living.id).inspect()).State.Running).toBe(true);
    await others.remove({ force: true });
    expect(unwrap(await engine.sweep())).toEqual([]);
  });
});

describe('an engine that goes away', () => {
  it('ends what was under way with -1 and every further ask with a coded failure', async () => {
    const own = scope.child('loss');
    const path = join(folder, 'proxy.sock');
    const open = new Set<Socket>();
    const proxy = createServer((client) => {
      const upstream = connect(engine.address);
      for (const socket of [client, upstream]) {
        open.add(socket.on('error', () => undefined));
      }
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => {
      proxy.listen(path, resolve);
    });
    const env = { ...process.env, DOCKER_HOST: `unix://${path}` };
    const far = unwrap(await findEngine({ installId, env, imagesFolder }, own));
    expect(far.address).toBe(path);
    const session = newSession();
    sessions.push(session);
    const gateway = unwrap(
      await far.startGateway({ session, image: images.gateway, user, linkFolder: folder }, never),
    );
    const started = unwrap(
      await far.exec(gateway.id, { ...plain('sleep', '60'), workingFolder: '/' }),
    );
    expect(await far.ping()).toBe(true);
    await new Promise<void>((resolve) => {
      proxy.close(() => resolve());
      for (const socket of open) socket.destroy();
    });
    expect(await started.exit).toBe(-1);
    expect(await gateway.ended).toEqual({ exitCode: -1, tail: '' });
    expect(await far.ping()).toBe(false);
    const lost = { ok: false, error: { code: 'engine.lost' } };
    expect(await far.exec(gateway.id, plain('true'))).toMatchObject(lost);
    expect(await far.removeSession(session)).toMatchObject(lost);
    expect(await far.sweep()).toMatchObject(lost);
    expect(await far.ensureImages('shell', () => undefined, never)).toMatchObject(lost);
    expect(await far.imageState('codex')).toMatchObject({ state: 'unknown' });
    await own.close();
  });
});
