import { z } from 'zod';
import { MAX_MESSAGE_CHARS, MAX_NAME_CHARS, MAX_PATH_CHARS } from './bounds.ts';
import { CODE_LIST } from './codes.ts';
import { HostPath, ProjectPath } from './text.ts';

export const WORKSPACE_MODES = ['overlay', 'clone', 'live'] as const;
export const WorkspaceMode = z.enum(WORKSPACE_MODES);
export type WorkspaceMode = z.infer<typeof WorkspaceMode>;

/** One thing the sandbox will see, and why. */
export const MountNote = z.strictObject({
  path: z.string().max(MAX_PATH_CHARS),
  how: z.enum(['copy-on-write', 'read-write', 'read-only', 'own-volume', 'memory']),
  /** In plain words: `the project`, `so that tools trust this session's inspector`. */
  why: z.string().max(MAX_MESSAGE_CHARS),
});
export type MountNote = z.infer<typeof MountNote>;

/** One file or folder that stays hidden, with the rule that hit it. */
export const HiddenFile = z.strictObject({
  path: ProjectPath,
  directory: z.boolean(),
  /** `name`: by its name; `content`: the secret scanner found something; `user`: added by the user. */
  by: z.enum(['name', 'content', 'user']),
  /** The rule in words: `.env files`, `private key inside`, `2 secrets inside (AWS)`. Never the secret. */
  rule: z.string().max(MAX_MESSAGE_CHARS),
});
export type HiddenFile = z.infer<typeof HiddenFile>;

export const MAX_HIDDEN_FILES = 10_000;

export const GitState = z.strictObject({
  branch: z
    .string()
    .max(MAX_NAME_CHARS * 4)
    .optional(),
  /** Number of uncommitted files; absent where it was not counted. */
  uncommitted: z.int().min(0).optional(),
});

export const ProjectInspection = z.strictObject({
  path: HostPath,
  name: z.string().max(MAX_PATH_CHARS),
  git: GitState.optional(),
  mounts: z.array(MountNote).max(64),
  hidden: z.array(HiddenFile).max(MAX_HIDDEN_FILES),
  /** What was looked at, so that "nothing found" means something. */
  scan: z.strictObject({
    files: z.int().min(0),
    bytes: z.int().min(0),
    /** Files too large, too many or unreadable, that only their names were judged by. */
    unread: z.int().min(0),
    durationMs: z.number().min(0),
  }),
  modes: z
    .array(
      z.strictObject({
        mode: WorkspaceMode,
        available: z.boolean(),
        /** Why it is not available. */
        reason: z.string().max(MAX_MESSAGE_CHARS).optional(),
      }),
    )
    .max(8),
  warnings: z
    .array(z.strictObject({ code: z.enum(CODE_LIST), message: z.string().max(MAX_MESSAGE_CHARS) }))
    .max(64),
});
export type ProjectInspection = z.infer<typeof ProjectInspection>;

export const MAX_CHANGES = 100_000;

/** One change of a session, for review. */
export const FileChange = z.strictObject({
  path: ProjectPath,
  change: z.enum(['added', 'modified', 'deleted', 'mode', 'type']),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  /** Size after the change. */
  bytes: z.int().min(0).optional(),
  /** Lines added and removed, for text files small enough to compare. */
  added: z.int().min(0).optional(),
  removed: z.int().min(0).optional(),
  /** Set where accepting it could run something on the host: hooks, tasks, scripts. In words. */
  wouldRun: z.string().max(MAX_MESSAGE_CHARS).optional(),
  /** Set where accept leaves it out, with the reason. */
  heldBack: z.string().max(MAX_MESSAGE_CHARS).optional(),
  /** The host's file changed too since the session began. */
  conflict: z.boolean().optional(),
});
export type FileChange = z.infer<typeof FileChange>;

export const ChangeSet = z.strictObject({
  changes: z.array(FileChange).max(MAX_CHANGES),
  /** True where the list was cut at its cap. */
  cut: z.boolean(),
});
export type ChangeSet = z.infer<typeof ChangeSet>;

export const AcceptReport = z.strictObject({
  applied: z.int().min(0),
  heldBack: z.array(FileChange).max(MAX_CHANGES),
});
export type AcceptReport = z.infer<typeof AcceptReport>;

export const FolderEntry = z.strictObject({
  name: z.string().max(MAX_PATH_CHARS),
  path: HostPath,
  git: z.boolean(),
});
export const FolderListing = z.strictObject({
  path: HostPath,
  parent: HostPath.optional(),
  folders: z.array(FolderEntry).max(2000),
});
export type FolderListing = z.infer<typeof FolderListing>;
