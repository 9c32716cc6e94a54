import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Code } from '../contract/index.ts';
import { fail, ok, sleep, type Clock, type Err, type Result } from '../kit/index.ts';
import type { SandboxMount } from '../policy/index.ts';
import { asHiddenFile, type HiddenSet } from './find-hidden.ts';
import { IdmapError, mountIdmapped, unmountBelow } from './idmapped-mount.ts';
import { removeSessionFolder } from './remove-tree.ts';
import { liveMounts, removeCreated } from './live.ts';
import { writeManifest, type Manifest } from './manifest.ts';
import { native, NativeError } from './native.ts';
import { fillUpper, OPAQUE_ATTRIBUTE, overlayOptions } from './overlay.ts';
import type { PrepareRequest, WorkingCopy, WorkspaceFailure } from './port.ts';
import type { ProjectFolder } from './project-folder.ts';
import { sandboxUserFor, type HostIdentity } from './sandbox-user.ts';
import { sessionFolder, type SessionFolder } from './session-folder.ts';

/** Longer than a tick of the kernel's coarse clock (at most 10 ms), which stamps files. */
const CLOCK_TICK_MS = 12;

/** The error of a full disk or quota, as system calls name it. */
export const isDiskFull = (failure: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((failure as NodeJS.ErrnoException).code ?? '');

/** Turns what a file operation threw into a coded failure. */
export const asFailure = (doing: string, failure: unknown): Err<WorkspaceFailure> => {
  if (isDiskFull(failure)) {
    return fail(
      'workspace.disk-full',
      `The disk is full while ${doing}.`,
      'Free some space and try again.',
    );
  }
  const code: Code = 'workspace.failed';
  return fail(code, `Something failed while ${doing}: ${(failure as Error).message}`);
};

/**
 * The moment after which a change of the host counts as one, by the clock that stamps files. Everything
 * written before the call is older, because a tick passes first.
 */
export const markStart = async (
  folder: SessionFolder,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> => {
  await sleep(clock, CLOCK_TICK_MS, signal);
  const probe = join(folder.root, 'start');
  await writeFile(probe, '');
  const { ctimeNs } = await stat(probe, { bigint: true });
  await rm(probe);
  return String(ctimeNs);
};

/** Proves that the session's disk keeps the marks review needs, before anything depends on them. */
const checkMarks = (folder: SessionFolder): Result<void, WorkspaceFailure> => {
  try {
    native().setAttribute(folder.upper, `${OPAQUE_ATTRIBUTE}.probe`, 'y');
    return native().attribute(folder.upper, `${OPAQUE_ATTRIBUTE}.probe`) === undefined
      ? fail('workspace.unsupported', 'The disk of GLOVEBOX_HOME keeps no extended attributes.')
      : ok(undefined);
  } catch (failure) {
    const why = failure instanceof NativeError ? failure.code : (failure as Error).message;
    return fail(
      'workspace.unsupported',
      `An overlay cannot be made below GLOVEBOX_HOME (${why}).`,
      'Put GLOVEBOX_HOME on a local disk (ext4, xfs, btrfs).',
    );
  }
};

/** Builds the folder of a session's working copy and what has to be mounted. Leaves nothing behind on failure. */
export const prepareWorkingCopy = async (
  request: PrepareRequest,
  project: ProjectFolder,
  hidden: HiddenSet,
  host: HostIdentity,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<WorkingCopy, WorkspaceFailure>> => {
  const folder = sessionFolder(request.folder);
  const { user, mapped } = sandboxUserFor(host, project);
  const created: string[] = [];
  const undo = async (): Promise<void> => {
    unmountBelow(folder.root, (target) => target === folder.lower);
    removeCreated(project.path, created);
    created.length = 0;
  };
  const abandon = async (
    reason: Result<never, WorkspaceFailure>,
  ): Promise<Result<never, WorkspaceFailure>> => {
    await undo();
    removeSessionFolder(folder);
    return reason;
  };
  try {
    await mkdir(folder.root, { mode: 0o700 });
  } catch (failure) {
    // Somebody's work may be in it already: it is theirs, so nothing is cleaned up.
    return asFailure('making the session’s folder', failure);
  }
  try {
    for (const path of [folder.upper, folder.work, folder.masks])
      await mkdir(path, { mode: 0o700 });
    let source = project.path;
    if (mapped) {
      await mkdir(folder.lower, { mode: 0o700 });
      // An overlay only reads it; read-only, nothing that goes wrong below our folder can reach the project.
      await mountIdmapped(project.path, folder.lower, user, request.mode === 'overlay');
      source = folder.lower;
    }
    let mounts: readonly SandboxMount[];
    let placed: Manifest['placed'] = [];
    if (request.mode === 'overlay') {
      const marks = checkMarks(folder);
      if (!marks.ok) return await abandon(marks);
      await rm(folder.upper, { recursive: true });
      placed = fillUpper({ ...hidden, project: project.path, folder, mapped, user });
      mounts = [
        {
          type: 'overlay',
          lower: source,
          upper: folder.upper,
          work: folder.work,
          target: project.path,
          options: overlayOptions(host.uid === 0),
        },
      ];
    } else {
      mounts = liveMounts({ ...hidden, project: project.path, source, folder }, created);
    }
    signal.throwIfAborted();
    const manifest: Manifest = {
      version: 1,
      project: project.path,
      mode: request.mode,
      user,
      mapped,
      startedNs: await markStart(folder, clock, signal),
      hidden: hidden.found.map(asHiddenFile),
      placed,
      created: [...created],
      state: 'open',
    };
    await writeManifest(folder.manifest, manifest);
    return ok({
      mounts,
      user,
      hidden: manifest.hidden,
      release: async () => {
        try {
          await undo();
          return ok(undefined);
        } catch (failure) {
          return asFailure('releasing the working copy', failure);
        }
      },
    });
  } catch (failure) {
    if (signal.aborted) {
      await undo();
      removeSessionFolder(folder);
      throw signal.reason;
    }
    if (failure instanceof IdmapError) {
      return abandon(
        fail(
          'project.owner',
          `${project.path} belongs to root and cannot be shown to an unprivileged user here (${failure.message}).`,
          'Give the folder to a normal user (chown), or run Glovebox as the user who owns it.',
        ),
      );
    }
    return abandon(asFailure('preparing the working copy', failure));
  }
};
