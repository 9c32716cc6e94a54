import type Docker from 'dockerode';
import { SessionId } from '../contract/index.ts';
import { err, ok, type Result } from '../kit/index.ts';
import { engineFailure, statusOf } from './failure.ts';
import { labelFilter, ownerOf } from './labels.ts';
import { isOwnerDead, processStart, type OwnerIdentity } from './owner.ts';
import type { EngineFailure } from './port.ts';

const GONE_OR_GOING = new Set([404, 409]);

/** Ignores that something is already gone; 409 is the engine's "removal is already in progress". */
const gently = async (removal: Promise<unknown>): Promise<void> => {
  try {
    await removal;
  } catch (thrown) {
    if (!GONE_OR_GOING.has(statusOf(thrown) ?? 0)) throw thrown;
  }
};

/** Removes a session's containers, then its volumes. Host folders are never touched: an overlay's live on the host. */
export const removeSession = async (
  docker: Docker,
  install: string,
  session: string,
): Promise<Result<void, EngineFailure>> => {
  const filters = labelFilter(install, session);
  try {
    const containers = await docker.listContainers({ all: true, filters });
    // The sandbox goes before what it borrows its namespaces from: nothing runs unwatched meanwhile.
    const order = ['sandbox', 'guard', 'gateway'];
    const rank = (labels: Record<string, string>): number =>
      order.indexOf(labels['dev.glovebox.role'] ?? '');
    for (const { Id } of containers.toSorted((a, b) => rank(a.Labels) - rank(b.Labels))) {
      await gently(docker.getContainer(Id).remove({ force: true, v: true }));
    }
    const { Volumes } = await docker.listVolumes({ filters });
    for (const { Name } of Volumes ?? []) {
      await gently(docker.getVolume(Name).remove());
    }
    return ok(undefined);
  } catch (thrown) {
    return err(engineFailure(thrown, 'Removing the session’s containers'));
  }
};

/** Sessions of this installation whose owner is gone for certain. */
export const abandonedSessions = async (
  found: readonly { readonly session: string; readonly owner: OwnerIdentity }[],
  startOf: (pid: number) => Promise<string | undefined>,
  here: string,
): Promise<readonly SessionId[]> => {
  const dead = new Set<string>();
  const alive = new Set<string>();
  for (const { session, owner } of found) {
    const isDead = isOwnerDead(owner, await startOf(owner.pid), here);
    (isDead ? dead : alive).add(session);
  }
  return Array.from(dead)
    .filter((session) => !alive.has(session))
    .map((session) => SessionId.safeParse(session))
    .flatMap((parsed) => (parsed.success ? [parsed.data] : []));
};

/** Removes what dead owners of this installation left. */
export const sweep = async (
  docker: Docker,
  install: string,
  self: OwnerIdentity,
): Promise<Result<readonly SessionId[], EngineFailure>> => {
  try {
    const filters = labelFilter(install);
    const containers = await docker.listContainers({ all: true, filters });
    const { Volumes } = await docker.listVolumes({ filters });
    const found = [...containers, ...(Volumes ?? [])]
      .map(({ Labels }) => ownerOf(Labels))
      .filter((owned) => owned !== undefined);
    const sessions = await abandonedSessions(found, (pid) => processStart(pid), self.start);
    for (const session of sessions) {
      const removed = await removeSession(docker, install, session);
      if (!removed.ok) return removed;
    }
    return ok(sessions);
  } catch (thrown) {
    return err(engineFailure(thrown, 'Sweeping what earlier sessions left'));
  }
};
