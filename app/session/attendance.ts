import { createEmitter, type Clock } from '../kit/index.ts';

/** How long nobody may be there before open questions are given up, in milliseconds: a page that loads again. */
export const ABSENCE_MS = 10_000;

/** Who is there to answer questions: windows that look at the sessions, a person at a terminal. */
export type Attendance = {
  /** Someone is there until the returned function is called. */
  readonly attend: () => () => void;
  readonly attended: () => boolean;
  /** Nobody has been there for `ABSENCE_MS`. */
  readonly onAbandoned: (listener: () => void) => () => void;
  readonly close: () => void;
};

export const createAttendance = (clock: Clock): Attendance => {
  const abandoned = createEmitter<undefined>();
  let present = 0;
  let cancel: (() => void) | undefined;
  return {
    attend: () => {
      present += 1;
      cancel?.();
      let here = true;
      return () => {
        if (!here) return;
        here = false;
        present -= 1;
        if (present > 0) return;
        cancel = clock.after(ABSENCE_MS, () => {
          if (present === 0) abandoned.emit(undefined);
        });
      };
    },
    attended: () => present > 0,
    onAbandoned: abandoned.on,
    close: () => cancel?.(),
  };
};
