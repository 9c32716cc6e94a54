import { createRequire } from 'node:module';
import type koffiModule from 'koffi';

/**
 * The system calls Node has no API for: extended attributes, `mknodat`, idmapped mounts. The one file of this
 * room that speaks to libc. Loaded on first use; Linux on x64 and arm64.
 */

type Call = (...arguments_: (number | bigint | string | Buffer | null)[]) => number;

export type Native = {
  /** The attribute's value, or undefined where there is none (ENODATA). lgetxattr(2). */
  readonly attribute: (path: string, name: string) => Buffer | undefined;
  /** lsetxattr(2); throws a `NativeError`. */
  readonly setAttribute: (path: string, name: string, value: string) => void;
  /** An overlay whiteout: a character device 0/0 (mknodat(2); no capability needed since Linux 5.8). */
  readonly whiteout: (path: string | Buffer) => void;
  /** A detached copy of the mount at `path` (open_tree(2)); the caller closes the descriptor. */
  readonly cloneMount: (path: string) => number;
  /** Maps the ids of a detached mount by a user namespace, and makes it read-only if asked (mount_setattr(2)). */
  readonly mapIds: (mount: number, userNamespace: number, readOnly: boolean) => void;
  /** Attaches a detached mount (move_mount(2)). */
  readonly attach: (mount: number, target: string) => void;
  /** umount2(2) with MNT_DETACH and UMOUNT_NOFOLLOW. */
  readonly detach: (target: string) => void;
};

/** A system call that failed, with the name of its error as Node's own errors carry it. */
export class NativeError extends Error {
  readonly code: string;
  readonly syscall: string;
  constructor(syscall: string, code: string, path: string) {
    super(`${syscall} ${path}: ${code}`);
    this.name = 'NativeError';
    this.code = code;
    this.syscall = syscall;
  }
}

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const S_IFCHR = 0o020000;
/** linux/mount.h */
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_IDMAP = 0x00100000n;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** asm/unistd_64.h, asm-generic/unistd.h */
const SYS_MKNODAT = { x64: 259, arm64: 33 };
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_MOUNT_SETATTR = 442;
const MAX_ATTRIBUTE_BYTES = 256;

const load = (): Native => {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    throw new NativeError('load', 'ENOSYS', `${process.platform} ${process.arch}`);
  }
  // Loaded by name and late: the prebuilt library differs per platform and most of the room does not need it.
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  const libc = koffi.load(null);
  const define = (prototype: string): Call => libc.func(prototype);
  const codes = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));
  const check = (syscall: string, path: string, result: number): number => {
    if (result >= 0) return result;
    throw new NativeError(syscall, codes.get(koffi.errno()) ?? `errno ${koffi.errno()}`, path);
  };

  const lgetxattr = define('long lgetxattr(const char*, const char*, void*, size_t)');
  const lsetxattr = define('int lsetxattr(const char*, const char*, const char*, size_t, int)');
  const umount2 = define('int umount2(const char*, int)');
  const syscall = (types: readonly string[]): Call =>
    libc.func('syscall', 'long', ['long', ...types]);
  const mknodat = syscall(['int', 'void*', 'unsigned int', 'unsigned long']);
  const openTree = syscall(['int', 'const char*', 'unsigned int']);
  const moveMount = syscall(['int', 'const char*', 'int', 'const char*', 'unsigned int']);
  const mountSetattr = syscall(['int', 'const char*', 'unsigned int', 'void*', 'size_t']);
  const mknodNumber = SYS_MKNODAT[process.arch];

  return {
    attribute: (path, name) => {
      const value = Buffer.alloc(MAX_ATTRIBUTE_BYTES);
      const length = lgetxattr(path, name, value, MAX_ATTRIBUTE_BYTES);
      if (length >= 0) return value.subarray(0, length);
      const code = codes.get(koffi.errno());
      if (code === 'ENODATA' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') return undefined;
      throw new NativeError('lgetxattr', code ?? 'EIO', path);
    },
    setAttribute: (path, name, value) => {
      check('lsetxattr', path, lsetxattr(path, name, value, Buffer.byteLength(value), 0));
    },
    whiteout: (path) => {
      const bytes = Buffer.concat([Buffer.from(path), Buffer.of(0)]);
      check('mknodat', String(path), mknodat(mknodNumber, AT_FDCWD, bytes, S_IFCHR, 0));
    },
    cloneMount: (path) =>
      check(
        'open_tree',
        path,
        openTree(SYS_OPEN_TREE, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
      ),
    mapIds: (mount, userNamespace, readOnly) => {
      // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
      const attributes = Buffer.alloc(32);
      attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP | (readOnly ? MOUNT_ATTR_RDONLY : 0n), 0);
      attributes.writeBigUInt64LE(BigInt(userNamespace), 24);
      check(
        'mount_setattr',
        `descriptor ${mount}`,
        mountSetattr(SYS_MOUNT_SETATTR, mount, '', AT_EMPTY_PATH, attributes, attributes.length),
      );
    },
    attach: (mount, target) => {
      check(
        'move_mount',
        target,
        moveMount(SYS_MOVE_MOUNT, mount, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH),
      );
    },
    detach: (target) => {
      check('umount2', target, umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW));
    },
  };
};

let loaded: Native | undefined;

/** The system calls, loaded once. Throws a `NativeError` (ENOSYS) on other platforms. */
export const native = (): Native => (loaded ??= load());
