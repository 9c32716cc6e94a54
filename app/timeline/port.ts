import type {
  Code,
  SessionId,
  TimelineBucket,
  TimelineCheck,
  TimelineCounts,
  TimelineDraft,
  TimelineEvent,
  TimelineFilter,
} from '../contract/index.ts';
import type { Failure, Result } from '../kit/index.ts';

export type TimelineFailure = Failure<Code>;

export type TimelineReader = {
  /** Newest first; `before` excludes. */
  readonly page: (query: {
    readonly filter: TimelineFilter;
    readonly before?: number;
    readonly limit: number;
  }) => Result<
    {
      readonly events: readonly TimelineEvent[];
      readonly counts: TimelineCounts;
      readonly more: boolean;
    },
    TimelineFailure
  >;
  /** Oldest first, from `after` (exclusive); for exports and `--follow`. */
  readonly since: (
    after: number,
    limit: number,
  ) => Result<readonly TimelineEvent[], TimelineFailure>;
  readonly overview: (columns: number) => Result<readonly TimelineBucket[], TimelineFailure>;
  readonly verify: () => Result<TimelineCheck, TimelineFailure>;
  readonly close: () => void;
};

/** One session's record. Appends are batched; `flush` waits until all so far is on disk. Closed or failing: appends report a gap, never silence. */
export type TimelineWriter = TimelineReader & {
  readonly append: (drafts: readonly TimelineDraft[]) => void;
  readonly flush: () => Promise<Result<void, TimelineFailure>>;
  /** Recorded events as they are committed, in order, with the counts after them. */
  readonly onRecorded: (
    listener: (events: readonly TimelineEvent[], counts: TimelineCounts) => void,
  ) => () => void;
  readonly onFailure: (listener: (failure: TimelineFailure) => void) => () => void;
};

export type TimelineFile = { readonly path: string; readonly session: SessionId };
