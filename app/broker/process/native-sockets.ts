import { createRequire } from 'node:module';
import type koffiModule from 'koffi';
import { readSockaddr, SOCKADDR_BYTES, type Endpoint } from './endpoint.ts';

/**
 * The socket calls Node has no API for: descriptors that come with a message, where a socket is bound, and options of any kind.
 * With `native-heap.ts`, all of this room that speaks to libc. Linux on x64 and arm64.
 */

/** Most descriptors that one message may carry; the kernel closes what does not fit and says so. */
export const MAX_MESSAGE_DESCRIPTORS = 6;

/** What one message brought; the caller owns the descriptors. */
export type Received = {
  readonly data: Buffer;
  readonly descriptors: readonly number[];
  /** There were more descriptors, or more bytes, than are ever sent. */
  readonly truncated: boolean;
};

export type NativeSockets = {
  /** Takes one message without waiting (recvmsg(2)), its descriptors closed on exec; undefined where none is there. */
  readonly receive: (fd: number) => Received | undefined;
  /** The address and port that a socket is bound to (getsockname(2)), or undefined where it is to none. */
  readonly boundTo: (fd: number) => Endpoint | undefined;
  /** The value of an option (getsockopt(2)), or undefined where the kernel gives none. */
  readonly option: (fd: number, level: number, name: number, bytes: number) => Buffer | undefined;
  /** setsockopt(2); false where the kernel refuses. */
  readonly setOption: (fd: number, level: number, name: number, value: Buffer) => boolean;
};

/** sys/socket.h */
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const CMSG_HEADER_BYTES = 16;
const CMSG_ALIGN = 8;
const MESSAGE_BYTES = 16;

type MessageHeader = {
  readonly name: null;
  readonly nameLength: number;
  readonly iov: readonly { readonly base: Buffer; readonly length: number }[];
  readonly iovCount: number;
  readonly control: Buffer;
  readonly controlLength: number;
  readonly flags: number;
};

/** The descriptors in the control part of a message (cmsg(3)). */
const descriptorsIn = (control: Buffer): readonly number[] => {
  const found: number[] = [];
  let at = 0;
  while (at + CMSG_HEADER_BYTES <= control.length) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < CMSG_HEADER_BYTES || at + length > control.length) break;
    const isRights =
      control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS;
    const end = isRights ? at + length : at;
    for (let fd = at + CMSG_HEADER_BYTES; fd + 4 <= end; fd += 4) {
      found.push(control.readInt32LE(fd));
    }
    at += Math.ceil(length / CMSG_ALIGN) * CMSG_ALIGN;
  }
  return found;
};

export const createNativeSockets = (): NativeSockets => {
  // By name: the prebuilt library differs per platform and stays outside of bundles.
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  const libc = koffi.load(null);
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
  const header = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    iov: koffi.pointer(iovec),
    iovCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const recvmsg = libc.func('recvmsg', 'long', ['int', koffi.inout(koffi.pointer(header)), 'int']);
  const getsockname = libc.func(
    'int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *bytes)',
  );
  const getsockopt = libc.func(
    'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *bytes)',
  );
  const setsockopt = libc.func(
    'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t bytes)',
  );
  const controlBytes =
    CMSG_HEADER_BYTES + Math.ceil((4 * MAX_MESSAGE_DESCRIPTORS) / CMSG_ALIGN) * CMSG_ALIGN;

  return {
    receive: (fd) => {
      const base = Buffer.alloc(MESSAGE_BYTES);
      const control = Buffer.alloc(controlBytes);
      const message: MessageHeader = {
        name: null,
        nameLength: 0,
        iov: [{ base, length: MESSAGE_BYTES }],
        iovCount: 1,
        control,
        controlLength: controlBytes,
        flags: 0,
      };
      const bytes = Number(recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
      if (bytes < 0) return undefined;
      return {
        data: base.subarray(0, bytes),
        descriptors: descriptorsIn(control.subarray(0, message.controlLength)),
        truncated: (message.flags & (MSG_CTRUNC | MSG_TRUNC)) !== 0,
      };
    },
    boundTo: (fd) => {
      const address = Buffer.alloc(SOCKADDR_BYTES);
      const length = [SOCKADDR_BYTES];
      if (getsockname(fd, address, length) !== 0) return undefined;
      return readSockaddr(address.subarray(0, length[0]));
    },
    option: (fd, level, name, bytes) => {
      const value = Buffer.alloc(bytes);
      const length = [bytes];
      if (getsockopt(fd, level, name, value, length) !== 0) return undefined;
      return value.subarray(0, length[0]);
    },
    setOption: (fd, level, name, value) => setsockopt(fd, level, name, value, value.length) === 0,
  };
};
