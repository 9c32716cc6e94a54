import type { Broker } from '../broker/port.ts';
import type { Running } from '../engine/port.ts';
import type { Guard } from '../guard/port.ts';
import { failure, FailureError, unwrap } from '../kit/index.ts';
import type { SessionDeps } from './deps.ts';
import { LOST_EXIT, lostWhile } from './lost.ts';
import { within } from './together.ts';

/** How long the gateway may take to connect to the broker. */
export const LINK_TIMEOUT_MS = 20_000;
/** How long the guard may take to mark the working copy. */
export const GUARD_TIMEOUT_MS = 20_000;

/** Rejects as soon as the container ends, with what it said last. */
const orEnds = async <T>(
  container: Running,
  code: 'gateway.failed' | 'guard.failed',
  what: string,
  task: Promise<T>,
): Promise<T> =>
  Promise.race([
    task,
    container.ended.then(({ exitCode, tail }) => {
      if (exitCode === LOST_EXIT) throw lostWhile(`Starting ${what}`);
      const said = tail.trim() === '' ? '' : ` It said: ${tail.trim().slice(-2000)}`;
      throw new FailureError(failure(code, `${what} ended with status ${exitCode}.${said}`));
    }),
  ]);

/** Waits until the gateway has handed its sockets to the broker. */
export const waitLinked = (
  deps: SessionDeps,
  broker: Broker,
  gateway: Running,
  signal: AbortSignal,
): Promise<void> =>
  within(
    deps.clock,
    signal,
    {
      ms: LINK_TIMEOUT_MS,
      late: failure(
        'gateway.failed',
        `The gateway did not connect to the broker within ${LINK_TIMEOUT_MS / 1000} seconds.`,
      ),
    },
    async (limited) => {
      unwrap(await orEnds(gateway, 'gateway.failed', 'The gateway', broker.linked(limited)));
    },
  );

/** Waits until the guard watches the working copy. */
export const waitReady = (
  deps: SessionDeps,
  guard: Guard,
  container: Running,
  signal: AbortSignal,
): Promise<void> =>
  within(
    deps.clock,
    signal,
    {
      ms: GUARD_TIMEOUT_MS,
      late: failure(
        'guard.failed',
        `The guard did not watch the working copy within ${GUARD_TIMEOUT_MS / 1000} seconds.`,
      ),
    },
    async (limited) => {
      unwrap(await orEnds(container, 'guard.failed', 'The guard', guard.ready(limited)));
    },
  );
