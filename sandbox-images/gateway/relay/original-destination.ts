import type { Socket } from 'node:net';
import koffi from 'koffi';
import { endpointOf, type Endpoint } from './endpoint.ts';

/** Levels of getsockopt(2), and the option by which netfilter tells a redirected connection's first destination. */
const SOL_IP = 0;
const SOL_IPV6 = 41;
const SO_ORIGINAL_DST = 80;
const SOCKADDR_BYTES = 28;

/** Where a captured connection was going before it was redirected; undefined where the kernel can't say. */
export type OriginalDestination = (socket: Socket, family: 4 | 6) => Endpoint | undefined;

export const createOriginalDestination = (): OriginalDestination => {
  const getsockopt = koffi
    .load('libc.so.6')
    .func(
      'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *bytes)',
    );
  return (socket, family) => {
    const fd = descriptorOf(socket);
    if (fd === undefined) return undefined;
    const value = Buffer.alloc(SOCKADDR_BYTES);
    const bytes = [SOCKADDR_BYTES];
    const level = family === 4 ? SOL_IP : SOL_IPV6;
    if (getsockopt(fd, level, SO_ORIGINAL_DST, value, bytes) !== 0) return undefined;
    return endpointOf(value.subarray(0, bytes[0]), family);
  };
};

/** Node shows a socket's descriptor on its handle alone; it is gone once the socket is closed. */
const descriptorOf = (socket: Socket): number | undefined => {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
};
