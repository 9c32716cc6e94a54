import { failure, FailureError } from '../kit/index.ts';

/** Exit status where the engine can no longer be asked. */
export const LOST_EXIT = -1;

/** The engine went away while something was waited for: what waited must not be blamed for it. */
export const lostWhile = (doing: string): FailureError =>
  new FailureError(
    failure(
      'engine.lost',
      `${doing}: the container engine stopped answering.`,
      'Start the engine again; sessions that ran on it have ended.',
    ),
  );
