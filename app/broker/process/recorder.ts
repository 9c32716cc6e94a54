import { isoTime, type Clock } from '../../kit/index.ts';
import { MAX_BATCH_RECORDS } from '../batch.ts';
import type { BrokerDraft } from '../protocol.ts';

/** Most records that wait for the host at once; past it nothing more is let out, and refusals are counted as a gap. */
export const MAX_WAITING_RECORDS = 8192;
/** How long a first record waits for company before a batch is sent. */
export const BATCH_MS = 15;

/** Where records go on their way to the timeline. */
export type Recorder = {
  readonly record: (draft: BrokerDraft) => void;
  /** Whether there is room for more; where there is none, nothing may happen that has to be on record. */
  readonly room: () => boolean;
  /** The host has taken the last batch. */
  readonly taken: () => void;
  /** Resolves when everything has been sent and taken. */
  readonly flush: () => Promise<void>;
};

/** Something that was let past the wall, or a value lent for it: never dropped. */
const mustBeTold = (draft: BrokerDraft): boolean =>
  (draft.kind === 'credential' && draft.op === 'used') ||
  (draft.kind === 'egress' && draft.verdict === 'allowed');

/** Batches records and keeps one batch under way, so that a slow host costs memory up to a bound and no more. */
export const createRecorder = (
  clock: Clock,
  send: (drafts: readonly BrokerDraft[]) => void,
  maxWaiting: number = MAX_WAITING_RECORDS,
): Recorder => {
  let waiting: BrokerDraft[] = [];
  let lost = 0;
  let underWay = false;
  let timer: (() => void) | undefined;
  let idle: (() => void)[] = [];

  const pump = (): void => {
    timer?.();
    timer = undefined;
    if (underWay) return;
    if (waiting.length === 0 && lost === 0) {
      for (const resolve of idle) resolve();
      idle = [];
      return;
    }
    const batch = waiting.slice(0, MAX_BATCH_RECORDS - 1);
    waiting = waiting.slice(batch.length);
    if (lost > 0 && waiting.length === 0) {
      batch.push({
        kind: 'gap',
        at: isoTime(clock.now()),
        source: 'broker',
        lost,
        message: 'More happened at once than could be recorded.',
      });
      lost = 0;
    }
    underWay = true;
    send(batch);
  };

  return {
    record: (draft) => {
      // What is under way when the room ends is bounded by itself, and no more is let out.
      if (waiting.length >= maxWaiting && !mustBeTold(draft)) {
        lost += 1;
        return;
      }
      waiting.push(draft);
      if (waiting.length >= MAX_BATCH_RECORDS - 1) pump();
      else if (timer === undefined && !underWay) timer = clock.after(BATCH_MS, pump);
    },
    room: () => waiting.length < maxWaiting,
    taken: () => {
      underWay = false;
      if (waiting.length > 0 || lost > 0 || idle.length > 0) pump();
    },
    flush: () =>
      new Promise((resolve) => {
        idle.push(resolve);
        pump();
      }),
  };
};
