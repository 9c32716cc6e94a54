import type { Code, Program, TimelineDraft } from '../contract/index.ts';
import type { Clock, Failure, Result, Scope } from '../kit/index.ts';

export type GuardFailure = Failure<Code>;

/** A connection inside the sandbox whose program is asked for. */
export type GuardedFlow = {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 4 | 6;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
};

/** The host's end of the guard container: file touches in, process ownership on request. */
export type Guard = {
  /** Resolves once the guard has marked the working copy; the assistant may start only then. */
  readonly ready: (signal: AbortSignal) => Promise<Result<void, GuardFailure>>;
  /** The program that owns a connection, or undefined where it is gone or unknown. */
  readonly owner: (flow: GuardedFlow) => Promise<Program | undefined>;
};

export type GuardOptions = {
  /** Host folder (0700) in which the host listens on `guard.sock`. */
  readonly socketFolder: string;
  /** The project's absolute path, for relative display and for dropping what lies outside. */
  readonly watch: string;
  readonly clock: Clock;
  /** Touches, gaps and `guard-lost`, folded where the same process repeats itself. */
  readonly onEvents: (drafts: readonly TimelineDraft[]) => void;
};

/** Listens before the guard container starts. */
export type OpenGuard = (
  options: GuardOptions,
  scope: Scope,
) => Promise<Result<Guard, GuardFailure>>;
