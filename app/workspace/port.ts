import type {
  AcceptReport,
  ChangeSet,
  Code,
  HiddenFile,
  ProjectInspection,
  WorkspaceMode,
} from '../contract/index.ts';
import type { Failure, Result } from '../kit/index.ts';
import type { HiddenValues } from './hidden-values.ts';
import type { SandboxMount, SandboxUser } from '../policy/index.ts';

export type WorkspaceFailure = Failure<Code>;

export type PrepareRequest = {
  readonly project: string;
  readonly mode: WorkspaceMode;
  readonly hide: { readonly add: readonly string[]; readonly show: readonly string[] };
  /** The session's own folder (0700, exists): upper, work, masks and the manifest live below it. */
  readonly folder: string;
};

/** A prepared working copy, ready to be mounted. */
export type WorkingCopy = {
  readonly mounts: readonly SandboxMount[];
  readonly user: SandboxUser;
  readonly hidden: readonly HiddenFile[];
  /** Undoes what the host holds for it (idmapped mounts). Call after the containers are gone. Keeps the changes. Idempotent. */
  readonly release: () => Promise<Result<void, WorkspaceFailure>>;
};

export type Workspace = {
  /** What a session would see and hide, with reasons. Changes nothing. */
  readonly inspect: (
    project: string,
    signal: AbortSignal,
  ) => Promise<Result<ProjectInspection, WorkspaceFailure>>;
  /** The real path of a folder that a session of that mode may work on. Cheap, changes nothing: asked before anything starts. */
  readonly admit: (
    request: Pick<PrepareRequest, 'project' | 'mode'>,
  ) => Promise<Result<string, WorkspaceFailure>>;
  readonly prepare: (
    request: PrepareRequest,
    signal: AbortSignal,
  ) => Promise<Result<WorkingCopy, WorkspaceFailure>>;
  /** The values in a project's hidden files, for whoever watches that they stay where they are. */
  readonly hiddenValues: (
    project: string,
    hidden: readonly HiddenFile[],
    signal: AbortSignal,
  ) => Promise<Result<HiddenValues, WorkspaceFailure>>;
  /** Number of changed files so far; cheap enough to ask every few seconds while the session runs. */
  readonly countChanges: (folder: string) => Promise<number | undefined>;
  /** What the session changed. Reads the session's folder and the project; follows no link out of either. */
  readonly changes: (
    folder: string,
    signal: AbortSignal,
  ) => Promise<Result<ChangeSet, WorkspaceFailure>>;
  /** Brings every change to the host project, except what is held back. All or nothing up to the first write failure, which says how far it came. */
  readonly accept: (
    folder: string,
    signal: AbortSignal,
  ) => Promise<Result<AcceptReport, WorkspaceFailure>>;
  /** Throws the session's changes away. */
  readonly discard: (folder: string) => Promise<Result<void, WorkspaceFailure>>;
  /** After a crash: undoes what a dead owner's sessions still hold on the host (idmapped mounts below `folder`). */
  readonly sweep: (folder: string) => Promise<Result<void, WorkspaceFailure>>;
};
