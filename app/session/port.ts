import type {
  AcceptReport,
  ChangeSet,
  Code,
  EgressDraft,
  QuestionId,
  Reply,
  SessionId,
  SessionSummary,
  StartRequest,
  TerminalId,
  TerminalSize,
} from '../contract/index.ts';
import type { Failure, Result } from '../kit/index.ts';
import type { Terminal } from '../terminal/port.ts';
import type { TimelineReader, TimelineWriter } from '../timeline/port.ts';

export type SessionFailure = Failure<Code>;

/** A headless command in place of a terminal (`glovebox run` without a TTY). */
export type HeadlessIo = {
  readonly stdin: NodeJS.ReadableStream | undefined;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
};

export type Sessions = {
  readonly list: () => readonly SessionSummary[];
  readonly get: (id: SessionId) => SessionSummary | undefined;
  readonly onChange: (
    listener: (
      change: { type: 'changed'; session: SessionSummary } | { type: 'gone'; id: SessionId },
    ) => void,
  ) => () => void;
  /** Answers once the session exists; progress and readiness come through `onChange`. */
  readonly start: (
    request: StartRequest,
    io?: HeadlessIo,
  ) => Promise<Result<SessionSummary, SessionFailure>>;
  /** Resolves when the session is over (stopped or failed), with its last summary. */
  readonly ended: (id: SessionId) => Promise<SessionSummary>;
  readonly stop: (id: SessionId) => Promise<Result<SessionSummary, SessionFailure>>;
  /** Answers an open question, also of a session that another process runs. */
  readonly answer: (
    id: SessionId,
    question: QuestionId,
    reply: Reply,
  ) => Promise<Result<void, SessionFailure>>;
  /** A person who can answer is there until the returned function is called; without one, questions are answered with no. */
  readonly attend: () => () => void;
  readonly changes: (id: SessionId) => Promise<Result<ChangeSet, SessionFailure>>;
  readonly accept: (id: SessionId) => Promise<Result<AcceptReport, SessionFailure>>;
  readonly discard: (id: SessionId) => Promise<Result<void, SessionFailure>>;
  readonly forget: (id: SessionId) => Promise<Result<void, SessionFailure>>;
  readonly openTerminal: (
    id: SessionId,
    size: TerminalSize,
  ) => Promise<Result<Terminal, SessionFailure>>;
  readonly terminal: (id: SessionId, terminal: TerminalId) => Terminal | undefined;
  /** The running session's writer, or a reader on an ended one's file (cached; closed by the service). */
  readonly timeline: (id: SessionId) => Result<TimelineReader | TimelineWriter, SessionFailure>;
  readonly openRequests: (id: SessionId) => readonly EgressDraft[];
  readonly onOpenRequests: (
    id: SessionId,
    listener: (open: readonly EgressDraft[]) => void,
  ) => () => void;
};
