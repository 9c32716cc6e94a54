import type { Duplex, Readable, Writable } from 'node:stream';
import type { AssistantName, Code, Progress, SessionId, TerminalSize } from '../contract/index.ts';
import type { Failure, Result, Scope } from '../kit/index.ts';
import type { SandboxLimits, SandboxMount, SandboxUser } from '../policy/index.ts';

export type EngineFailure = Failure<Code>;

/** Image ids (sha256:…) of one session's three containers. */
export type SessionImages = {
  readonly sandbox: string;
  readonly gateway: string;
  readonly guard: string;
};

export type GatewaySpec = {
  readonly session: SessionId;
  readonly image: string;
  readonly user: SandboxUser;
  /** Host folder (0700) that holds the broker's `link.sock` and `handover.sock`; mounted at /run/glovebox. */
  readonly linkFolder: string;
  /** Name of the machine, for gateway and sandbox alike (the sandbox takes it over with the network namespace). */
  readonly hostname?: string;
};

export type SandboxSpec = {
  readonly session: SessionId;
  readonly image: string;
  readonly user: SandboxUser;
  /** The container whose network namespace it joins. */
  readonly gateway: string;
  /** As given to the gateway: a joined network namespace brings its name along, engines refuse a second one. */
  readonly hostname: string;
  readonly workingFolder: string;
  readonly mounts: readonly SandboxMount[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: SandboxLimits;
};

export type GuardSpec = {
  readonly session: SessionId;
  readonly image: string;
  /** The container whose pid namespace it joins. */
  readonly sandbox: string;
  /** Host folder (0700) that holds `guard.sock`; mounted at /run/glovebox. */
  readonly socketFolder: string;
  /** The sandbox's mount to watch: the project's absolute path. */
  readonly watch: string;
};

export type ExecSpec = {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly workingFolder: string;
  readonly user: SandboxUser;
} & ({ readonly tty: true; readonly size: TerminalSize } | { readonly tty: false });

/** A command under way in a container. The exec is the hold's end: nothing of the assistant runs before it. */
export type Exec = {
  /** With a TTY: both ways. Without: `stdout` and `stderr` are apart. */
  readonly io:
    | { readonly tty: true; readonly stream: Duplex }
    | {
        readonly tty: false;
        readonly stdin: Writable;
        readonly stdout: Readable;
        readonly stderr: Readable;
      };
  readonly resize: (size: TerminalSize) => Promise<void>;
  /** Resolves with the exit status; 137 where it was killed with its container, -1 where the engine is lost. */
  readonly exit: Promise<number>;
};

export type Running = {
  readonly id: string;
  /** Resolves when the container is no longer running, with the last lines it wrote (for error messages). */
  readonly ended: Promise<{ readonly exitCode: number; readonly tail: string }>;
};

/** The container engine, seen through what Glovebox does with it. The only importer of dockerode. */
export type Engine = {
  /** `Docker 28.5`, `Podman 5.6`. */
  readonly title: string;
  /** Where it answers: a socket path or URL, for messages. */
  readonly address: string;
  /** Whether an assistant's images are there, with the version inside. Builds nothing. */
  readonly imageState: (
    assistant: AssistantName,
  ) => Promise<{ readonly state: 'ready' | 'builds-once' | 'unknown'; readonly version?: string }>;
  /** Builds what is missing (labelled and cached by the hash of its inputs); a second call builds nothing. */
  readonly ensureImages: (
    assistant: AssistantName,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ) => Promise<Result<SessionImages, EngineFailure>>;
  readonly startGateway: (
    spec: GatewaySpec,
    signal: AbortSignal,
  ) => Promise<Result<Running, EngineFailure>>;
  readonly startSandbox: (
    spec: SandboxSpec,
    signal: AbortSignal,
  ) => Promise<Result<Running, EngineFailure>>;
  readonly startGuard: (
    spec: GuardSpec,
    signal: AbortSignal,
  ) => Promise<Result<Running, EngineFailure>>;
  readonly exec: (container: string, spec: ExecSpec) => Promise<Result<Exec, EngineFailure>>;
  /** Stops and removes every container, volume and network of the session. Idempotent; volumes last. */
  readonly removeSession: (session: SessionId) => Promise<Result<void, EngineFailure>>;
  /** Removes what dead owners left (labels: install, session, owner pid and its start time). Returns the sessions swept. */
  readonly sweep: () => Promise<Result<readonly SessionId[], EngineFailure>>;
  /** Whether it still answers. */
  readonly ping: () => Promise<boolean>;
};

export type EngineOptions = {
  /** Identifies this installation (one per GLOVEBOX_HOME) in labels. */
  readonly installId: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of sandbox-images/ in the installed app. */
  readonly imagesFolder: string;
  /** Image folder of the plain shell, where it is not the base itself. */
  readonly shellImage?: string;
};

/** Looks through DOCKER_HOST, the Docker context, then the usual sockets; the first that answers wins. */
export type FindEngine = (
  options: EngineOptions,
  scope: Scope,
) => Promise<Result<Engine, EngineFailure>>;
