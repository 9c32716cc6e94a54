import { failure } from '../kit/index.ts';
import type { EngineFailure } from './port.ts';

type Thrown = {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly message?: unknown;
  readonly name?: unknown;
  readonly json?: unknown;
};

const asThrown = (thrown: unknown): Thrown =>
  typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) };

/** The engine's HTTP status behind a thrown error, where it has one. */
export const statusOf = (thrown: unknown): number | undefined => {
  const status = asThrown(thrown).statusCode;
  return typeof status === 'number' ? status : undefined;
};

const GONE = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND']);

/** Whether the engine could not be talked to at all (as against: it answered and refused). */
export const isLost = (thrown: unknown): boolean => {
  const { code, message } = asThrown(thrown);
  return (typeof code === 'string' && GONE.has(code)) || message === 'socket hang up';
};

/** What the engine said, without dockerode's wrapping. */
export const wordsOf = (thrown: unknown): string => {
  const { json, message } = asThrown(thrown);
  if (typeof json === 'object' && json !== null && 'message' in json)
    return String(json.message).trim();
  return (typeof message === 'string' ? message : 'unknown error')
    .replace(/^\(HTTP code \d+\) [^-]* - /, '')
    .trim();
};

/** Turns what dockerode threw while `doing` something into a failure that a user can act on. */
export const engineFailure = (thrown: unknown, doing: string): EngineFailure => {
  const said = wordsOf(thrown);
  const { code, name } = asThrown(thrown);
  if (name === 'AbortError' || code === 'ABORT_ERR') {
    return failure('engine.failed', `${doing}: called off.`);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return failure(
      'engine.no-permission',
      `${doing}: the container engine refuses this user.`,
      'Add yourself to the group that owns the engine’s socket, or use a rootless engine.',
    );
  }
  if (isLost(thrown)) {
    return failure(
      'engine.lost',
      `${doing}: the container engine stopped answering (${said}).`,
      'Start the engine again; sessions that ran on it have ended.',
    );
  }
  if (/no space left on device/i.test(said)) {
    return failure(
      'workspace.disk-full',
      `${doing}: the engine’s disk is full.`,
      'Free some space.',
    );
  }
  return failure('engine.failed', `${doing}: ${said}`);
};
