import {
  datagramFamily,
  isOnLoopback,
  listeningFamily,
  prepareListening,
  type Family,
} from './captured-socket.ts';
import { closeHandedOver, type HandedOver } from './handover.ts';
import type { NativeSockets } from './native-sockets.ts';

export type HandedSocket = { readonly fd: number; readonly family: Family };

/** The sandbox's sockets by what they are for, one of each family; who has them owns them. */
export type HandedSockets = {
  /** Listen for captured connections. */
  readonly connections: readonly HandedSocket[];
  /** Get DNS datagrams. */
  readonly dnsDatagrams: readonly HandedSocket[];
  /** Listen for DNS connections. */
  readonly dnsConnections: readonly HandedSocket[];
};

/** What gateways hand over: sockets of IPv4, and of IPv6 where the engine has it. */
const FAMILIES: ReadonlySet<string> = new Set(['4', '4,6']);

/**
 * Takes what a gateway handed over (gateway.h) for what the kernel says it is: of each kind one socket of each
 * family, listening where it has to, bound to loopback. Undefined for anything else, and all of it closed.
 */
export const sortHandedOver = (
  native: NativeSockets,
  handed: readonly HandedOver[],
): HandedSockets | undefined => {
  const ofKind = (kind: string, familyOf: typeof listeningFamily): readonly HandedSocket[] =>
    handed.flatMap((one) => {
      const family = one.kind === kind ? familyOf(native, one.fd) : undefined;
      const fits = family !== undefined && isOnLoopback(native, one.fd, family);
      return fits ? [{ fd: one.fd, family }] : [];
    });
  const connections = ofKind('c', listeningFamily);
  const dnsDatagrams = ofKind('d', datagramFamily);
  const dnsConnections = ofKind('t', listeningFamily);
  const kinds = [connections, dnsDatagrams, dnsConnections];
  const [first = '', ...others] = kinds.map((sockets) =>
    sockets
      .map(({ family }) => family)
      .toSorted((one, other) => one - other)
      .join(),
  );
  const fits =
    FAMILIES.has(first) &&
    others.every((families) => families === first) &&
    kinds.flat().length === handed.length &&
    connections.every(({ fd }) => prepareListening(native, fd));
  if (fits) return { connections, dnsDatagrams, dnsConnections };
  closeHandedOver(handed);
  return undefined;
};
