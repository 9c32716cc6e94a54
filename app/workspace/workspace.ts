import { homedir } from 'node:os';
import { normalize } from 'node:path';
import { fail, ok, type Clock, type Result } from '../kit/index.ts';
import { findHidden, type HiddenSet, type VerdictCache } from './find-hidden.ts';
import { lookAtGit } from './git-state.ts';
import { unmountBelow } from './idmapped-mount.ts';
import { describeProject } from './inspection.ts';
import { mountsBelow, mountsOf } from './mount-table.ts';
import type { PrepareRequest, Workspace, WorkspaceFailure } from './port.ts';
import { asFailure, prepareWorkingCopy } from './prepare.ts';
import { openProject } from './project-folder.ts';
import type { HostIdentity } from './sandbox-user.ts';
import { isOurMount } from './session-folder.ts';

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

/** The room that owns working copies: what a session sees, what it hides, and how its changes come back. */
export const createWorkspace = (deps: WorkspaceDeps): Workspace => {
  const userHome = deps.userHome ?? homedir();
  const host = deps.host ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const verdicts: VerdictCache = new Map();

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
        await findHidden({ root: path, add, show, mountpoints }, deps.clock, verdicts, signal),
      );
    } catch (failure) {
      signal.throwIfAborted();
      return asFailure('looking through the project', failure);
    }
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

    prepare: async (request, signal) => {
      const opened = await openProject(request.project, deps.gloveboxHome, userHome);
      if (!opened.ok) return opened;
      const project = opened.value;
      if (request.mode === 'clone') {
        return fail(
          'not-yet',
          'The “clone” working copy comes in a later version.',
          'Use “overlay”.',
        );
      }
      if (request.mode === 'live' && project.readOnly) {
        return fail(
          'project.read-only',
          `${project.path} is on a read-only disk.`,
          'Use “overlay”.',
        );
      }
      if (request.mode === 'overlay' && process.platform !== 'linux') {
        return fail('workspace.unsupported', 'Overlays need Linux.', 'Use “live”.');
      }
      const nested = mountsBelow(project.path, mountsOf('self'));
      const hidden = await judge(project.path, request.hide, nested, signal);
      if (!hidden.ok) return hidden;
      return prepareWorkingCopy(request, project, hidden.value, host, deps.clock, signal);
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
