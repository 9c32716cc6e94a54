import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_PROCESSES, openArena, REAL_KEY, type Arena } from './arena.ts';

/**
 * A script that asks the kernel directly, since the tools are not in the sandbox: it fails where the answer is
 * “not permitted” (EPERM), and succeeds for anything else, an unexpected error too.
 */
const permitted = (ask: string): string => `python3 - <<'P'
import ctypes, fcntl, socket, struct, sys
def refused(result, errno):
    if result == -1 and errno == 1: raise PermissionError
try:
    ${ask.replaceAll('\n', '\n    ')}
except PermissionError:
    sys.exit(1)
except Exception as unexpected:
    print(unexpected)
P`;

let arena: Arena;

beforeAll(async () => {
  arena = await openArena();
});
afterAll(async () => {
  await arena.close();
});

describe('powers, from inside', () => {
  it('has no capability, no new privileges, a seccomp filter, and is not root', async () => {
    const { stdout } = await arena.inside.run('cat /proc/self/status; id -u');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(stdout).toMatch(new RegExp(`${set}:\\s+0000000000000000`));
    }
    expect(stdout).toMatch(/NoNewPrivs:\s+1/);
    expect(stdout).toMatch(/Seccomp:\s+2/);
    expect(stdout.trim().split('\n').at(-1)).not.toBe('0');
  });

  /** Each script must fail: its status says whether the forbidden thing was done. */
  it.each<[string, string]>([
    ['write to the system', 'echo x > /usr/bin/glovebox-was-here'],
    ['write to /etc', 'echo "root::0:0::/:/bin/sh" >> /etc/passwd'],
    ['replace the trusted certificates', 'echo x > /etc/ssl/certs/ca-certificates.crt'],
    ['change a kernel setting', 'echo /tmp/x > /proc/sys/kernel/core_pattern'],
    ['write to cgroups', 'echo 0 > /sys/fs/cgroup/pids/pids.max || mkdir /sys/fs/cgroup/escape'],
    ['mount a file system', 'mount -t tmpfs tmpfs /mnt'],
    ['make a user namespace with a mount in it', 'unshare -Urm mount -t tmpfs tmpfs /mnt'],
    ['make a network namespace', 'unshare -Urn true'],
    ['enter the namespaces of the first process', 'nsenter -t 1 -a true'],
    ['change the root', 'chroot / true'],
    [
      'become root by a set-uid shell',
      'cp /bin/bash /tmp/b && chmod 4755 /tmp/b && [ "$(/tmp/b -p -c "id -u")" = 0 ]',
    ],
    ['become root by su', 'echo | su -c true'],
    [
      'load a kernel module',
      permitted(
        `refused(ctypes.CDLL(None, use_errno=True).syscall(175, 0, 0, b''), ctypes.get_errno())`,
      ),
    ],
    ['make a device', 'mknod /tmp/d c 1 1'],
    ['set the clock', 'date -s 2001-01-01'],
    ['read the kernel log', 'dmesg'],
    [
      'bring the link down',
      permitted(`fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 0))`),
    ],
    ['add a route', permitted(`fcntl.ioctl(socket.socket(), 0x890B, bytes(120))`)],
    [
      'flush the capture rules',
      permitted(`s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.send(struct.pack('=IHHIIBBH', 20, 10 << 8 | 2, 5, 1, 0, 0, 0, 0))
refused(struct.unpack_from('=i', s.recv(4096), 16)[0], 1)`),
    ],
    [
      'open a raw socket',
      'python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)"',
    ],
    [
      'open a packet socket',
      'python3 -c "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"',
    ],
    [
      'reach the hypervisor by vsock',
      'timeout 5 python3 -c "import socket; s=socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); s.settimeout(2); s.connect((2, 1024))"',
    ],
    [
      'see the container engine',
      'ls /var/run/docker.sock || ls /run/docker.sock || ls /run/podman/podman.sock',
    ],
    [
      'talk to the container engine over TCP',
      'curl -sf -m 4 http://172.17.0.1:2375/version || curl -sf -m 4 http://127.0.0.1:2375/version',
    ],
    ['see the link to the broker', 'ls /run/glovebox/link.sock'],
    [
      'trace the guard',
      'pid=$(grep -lsa guard /proc/[0-9]*/comm | head -1 | cut -d/ -f3); python3 -c "import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).ptrace(16, int(sys.argv[1]), 0, 0) == 0 else 1)" "${pid:?}"',
    ],
    [
      'kill the guard',
      'pid=$(grep -lsa guard /proc/[0-9]*/comm | head -1 | cut -d/ -f3); kill -9 "${pid:?no guard in sight}"',
    ],
    [
      'read the guard’s memory',
      'pid=$(grep -lsa guard /proc/[0-9]*/comm | head -1 | cut -d/ -f3); head -c 10 "/proc/${pid:?}/mem"',
    ],
    [
      'use the kernel’s bpf',
      'python3 -c "import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).syscall(321, 0, 0, 0) >= 0 else 1)"',
    ],
    [
      'use the kernel’s keyring',
      'python3 -c "import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).syscall(250, 0, -3, 0) >= 0 else 1)"',
    ],
  ])('can not %s', async (_name, script) => {
    const outcome = await arena.inside.run(script);
    expect(outcome.status).not.toBe(0);
    // A tool that is not there would prove nothing.
    expect(outcome.status).not.toBe(127);
    expect(outcome.stderr).not.toContain('command not found');
  });

  it('sees no process of the host', async () => {
    const { stdout } = await arena.inside.run(
      'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done',
    );
    expect(stdout).not.toMatch(/dockerd|containerd|vitest|process\/main\.ts/);
  });

  it('finds neither key nor broker in any memory it can read', async () => {
    const half = REAL_KEY.slice(0, 26);
    const rest = REAL_KEY.slice(26);
    // The needle is put together inside, so that the search does not find itself.
    const { stdout } = await arena.inside.run(`python3 - <<'P'
import os
needle = ('${half}' + '').encode() + '${rest}'.encode()
found = []
for pid in [p for p in os.listdir('/proc') if p.isdigit()]:
    try:
        maps = open(f'/proc/{pid}/maps').read().splitlines()
        mem = open(f'/proc/{pid}/mem', 'rb', 0)
    except OSError:
        continue
    for line in maps:
        if 'r' not in line.split()[1]: continue
        a, b = [int(x, 16) for x in line.split()[0].split('-')]
        try:
            mem.seek(a); data = mem.read(min(b - a, 1 << 26))
        except (OSError, ValueError, OverflowError):
            continue
        if needle in data and int(pid) != os.getpid(): found.append(pid)
print('found', found)
P`);
    expect(stdout).toContain('found []');
  });

  it('can not use up the host’s processes', async () => {
    const { stdout } = await arena.inside.run(
      'for i in $(seq 900); do sleep 20 & done 2>/dev/null; ls -d /proc/[0-9]* | wc -l; kill $(jobs -p) 2>/dev/null; wait 2>/dev/null',
      120_000,
    );
    expect(Number(stdout.trim().split('\n').at(-1) ?? 'NaN')).toBeLessThanOrEqual(MAX_PROCESSES);
    expect((await arena.inside.run('echo alive')).stdout).toContain('alive');
  });

  it('can not use up the host’s memory', async () => {
    const { status } = await arena.inside.run(
      'python3 -c "b=[]\nwhile True: b.append(bytearray(1<<27))"',
      120_000,
    );
    expect(status).not.toBe(0);
    expect((await arena.inside.run('echo alive')).stdout).toContain('alive');
  });
});
