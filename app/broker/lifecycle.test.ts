import { readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../kit/index.ts';
import { createStartBroker, forkProcess, type Spawn, type SpawnedProcess } from './index.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { connectRelay } from './testing/relay.ts';
import { createRig, listenTls, SECRET, SESSION, type Rig, type Upstream } from './testing/setup.ts';

const NOWHERE = {
  default: 'deny',
  allow: [],
  deny: [],
  passThrough: [],
  git: [],
  resolve: [],
  dns: undefined,
} as const;
const SILENT = {
  onEvents: () => undefined,
  onOpen: () => undefined,
  onState: () => undefined,
  onRotated: () => undefined,
  identify: () => Promise.resolve(undefined),
};

const descriptors = (pid: number): number => readdirSync(`/proc/${String(pid)}/fd`).length;

describe('the life of a broker process', () => {
  let rig: Rig;
  let upstream: Upstream;
  const children: SpawnedProcess[] = [];
  const spawnSeen: { entry: string; env: string }[] = [];
  const spawn: Spawn = (entry, env) => {
    spawnSeen.push({ entry, env: JSON.stringify(env) });
    const child = forkProcess(entry, env);
    children.push(child);
    return child;
  };
  const pid = (): number => children.at(-1)?.pid ?? 0;

  beforeAll(async () => {
    const authority = await createTestAuthority();
    upstream = await listenTls(authority, ['api.test'], (_request, response) =>
      response.end('hello'),
    );
    rig = await createRig({
      authority,
      allow: ['api.test'],
      resolve: [`api.test:443:127.0.0.1:${String(upstream.port)}`],
      grants: [{ kind: 'bearer', hosts: ['api.test'] }],
      start: { env: {}, spawn },
    });
  });
  afterAll(async () => {
    await rig.close();
    await upstream.close();
  });

  it('gives the process no secret in arguments or environment', async () => {
    const seen = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${String(pid())}/${file}`, 'utf8')),
    );
    expect(seen.join('\n')).toContain('main.ts');
    for (const text of [...seen, JSON.stringify(spawnSeen)]) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain('PRIVATE KEY');
    }
  });

  it.each(['link.sock', 'handover.sock'])('listens on %s, for its user alone', async (name) => {
    const found = await stat(join(rig.folder, name));
    expect(found.isSocket()).toBe(true);
    expect(found.mode & 0o777).toBe(0o600);
  });

  it.runIf(process.getuid?.() === 0)('lets the group of a shared folder connect', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'glovebox-shared-'));
    await chown(folder, 0, 65_532);
    await chmod(folder, 0o710);
    const scope = createScope('shared');
    const started = await createStartBroker({ env: {} })(
      {
        session: SESSION,
        linkFolder: folder,
        network: NOWHERE,
        credentials: [],
        upstreamAuthorities: [],
      },
      SILENT,
      scope,
      new AbortController().signal,
    );
    expect(started.ok).toBe(true);
    for (const name of ['link.sock', 'handover.sock']) {
      const found = await stat(join(folder, name));
      expect([found.gid, found.mode & 0o777]).toEqual([65_532, 0o660]);
    }
    await scope.close();
    await rm(folder, { recursive: true });
  });

  it('holds no descriptors of connections that are over', async () => {
    await rig.fetch('https://api.test/');
    const before = descriptors(pid());
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          if (index % 5 === 0) (await rig.tls('api.test')).destroy();
          else if (index % 5 === 1) (await rig.tcp('api.test', 443)).destroy();
          else await rig.fetch('https://api.test/');
        }),
      );
    }
    // Idle upstream connections are kept for a few seconds, up to their cap.
    await rig.until(() => descriptors(pid()) <= before + 2, 'the descriptors to go');
    expect(descriptors(pid())).toBeLessThanOrEqual(before + 2);
  }, 60_000);

  it('is down after a kill, comes back with the same authority, and lets nothing out between', async () => {
    const { certificatePem } = rig.broker.authority;
    process.kill(pid(), 'SIGKILL');
    await rig.until(() => rig.states.includes('down'), 'down');
    expect(rig.events.some((event) => event.kind === 'gap' && event.source === 'broker')).toBe(
      true,
    );
    await expect(connectRelay(rig.folder)).rejects.toThrow(/ECONNREFUSED|ENOENT|closed|destroyed/);
    await rig.until(() => rig.states.includes('up'), 'up');
    const relay = await connectRelay(rig.folder);
    const address = await relay.addressOf('api.test');
    relay.close();
    expect(address).toMatch(/^198\./);
    expect(rig.broker.authority.certificatePem).toBe(certificatePem);
    expect(children).toHaveLength(2);
    await expect(rig.broker.linked(AbortSignal.timeout(3000))).resolves.toEqual({
      ok: true,
      value: undefined,
    });
  });

  it('stops a process that speaks out of line', async () => {
    const before = children.length;
    const listeners: ((message: unknown) => void)[] = [];
    const folder = await mkdtemp(join(tmpdir(), 'glovebox-line-'));
    const scope = createScope('line');
    const killed = Promise.withResolvers<void>();
    const started = createStartBroker({
      env: {},
      spawn: (entry, env) => {
        const child = forkProcess(entry, env);
        return {
          ...child,
          onMessage: (listener) => {
            listeners.push(listener);
            child.onMessage(listener);
          },
          kill: () => {
            killed.resolve();
            child.kill();
          },
        };
      },
    });
    const broker = await started(
      {
        session: SESSION,
        linkFolder: folder,
        network: NOWHERE,
        credentials: [],
        upstreamAuthorities: [],
      },
      SILENT,
      scope,
      new AbortController().signal,
    );
    expect(broker.ok).toBe(true);
    listeners[0]?.({ type: 'events', drafts: [{ kind: 'session', op: 'stopped', at: '' }] });
    await killed.promise;
    await scope.close();
    await rm(folder, { recursive: true });
    expect(children.length).toBe(before);
  });

  it.each([
    ['a folder that others can enter', 0o755, undefined],
    ['a file in the socket’s place', 0o700, 'link.sock'],
  ])('does not start over %s', async (_what, mode, file) => {
    const folder = await mkdtemp(join(tmpdir(), 'glovebox-bad-'));
    await chmod(folder, mode);
    if (file !== undefined) await writeFile(join(folder, file), 'precious');
    const scope = createScope('bad');
    const result = await createStartBroker({ env: {} })(
      {
        session: SESSION,
        linkFolder: folder,
        network: NOWHERE,
        credentials: [],
        upstreamAuthorities: [],
      },
      SILENT,
      scope,
      new AbortController().signal,
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'broker.failed' } });
    const left = file === undefined ? undefined : (await stat(join(folder, file))).size;
    expect(left).toBe(file === undefined ? undefined : 8);
    await scope.close();
    await rm(folder, { recursive: true });
  });

  it('does not start with an authority that is none', async () => {
    const scope = createScope('bad');
    const result = await createStartBroker({ env: {} })(
      {
        session: SESSION,
        linkFolder: '/nowhere',
        network: NOWHERE,
        credentials: [],
        upstreamAuthorities: ['hello'],
      },
      SILENT,
      scope,
      new AbortController().signal,
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'broker.failed' } });
    await scope.close();
  });
});
