/**
 * What a sandbox is made of, as plain data: written by workspace and session, carried out by engine.
 * Paths are absolute; `source` paths are the host's, `target` paths the sandbox's.
 */
export type SandboxMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | {
      /** The project below (read-only), the session's folder on top: the engine's local volume driver with type=overlay. */
      readonly type: 'overlay';
      readonly lower: string;
      readonly upper: string;
      readonly work: string;
      readonly target: string;
      /** Further mount options, as `mount(8)` takes them. */
      readonly options: readonly string[];
    }
  | {
      readonly type: 'volume';
      readonly name: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes: number;
      readonly mode: number;
    };

/** The unprivileged user that everything in the sandbox runs as. Never uid 0. */
export type SandboxUser = { readonly uid: number; readonly gid: number };

export type SandboxLimits = {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
};
