import { chown, lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import type { SandboxMount } from '../policy/index.ts';
import { LABEL, sessionLabels } from './labels.ts';
import { thisOwner } from './owner.ts';
import {
  isRoot,
  limits,
  never,
  openEngineRig,
  user,
  type EngineRig,
} from './testing/engine-rig.ts';

let rig: EngineRig;
beforeAll(async () => {
  rig = await openEngineRig();
});
afterEach(() => rig.removeSessions());
afterAll(() => rig.close());

describe('a sandbox', () => {
  it('is started with every hardening', async () => {
    const { id, gateway } = await rig.startSandbox();
    const { HostConfig, Config, Mounts } = await rig.docker.getContainer(id).inspect();
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
      sessionLabels(
        rig.installId,
        Config.Labels[LABEL.session] ?? '',
        'sandbox',
        await thisOwner(),
      ),
    );
  });

  it('has no capability, a seccomp filter, no way to new privileges, and cannot write its root', async () => {
    const { id } = await rig.startSandbox();
    const { stdout } = await rig.run(
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
    const { id } = await rig.startSandbox();
    const { stdout, exit } = await rig.run(
      id,
      'for d in ~ /tmp /var/tmp; do printf "#!/bin/sh\\necho ran\\n" > $d/x && chmod +x $d/x && $d/x || exit 1; done; ls /var/run/docker.sock /run/docker.sock 2>/dev/null',
    );
    expect(stdout).toBe('ran\nran\nran\n');
    expect(exit).not.toBe(1);
  });

  it('keeps to its memory and process limits', async () => {
    const { id } = await rig.startSandbox([], { limits: { ...limits, pids: 32 } });
    const forks = await rig.run(
      id,
      'i=0; while [ $i -lt 64 ]; do sleep 5 & i=$((i+1)); done; wait',
    );
    expect(forks.stderr).toMatch(/fork|Resource temporarily unavailable/i);
    const memory = await rig.run(id, 'python3 -c "x = bytearray(1024*1024*1024)"');
    expect(memory.exit).not.toBe(0);
  });

  it('tells why where it cannot start', async () => {
    const session = rig.newSession();
    const failed = await rig.engine.startGateway(
      { session, image: rig.images.gateway, user, linkFolder: join(rig.folder, 'absent') },
      never,
    );
    expect(failed).toMatchObject({ ok: false, error: { code: 'engine.failed' } });
    expect(failed.ok ? '' : failed.error.message).toContain('absent');
    expect(
      await rig.docker.listContainers({
        all: true,
        filters: { label: [`${LABEL.session}=${session}`] },
      }),
    ).toEqual([]);
  });
});

describe('gateway and guard', () => {
  it('have the few powers they need, no network, and the socket folder alone', async () => {
    const { id, gateway, session } = await rig.startSandbox();
    const guard = unwrap(
      await rig.engine.startGuard(
        {
          session,
          image: rig.images.guard,
          sandbox: id,
          socketFolder: rig.folder,
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
    const socket = [{ Type: 'bind', Source: rig.folder, Destination: '/run/glovebox', RW: true }];
    const gatewayNow = await rig.docker.getContainer(gateway).inspect();
    expect(gatewayNow.HostConfig).toMatchObject({
      ...common,
      CapAdd: ['NET_ADMIN', 'NET_RAW', 'SETUID', 'SETGID', 'SETPCAP'],
      SecurityOpt: ['no-new-privileges'],
      PidMode: '',
    });
    expect(gatewayNow.Mounts).toMatchObject(socket);
    expect(gatewayNow.Config.Env).toContain(`GLOVEBOX_UID=${String(user.uid)}`);
    const guardNow = await rig.docker.getContainer(guard.id).inspect();
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

describe('the working copy', () => {
  it('is an overlay at the project’s own path: written inside, untouched outside, whiteouts stay', async () => {
    const project = join(rig.folder, 'my project: a\\b');
    const state = join(rig.folder, 'state');
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
    const first = await rig.startSandbox([overlay], { workingFolder: project });
    const { HostConfig } = await rig.docker.getContainer(first.id).inspect();
    expect(HostConfig.Mounts).toMatchObject([{ Type: 'volume', Target: project }]);
    const inside = await rig.run(
      first.id,
      `cd '${project}' && cat kept && echo inside > kept && rm gone && echo new > added && ls`,
    );
    expect(inside).toEqual({ stdout: 'kept on the hostadded\nkept\n', stderr: '', exit: 0 });
    expect(await readFile(join(project, 'kept'), 'utf8')).toBe('kept on the host');
    expect(await readFile(join(project, 'gone'), 'utf8')).toBe('gone on the host');
    unwrap(await rig.engine.removeSession(first.session));
    expect((await lstat(join(state, 'upper/gone'))).isCharacterDevice()).toBe(true);
    expect(await readFile(join(state, 'upper/added'), 'utf8')).toBe('new\n');

    const second = await rig.startSandbox([overlay], { workingFolder: project });
    expect((await rig.run(second.id, `ls '${project}'`)).stdout).toBe('added\nkept\n');
  });
});
