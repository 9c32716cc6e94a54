import type { SandboxUser } from '../policy/index.ts';
import type { ProjectFolder } from './project-folder.ts';

/** The user that stands for root inside, where the project belongs to root. */
export const MAPPED_USER: SandboxUser = { uid: 1000, gid: 1000 };

/** Who the host process is. */
export type HostIdentity = { readonly uid: number; readonly gid: number };

/**
 * Who the sandbox runs as: never uid 0. A host user runs it as themselves; root runs it as the project's
 * owner; a project that belongs to root is shown with its ids exchanged (`mapped`).
 */
export const sandboxUserFor = (
  host: HostIdentity,
  project: Pick<ProjectFolder, 'uid' | 'gid'>,
): { readonly user: SandboxUser; readonly mapped: boolean } => {
  if (host.uid !== 0) return { user: { uid: host.uid, gid: host.gid }, mapped: false };
  if (project.uid !== 0) {
    // Group 0 would give the sandbox root's group rights, so such a project's group is its owner's number.
    return {
      user: { uid: project.uid, gid: project.gid === 0 ? project.uid : project.gid },
      mapped: false,
    };
  }
  return { user: MAPPED_USER, mapped: true };
};

/** The exchange 0 ↔ 1000 that an idmapped mount shows; its own inverse. */
export const exchangeId = (id: number, mappedTo: number): number =>
  id === 0 ? mappedTo : id === mappedTo ? 0 : id;

/** Largest id count of a user namespace: 2^32 - 1 ids, the last one meaning "no change" (chown(2)). */
const ID_COUNT = 4_294_967_295;

/** `uid_map` text (user_namespaces(7)) of the exchange: id on disk, id shown, count. */
export const exchangeMap = (mappedTo: number): string =>
  [
    [0, mappedTo, 1],
    [1, 1, mappedTo - 1],
    [mappedTo, 0, 1],
    [mappedTo + 1, mappedTo + 1, ID_COUNT - mappedTo - 1],
  ]
    .map((line) => line.join(' '))
    .join('\n');
