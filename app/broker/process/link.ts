import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { openCapture, type CaptureDeps } from './capture.ts';
import type { DnsServer } from './dns-server.ts';
import { openDnsSockets } from './dns-sockets.ts';
import { sortHandedOver } from './handed-sockets.ts';
import { closeHandedOver, createHandover } from './handover.ts';
import { recordRefusedUdp } from './refused-udp.ts';

/** Names of the sockets in the session's link folder: of the link itself, and for what is handed over. */
export const LINK_SOCKET = 'link.sock';
export const HANDOVER_SOCKET = 'handover.sock';
/** Most gateways at once: the one that is there, and its successor while the old one is found dead. */
export const MAX_LINKS = 4;

export type LinkDeps = CaptureDeps & {
  readonly dns: DnsServer;
  readonly onLinked: () => void;
};

/** The broker's end of the way to the gateway: its sockets in the link folder, and what came over them. */
export type Link = {
  /** Listens in the folder; throws where that cannot be done safely. */
  readonly listen: (folder: string) => Promise<void>;
  readonly close: () => void;
};

/**
 * Serves the sandbox's sockets, which a gateway hands over before it links, for as long as that link is there:
 * its end is the gateway's, and ours is the broker's.
 */
export const createLink = (deps: LinkDeps): Link => {
  /** Each with what ends what it brought. */
  const links = new Map<Socket, () => void>();
  const end = (link: Socket): void => {
    const close = links.get(link);
    links.delete(link);
    close?.();
    link.destroy();
  };
  const handover = createHandover(deps.native, deps.clock);

  const serve = async (link: Socket): Promise<void> => {
    const handed = await handover.take();
    if (link.destroyed) {
      closeHandedOver(handed);
      return;
    }
    const sockets = sortHandedOver(deps.native, handed);
    if (sockets === undefined) {
      link.destroy();
      return;
    }
    const onFailure = (): void => end(link);
    const { connections, dnsDatagrams, dnsConnections } = sockets;
    const capture = openCapture(deps, connections, onFailure);
    links.set(link, capture.close);
    const dns = openDnsSockets(deps, dnsDatagrams, dnsConnections, onFailure);
    links.set(link, () => {
      capture.close();
      dns.close();
    });
    recordRefusedUdp(link, deps);
    deps.onLinked();
  };

  // What a link says is read once its sockets are there.
  const server = createServer({ pauseOnConnect: true }, (link) => {
    link.on('error', () => undefined);
    if (links.size >= MAX_LINKS) {
      link.destroy();
      return;
    }
    links.set(link, () => undefined);
    link.once('close', () => end(link));
    serve(link).catch(() => end(link));
  });
  return {
    listen: async (folder) => {
      await listenIn(folder, HANDOVER_SOCKET, handover.server);
      await listenIn(folder, LINK_SOCKET, server);
    },
    close: () => {
      server.close();
      handover.close();
      for (const link of links.keys()) end(link);
    },
  };
};

/** The one right others may have on the link folder: its group, the gateway's, may pass through. */
const GROUP_PASSES = 0o010;

/**
 * Listens on a socket of the link folder: removes what a dead process of ours left there, and nothing else.
 * The folder is this user's alone; where its group may pass through (mode 0710), the gateway runs in
 * that group and may connect.
 */
const listenIn = async (folder: string, name: string, server: Server): Promise<void> => {
  const found = await lstat(folder);
  const uid = process.getuid?.();
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077 & ~GROUP_PASSES) !== 0) {
    throw new Error(`the link folder ${folder} is not a folder that this user alone can change`);
  }
  const path = join(folder, name);
  const stale = await lstat(path).catch(() => undefined);
  if (stale !== undefined) {
    if (!stale.isSocket() || stale.uid !== uid) {
      throw new Error(`${path} is there already and is not a socket of ours`);
    }
    await unlink(path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  // Run by root, the gateway is another user than we: the folder's group lets it connect, no more.
  const shared = (found.mode & GROUP_PASSES) !== 0;
  if (shared) await chown(path, found.uid, found.gid);
  await chmod(path, shared ? 0o660 : 0o600);
};
