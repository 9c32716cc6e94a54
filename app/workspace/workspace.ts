import { homedir } from 'node:os';
import { normalize } from 'node:path';
import { fail, ok, type Clock, type Result } from '../kit/index.ts';
import { acceptChanges } from './accept.ts';
import type { HiddenValues } from './hidden-values.ts';
import { findHidden, type HiddenSet, type VerdictCache } from './find-hidden.ts';
import { lookAtGit } from './git-state.ts';
import { unmountBelow } from './idmapped-mount.ts';
import { describeProject } from './inspection.ts';
import { removeCreated } from './live.ts';
import { readManifest } from './manifest.ts';
import { mountsBelow, mountsOf } from './mount-table.ts';
import type { PrepareRequest, Workspace, WorkspaceFailure } from './port.ts';
import { asFailure, prepareWorkingCopy } from './prepare.ts';
import { openProject, type ProjectFolder } from './project-folder.ts';
import type { HostIdentity } from './sandbox-user.ts';
import { removeSessionFolder } from './remove-tree.ts';
import { countUpper, type ReviewAnswer, type ReviewRequest } from './review.ts';
import { isOurMount, sessionFolder } from './session-folder.ts';
import { createThreads } from './threads.ts';

/** Time the values of hidden files may take to read, in milliseconds. */
export const VALUES_BUDGET_MS = 5000;

export type WorkspaceDeps = {
  /** GLOVEBOX_HOME: refused as a project, with everything around it. */
  readonly gloveboxHome: string;
  readonly clock: Clock;
  /** The user's home folder; the system's answer by default. */
  readonly userHome?: string;
  /** Who this process is; the system's answer by default. */
  readonly host?: HostIdentity;
};

/** `./a//b/` to `a/b`; undefined for what is not below the project. */
const plainPath = (path: string): string | undefined => {
  const plain = normalize(path).replace(/\/+$/, '');
  return plain === '.' || plain === '' || plain.startsWith('..') || plain.startsWith('/')
    ? undefined
    : plain;
};

const NOTHING_ADDED: PrepareRequest['hide'] = { add: [], show: [] };

/** What there is to review; undefined where nothing can be (live, accepted, discarded). */
const openReview = async (
  folder: string,
): Promise<Result<ReviewRequest | undefined, WorkspaceFailure>> => {
  const { manifest: path, upper } = sessionFolder(folder);
  try {
    const manifest = await readManifest(path);
    return ok(
      manifest === undefined || manifest.mode !== 'overlay' || manifest.state !== 'open'
        ? undefined
        : { upper, manifest },
    );
  } catch (failure) {
    return asFailure('reading what the session began with', failure);
  }
};

/** The room that owns working copies: what a session sees, what it hides, and how its changes come back. */
export const createWorkspace = (deps: WorkspaceDeps): Workspace => {
  const userHome = deps.userHome ?? homedir();
  const host = deps.host ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const cache: VerdictCache = new Map();
  const threads = createThreads();

  const judge = async (
    path: string,
    hide: PrepareRequest['hide'],
    mountpoints: readonly string[],
    signal: AbortSignal,
  ): Promise<Result<HiddenSet, WorkspaceFailure>> => {
    const add: string[] = [];
    for (const asked of hide.add) {
      const plain = plainPath(asked);
      if (plain === undefined) {
        return fail('workspace.failed', `${asked} cannot be hidden: it is not inside the project.`);
      }
      add.push(plain);
    }
    const show = hide.show.map(plainPath).filter((shown) => shown !== undefined);
    try {
      return ok(
        await findHidden(
          { root: path, add, show, mountpoints },
          { clock: deps.clock, threads, cache },
          signal,
        ),
      );
    } catch (failure) {
      signal.throwIfAborted();
      return asFailure('looking through the project', failure);
    }
  };

  const admit = async ({
    project,
    mode,
  }: Pick<PrepareRequest, 'project' | 'mode'>): Promise<
    Result<ProjectFolder, WorkspaceFailure>
  > => {
    const opened = await openProject(project, deps.gloveboxHome, userHome);
    if (!opened.ok) return opened;
    const { path, readOnly } = opened.value;
    if (mode === 'clone') {
      return fail(
        'not-yet',
        'The “clone” working copy comes in a later version.',
        'Use “overlay”.',
      );
    }
    if (mode === 'live' && readOnly) {
      return fail(
        'project.read-only',
        `${path} is on a read-only disk, so a live session could change nothing.`,
        'Use “overlay”: its changes are kept until the disk takes them.',
      );
    }
    if (mode === 'overlay' && process.platform !== 'linux') {
      return fail('workspace.unsupported', 'Overlays need Linux.', 'Use “live”.');
    }
    return opened;
  };

  return {
    inspect: async (project, signal) => {
      const opened = await openProject(project, deps.gloveboxHome, userHome);
      if (!opened.ok) return opened;
      const { path } = opened.value;
      const nested = mountsBelow(path, mountsOf('self'));
      const [hidden, git] = await Promise.all([
        judge(path, NOTHING_ADDED, nested, signal),
        lookAtGit(path),
      ]);
      return hidden.ok ? ok(describeProject(opened.value, git, hidden.value, nested)) : hidden;
    },

    admit: async (request) => {
      const admitted = await admit(request);
      return admitted.ok ? ok(admitted.value.path) : admitted;
    },

    prepare: async (request, signal) => {
      const admitted = await admit(request);
      if (!admitted.ok) return admitted;
      const project = admitted.value;
      const nested = mountsBelow(project.path, mountsOf('self'));
      const hidden = await judge(project.path, request.hide, nested, signal);
      if (!hidden.ok) return hidden;
      return prepareWorkingCopy(request, project, hidden.value, host, deps.clock, signal);
    },

    hiddenValues: async (project, hidden, signal) => {
      if (hidden.length === 0) return ok({ values: [], unread: [] });
      try {
        return ok(
          await threads.call<HiddenValues>(
            'values',
            { root: project, hidden },
            signal,
            VALUES_BUDGET_MS,
          ),
        );
      } catch (failure) {
        signal.throwIfAborted();
        return asFailure('reading the hidden files', failure);
      }
    },

    countChanges: async (folder) => {
      const { manifest: path, upper } = sessionFolder(folder);
      try {
        const manifest = await readManifest(path);
        return manifest === undefined || manifest.mode !== 'overlay' || manifest.state !== 'open'
          ? undefined
          : await countUpper(upper, manifest);
      } catch {
        // A count is comfort; whoever asks for the changes themselves gets the failure.
        return undefined;
      }
    },

    changes: async (folder, signal) => {
      const open = await openReview(folder);
      if (!open.ok) return open;
      if (open.value === undefined) return ok({ changes: [], cut: false });
      try {
        return ok(await threads.call<ReviewAnswer>('review', open.value, signal));
      } catch (failure) {
        signal.throwIfAborted();
        return asFailure('comparing the session’s changes with the project', failure);
      }
    },

    accept: async (folder, signal) => {
      const open = await openReview(folder);
      if (!open.ok) return open;
      if (open.value === undefined) {
        return fail('review.nothing', 'The session has no changes of its own to accept.');
      }
      const { project } = open.value.manifest;
      const opened = await openProject(project, deps.gloveboxHome, userHome);
      if (!opened.ok) return opened;
      if (opened.value.path !== project) {
        return fail('workspace.conflict', `${project} is a link to another folder now.`);
      }
      if (opened.value.readOnly) {
        return fail(
          'project.read-only',
          `${project} is on a read-only disk; nothing was written.`,
          'The changes are kept: make the disk writable, then accept again.',
        );
      }
      signal.throwIfAborted();
      return acceptChanges(sessionFolder(folder), open.value, deps.clock, threads);
    },

    discard: async (folder) => {
      const paths = sessionFolder(folder);
      try {
        const manifest = await readManifest(paths.manifest).catch(() => undefined);
        if (manifest !== undefined) removeCreated(manifest.project, manifest.created);
        unmountBelow(folder, isOurMount);
        removeSessionFolder(paths);
        return ok(undefined);
      } catch (failure) {
        return fail(
          'workspace.failed',
          `${paths.root} could not be removed (${(failure as NodeJS.ErrnoException).code ?? (failure as Error).message}).`,
          `The container engine may have left files of its own there; remove them with: sudo rm -r --one-file-system '${paths.root}'`,
        );
      }
    },

    sweep: async (folder) => {
      try {
        unmountBelow(folder, isOurMount);
        return ok(undefined);
      } catch (failure) {
        return asFailure('unmounting what a dead session left', failure);
      }
    },
  };
};
