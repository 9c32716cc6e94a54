import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import koffi from 'koffi';
import { descriptorOf } from '../process/descriptor.ts';

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;

const sendmsg = koffi.load(null).func('sendmsg', 'long', [
  'int',
  koffi.pointer(
    koffi.struct({
      name: 'void *',
      nameLength: 'uint32_t',
      iov: koffi.pointer(koffi.struct({ base: 'void *', length: 'size_t' })),
      iovCount: 'size_t',
      control: 'void *',
      controlLength: 'size_t',
      flags: 'int',
    }),
  ),
  'int',
]);

/** Sends descriptors to a broker as a gateway does, or any other message; gives the connection they went over. */
export const handOver = (
  linkFolder: string,
  descriptors: readonly number[],
  data: Buffer,
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(join(linkFolder, 'handover.sock'));
    socket.once('error', reject);
    socket.once('connect', () => {
      const control = Buffer.alloc(16 + Math.ceil(descriptors.length / 2) * 8);
      control.writeBigUInt64LE(BigInt(16 + descriptors.length * 4), 0);
      control.writeInt32LE(SOL_SOCKET, 8);
      control.writeInt32LE(SCM_RIGHTS, 12);
      descriptors.forEach((fd, at) => control.writeInt32LE(fd, 16 + at * 4));
      const message = {
        name: null,
        nameLength: 0,
        iov: [{ base: data, length: data.length }],
        iovCount: 1,
        control: descriptors.length === 0 ? null : control,
        controlLength: descriptors.length === 0 ? 0 : control.length,
        flags: 0,
      };
      const sent = Number(sendmsg(descriptorOf(socket) ?? -1, message, MSG_NOSIGNAL));
      socket.on('error', () => undefined);
      if (sent === data.length) resolve(socket);
      else reject(new Error(`sendmsg: ${String(koffi.errno())}`));
    });
  });
