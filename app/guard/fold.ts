import type { Program, TouchDraft, TouchOp } from '../contract/index.ts';
import { isoTime, type Clock } from '../kit/index.ts';

/** How long a touch waits for its like before it is told. */
export const FOLD_MS = 200;
/** How long a process that goes on with the same file is told of only once. */
export const REPEAT_MS = 5000;
/** Most touches that wait; a flood is told at once, in order. */
export const MAX_WAITING = 20_000;
/** Most touches whose repetition is remembered. */
export const MAX_REMEMBERED = 8192;

export type SeenTouch = {
  readonly op: TouchOp;
  readonly path: string;
  readonly to: string | undefined;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Tells programs apart; equal touches of one are folded. */
  readonly programId: number;
  readonly program: Program | undefined;
};

export type Fold = {
  readonly add: (touch: SeenTouch) => void;
  /** Tells everything that waits, now. */
  readonly flush: () => void;
};

type Waiting = { readonly touch: SeenTouch; count: number; readonly due: number };

/** What may repeat without being news. Creations, renames and deletions are each told. */
const REPEATS: ReadonlySet<TouchOp> = new Set(['open', 'read', 'write', 'exec']);
/** What says more than that a file was opened. */
const SAYS_MORE: readonly TouchOp[] = ['read', 'write', 'create', 'exec'];

const keyOf = (op: TouchOp, touch: SeenTouch): string => `${touch.programId} ${op} ${touch.path}`;

const draftOf = ({ touch, count }: Waiting): TouchDraft => ({
  kind: 'touch',
  at: isoTime(touch.time),
  op: touch.op,
  path: touch.path,
  verdict: 'allowed',
  ...(touch.to !== undefined && { to: touch.to }),
  ...(touch.program !== undefined && { program: touch.program }),
  ...(count > 1 && { count }),
});

/**
 * Folds what one program does again and again to one file into one record with a count. An open that is
 * followed by a read, write or exec of the same program within the time is not told on its own.
 */
export const createFold = (clock: Clock, emit: (drafts: readonly TouchDraft[]) => void): Fold => {
  // In order of arrival. Keys of what does not repeat are made unlike any other.
  const waiting = new Map<string, Waiting>();
  const remembered = new Map<string, number>();
  let unique = 0;
  let cancel: (() => void) | undefined;
  let timerDue = Infinity;

  const send = (all: boolean): void => {
    const now = clock.monotonic();
    const drafts: TouchDraft[] = [];
    let earliest = Infinity;
    for (const [key, entry] of waiting) {
      if (!all && entry.due > now) {
        earliest = Math.min(earliest, entry.due);
        continue;
      }
      waiting.delete(key);
      drafts.push(draftOf(entry));
      if (REPEATS.has(entry.touch.op)) {
        remembered.delete(key);
        remembered.set(key, now + REPEAT_MS);
      }
    }
    for (const [key, until] of remembered) {
      if (until > now && remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(key);
    }
    schedule(earliest);
    if (drafts.length > 0) emit(drafts);
  };

  const schedule = (due: number): void => {
    cancel?.();
    cancel = undefined;
    timerDue = due;
    if (due === Infinity) return;
    cancel = clock.after(Math.max(0, due - clock.monotonic()), () => {
      send(false);
    });
  };

  return {
    add: (touch) => {
      const now = clock.monotonic();
      if (!REPEATS.has(touch.op)) {
        unique += 1;
        waiting.set(`${unique}`, { touch, count: touch.count, due: now + FOLD_MS });
        if (touch.op === 'create') {
          waiting.delete(keyOf('open', touch));
          remembered.set(keyOf('create', touch), now + FOLD_MS);
        }
      } else {
        if (touch.op === 'open') {
          // Already told, or about to be, with more than this.
          const more = SAYS_MORE.some((op) => {
            const key = keyOf(op, touch);
            return waiting.has(key) || (remembered.get(key) ?? 0) > now;
          });
          if (more) return;
        } else {
          waiting.delete(keyOf('open', touch));
        }
        const key = keyOf(touch.op, touch);
        const same = waiting.get(key);
        if (same !== undefined) {
          same.count += touch.count;
          return;
        }
        const due = Math.max(now + FOLD_MS, remembered.get(key) ?? 0);
        waiting.set(key, { touch, count: touch.count, due });
      }
      if (waiting.size >= MAX_WAITING) send(true);
      else if (now + FOLD_MS < timerDue) schedule(now + FOLD_MS);
    },
    flush: () => {
      send(true);
    },
  };
};
