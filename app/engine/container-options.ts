import type { ContainerCreateOptions, MountSettings } from 'dockerode';
import { assertNever } from '../kit/index.ts';
import type { SandboxMount } from '../policy/index.ts';
import type { GatewaySpec, GuardSpec, SandboxSpec } from './port.ts';

/** Home folder inside every sandbox: memory, gone with the session. */
export const SANDBOX_HOME = '/home/glovebox';
/** Where the gateway's and the guard's host socket folder is mounted. */
export const SOCKET_TARGET = '/run/glovebox';
/** An address that belongs to nobody (RFC 5737): the gateway answers for every address alike. */
export const SANDBOX_RESOLVER = '192.0.2.53';

export const GATEWAY_MEMORY_BYTES = 256 * 1024 * 1024;
/** The guard keeps one handle for each folder of the project: about 1.5 KiB each, measured. */
export const GUARD_MEMORY_BYTES = 512 * 1024 * 1024;
export const HELPER_PIDS = 64;
export const SHARED_MEMORY_BYTES = 256 * 1024 * 1024;
const TMP_BYTES = 2 * 1024 * 1024 * 1024;
const RUN_BYTES = 64 * 1024 * 1024;

/** `CgroupnsMode` is in the Engine API since 1.41 and not in the types. */
type HostConfig = NonNullable<ContainerCreateOptions['HostConfig']> & {
  readonly CgroupnsMode?: 'private' | 'host';
};
type Labels = Record<string, string>;

/** What every container of ours has, whatever it is for. */
const hardened = (memoryBytes: number, pids: number): HostConfig => ({
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  ReadonlyRootfs: true,
  Privileged: false,
  IpcMode: 'private',
  CgroupnsMode: 'private',
  Memory: memoryBytes,
  // Equal to the memory limit: no swap on top of it.
  MemorySwap: memoryBytes,
  PidsLimit: pids,
  Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
  AutoRemove: false,
  RestartPolicy: { Name: 'no' },
  LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
});

/** Takes the image's own entry point, user and health check out of play. */
const common = (image: string, labels: Labels): ContainerCreateOptions => ({
  Image: image,
  Labels: labels,
  Tty: false,
  OpenStdin: false,
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  StopSignal: 'SIGKILL',
  Healthcheck: { Test: ['NONE'] },
});

const socketMount = (folder: string): MountSettings => ({
  Type: 'bind',
  Source: folder,
  Target: SOCKET_TARGET,
  ReadOnly: false,
  BindOptions: { Propagation: 'rprivate' },
});

/** With `ipv6`, engines' habit of switching IPv6 off in a namespace without a network is undone, so that it is captured too. */
export const gatewayOptions = (
  spec: GatewaySpec,
  labels: Labels,
  hostname: string,
  ipv6: boolean,
): ContainerCreateOptions => ({
  ...common(spec.image, labels),
  // The sandbox joins this namespace and with it takes over the name.
  Hostname: hostname,
  User: '0:0',
  Env: [`GLOVEBOX_UID=${String(spec.user.uid)}`, `GLOVEBOX_GID=${String(spec.user.gid)}`],
  HostConfig: {
    ...hardened(GATEWAY_MEMORY_BYTES, HELPER_PIDS),
    NetworkMode: 'none',
    // What building the trap and then giving everything away needs; nothing of it is left afterwards.
    CapAdd: ['NET_ADMIN', 'NET_RAW', 'SETUID', 'SETGID', 'SETPCAP'],
    Dns: [SANDBOX_RESOLVER],
    DnsSearch: ['.'],
    DnsOptions: ['timeout:5', 'attempts:2'],
    ...(ipv6 ? { Sysctls: { 'net.ipv6.conf.lo.disable_ipv6': '0' } } : {}),
    Mounts: [socketMount(spec.linkFolder)],
    Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=16m,mode=1777' },
  },
});

export const guardOptions = (
  spec: GuardSpec,
  labels: Labels,
  appArmor: boolean,
): ContainerCreateOptions => ({
  ...common(spec.image, labels),
  User: '0:0',
  Env: [`GLOVEBOX_WATCH=${spec.watch}`],
  HostConfig: {
    ...hardened(GUARD_MEMORY_BYTES, HELPER_PIDS),
    NetworkMode: 'none',
    PidMode: `container:${spec.sandbox}`,
    CapAdd: ['SYS_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH'],
    // Docker's AppArmor profile refuses reading another container's /proc entries; seccomp stays as it is.
    SecurityOpt: ['no-new-privileges', ...(appArmor ? ['apparmor=unconfined'] : [])],
    Mounts: [socketMount(spec.socketFolder)],
  },
});

/** A sandbox's mounts as the engine takes them; overlays are volumes by then. */
export const mountSettings = (
  mounts: readonly SandboxMount[],
  volumeOf: ReadonlyMap<SandboxMount, string>,
): MountSettings[] =>
  mounts.flatMap((mount): MountSettings[] => {
    switch (mount.type) {
      case 'bind':
        return [
          {
            Type: 'bind',
            Source: mount.source,
            Target: mount.target,
            ReadOnly: mount.readOnly,
            BindOptions: { Propagation: 'rprivate' },
          },
        ];
      case 'overlay':
      case 'volume':
        return [
          {
            Type: 'volume',
            Source: mount.type === 'volume' ? mount.name : (volumeOf.get(mount) ?? ''),
            Target: mount.target,
            ReadOnly: mount.type === 'volume' && mount.readOnly,
            // What the image has at that place must not be copied into the user's project.
            VolumeOptions: {
              NoCopy: true,
              Labels: {},
              DriverConfig: { Name: 'local', Options: {} },
            },
          },
        ];
      case 'tmpfs':
        return [];
      default:
        return assertNever(mount, 'a mount');
    }
  });

const tmpfsOptions = (sizeBytes: number, mode: number, owner: string, exec = true): string =>
  `rw,${exec ? 'exec' : 'noexec'},nosuid,nodev,size=${String(sizeBytes)},mode=${mode.toString(8)}${owner}`;

const ownPlaces = (user: SandboxSpec['user'], memoryBytes: number): Record<string, string> => {
  const owner = `,uid=${String(user.uid)},gid=${String(user.gid)}`;
  // Memory files count towards the memory limit anyway; the sizes only say so earlier.
  const large = Math.min(TMP_BYTES, memoryBytes);
  return {
    // Package managers run what they unpack here: exec, but never setuid and never a device.
    '/tmp': tmpfsOptions(large, 0o1777, ''),
    '/var/tmp': tmpfsOptions(large, 0o1777, ''),
    '/run': tmpfsOptions(RUN_BYTES, 0o755, owner, false),
    [SANDBOX_HOME]: tmpfsOptions(large, 0o700, owner),
  };
};

export const sandboxOptions = (
  spec: SandboxSpec,
  labels: Labels,
  volumeOf: ReadonlyMap<SandboxMount, string>,
): ContainerCreateOptions => {
  const { user, limits } = spec;
  const own = spec.mounts.flatMap((mount): [string, string][] =>
    mount.type === 'tmpfs'
      ? [
          [
            mount.target,
            tmpfsOptions(
              mount.sizeBytes,
              mount.mode,
              `,uid=${String(user.uid)},gid=${String(user.gid)}`,
            ),
          ],
        ]
      : [],
  );
  return {
    ...common(spec.image, labels),
    User: `${String(user.uid)}:${String(user.gid)}`,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: spec.workingFolder,
    // The engine's init reaps what the assistant leaves behind; the assistant itself comes by exec.
    Entrypoint: [],
    Cmd: ['sleep', 'infinity'],
    HostConfig: {
      ...hardened(limits.memoryBytes, limits.pids),
      NetworkMode: `container:${spec.gateway}`,
      NanoCpus: Math.round(limits.cpus * 1e9),
      ShmSize: SHARED_MEMORY_BYTES,
      Init: true,
      // Goes before anything of the host when memory runs short.
      OomScoreAdj: 500,
      Tmpfs: { ...ownPlaces(user, limits.memoryBytes), ...Object.fromEntries(own) },
      Mounts: mountSettings(spec.mounts, volumeOf),
    },
  };
};
