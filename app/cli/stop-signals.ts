import { constants } from 'node:os';
import { systemClock, type Scope } from '../kit/index.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** A terminal and a parent may both pass on the same Ctrl+C: what comes this soon after the first is the same wish. */
export const SAME_WISH_MS = 2000;

/** The exit status of a program that a signal ended, as shells have it. */
export const signalStatus = (signal: StopSignal): number => 128 + constants.signals[signal];

/** Where signals come from and how the process ends; injected, because a test must not end. */
export type EndBy = {
  readonly source: Pick<NodeJS.Process, 'on' | 'removeListener'>;
  readonly now: () => number;
  readonly exit: (status: number) => void;
};

/** This process's own. */
export const endBy = (): EndBy => ({
  source: process,
  now: () => systemClock.monotonic(),
  exit: (status) => process.exit(status),
});

/**
 * Calls `stop` at the first signal that asks to end. One that comes later, from someone who is tired of
 * waiting, ends the process at once: what is left then is swept by the next start.
 */
export const onStopSignal = (
  stop: (signal: StopSignal) => void,
  deps: EndBy,
  scope: Scope,
): void => {
  let first: number | undefined;
  for (const signal of STOP_SIGNALS) {
    const onSignal = (): void => {
      if (first === undefined) {
        first = deps.now();
        stop(signal);
      } else if (deps.now() - first > SAME_WISH_MS) {
        deps.exit(signalStatus(signal));
      }
    };
    deps.source.on(signal, onSignal);
    scope.defer(() => {
      deps.source.removeListener(signal, onSignal);
    });
  }
};
