import type { StartBroker } from '../broker/port.ts';
import type { Code } from '../contract/index.ts';
import type { Engine } from '../engine/port.ts';
import type { OpenGuard } from '../guard/port.ts';
import type { Clock, Failure, Result } from '../kit/index.ts';
import type { TimelineFile, TimelineReader, TimelineWriter } from '../timeline/port.ts';
import type { Vault } from '../vault/port.ts';
import type { Workspace } from '../workspace/port.ts';
import type { Owner } from './owner.ts';

/** Where a session's own troubles are told. Never given a secret. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  details?: Readonly<Record<string, unknown>>,
) => void;

/** The rooms that a session joins, each by its port, so that the state machine is tested without any. */
export type SessionDeps = {
  /** GLOVEBOX_HOME: exists, 0700, ours. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Log;
  /** An engine that answers now; looks again where the last one did not. */
  readonly engine: () => Promise<Result<Engine, Failure<Code>>>;
  readonly workspace: Workspace;
  readonly vault: Pick<Vault, 'list' | 'reveal' | 'rotate'>;
  readonly startBroker: StartBroker;
  readonly openGuard: OpenGuard;
  /** Opens or continues the record of a session. */
  readonly openTimeline: (
    file: TimelineFile,
  ) => Result<TimelineWriter, Failure<Code>> | Promise<Result<TimelineWriter, Failure<Code>>>;
  readonly readTimeline: (file: TimelineFile) => Result<TimelineReader, Failure<Code>>;
  /** This process; given by tests that play several. */
  readonly owner?: Owner;
};
