import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openArena, type Arena } from './arena.ts';

let arena: Arena;

beforeAll(async () => {
  arena = await openArena();
});
afterAll(async () => {
  await arena.close();
});

const quoted = (path: string): string => `'${path}'`;

describe('host secrets, from inside', () => {
  /** Each script tries to print a secret; whatever it prints, no canary may be in it. */
  it.each<[string, (arena: Arena) => string]>([
    ['the ssh-agent by its variable', () => 'ssh-add -l; echo "sock=$SSH_AUTH_SOCK"; env'],
    [
      'the ssh-agent by the path of its socket',
      (a) =>
        `ls -la ${quoted(a.hostHome)}; python3 -c "import socket; s=socket.socket(socket.AF_UNIX); s.connect('${a.hostHome}/agent.sock')"`,
    ],
    [
      'any socket in the file system',
      () => 'find / -xdev -type s 2>/dev/null; ls -la /run /var/run /tmp',
    ],
    ['~/.aws by its path on the host', (a) => `cat ${quoted(`${a.hostHome}/.aws/credentials`)}`],
    [
      '~/.aws by climbing out of the project',
      () => 'cat ../.aws/credentials ../../.aws/credentials',
    ],
    ['~/.ssh', (a) => `cat ${quoted(`${a.hostHome}/.ssh/id_ed25519`)} ~/.ssh/*`],
    ['~/.netrc', (a) => `cat ${quoted(`${a.hostHome}/.netrc`)} ~/.netrc`],
    ['.env at the top', () => 'cat .env; stat .env; cat ./.env ././.env'],
    [
      '.env three levels down',
      () => 'cat deploy/prod/eu/.env.production; find deploy -type f -exec cat {} +',
    ],
    ['.npmrc', () => 'cat .npmrc; npm config list 2>&1'],
    ['a private key known by its content', () => 'cat certs/dev-key.pem; ls -la certs'],
    [
      'everything that a search of the project finds',
      () => 'grep -rsa canary . ; git grep --no-index canary',
    ],
    [
      'everything that a search of the file system finds',
      () => 'grep -rsla --exclude-dir=proc --exclude-dir=sys -e canary- / 2>/dev/null | head -50',
    ],
    [
      'a symbolic link to the host',
      (a) => `ln -s ${quoted(a.hostHome)} way-out && cat way-out/.aws/credentials; rm -f way-out`,
    ],
    ['a symbolic link to a hidden file', () => 'ln -s .env visible && cat visible; rm -f visible'],
    ['a hard link to a hidden file', () => 'ln .env visible && cat visible; rm -f visible'],
    [
      'removing the hidden file and looking again',
      () => 'rm -rf .env deploy/prod/eu; cat .env; git status --short; git stash -u; cat .env',
    ],
    [
      'a rename of the folder around it',
      () =>
        'cp -r deploy moved && mv deploy elsewhere; grep -rsa canary moved elsewhere; mv elsewhere deploy; rm -rf moved',
    ],
    [
      'git history and objects',
      () =>
        'git log -p --all; git fsck --lost-found; git rev-list --objects --all | cut -d" " -f1 | git cat-file --batch',
    ],
    [
      'the root of another process',
      (a) =>
        `for p in /proc/[0-9]*; do cat $p/root${a.hostHome}/.aws/credentials $p/root${a.project}/.env $p/cwd/.env; done`,
    ],
    [
      'open files of other processes',
      () =>
        'for f in /proc/[0-9]*/fd/*; do readlink $f; done; for p in /proc/[0-9]*; do tr "\\0" "\\n" < $p/environ; done',
    ],
    [
      'the layers below the overlay',
      () =>
        'cat /proc/self/mountinfo; unshare -Urm sh -c "mount --bind / /mnt; cat /mnt/proc/mounts"',
    ],
    [
      'mounting the project again',
      (a) =>
        `mount -t overlay overlay -o lowerdir=${a.project} /mnt; mount --bind ${a.project} /mnt; cat /mnt/.env`,
    ],
    [
      'a device node of the disk',
      () => 'mknod /tmp/disk b 254 0 && head -c 100 /tmp/disk; ls -la /dev',
    ],
    [
      'opening a file by its handle',
      () => `python3 - <<'P'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class H(ctypes.Structure):
    _fields_ = [('bytes', ctypes.c_uint), ('type', ctypes.c_int), ('data', ctypes.c_ubyte * 128)]
h = H(); h.bytes = 128; mount = ctypes.c_int()
libc.name_to_handle_at(-100, b'README.md', ctypes.byref(h), ctypes.byref(mount), 0)
fd = libc.open_by_handle_at(os.open('.', os.O_RDONLY), ctypes.byref(h), 0)
print('fd', fd, ctypes.get_errno())
assert fd < 0
P`,
    ],
    ['kernel memory', () => 'head -c 64 /proc/kcore; head -c 64 /dev/mem; dmesg | head'],
  ])('%s', async (_name, script) => {
    const outcome = await arena.inside.run(`cd ${quoted(arena.project)}; ${script(arena)}`);
    const shown = outcome.stdout + outcome.stderr;
    const seen = arena.canaries.filter((canary) => shown.includes(canary));
    expect(seen).toEqual([]);
  });

  it('does see what is not secret, so that the above means something', async () => {
    const outcome = await arena.inside.run(
      `cd ${quoted(arena.project)}; cat README.md .env.example`,
    );
    expect(outcome.stdout).toContain('# sample');
    expect(outcome.stdout).toContain('put-yours-here');
  });
});
