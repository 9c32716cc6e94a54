import { join } from 'node:path';
import type { Code, SessionId } from '../contract/index.ts';
import { fail, ok, type Failure, type Result } from '../kit/index.ts';

/** Longest path a Unix socket may have: `sun_path` holds 108 bytes with the final NUL on Linux (unix(7)), 104 on macOS. */
export const MAX_SOCKET_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;

/** Where one session keeps what. `folder` outlives the session, `run` ends with it. */
export type SessionPaths = {
  /** 0700: the record, the timeline, the changes. */
  readonly folder: string;
  readonly record: string;
  readonly timeline: string;
  /** Room kept back while the session runs, for the timeline and for the record: see `keepReserve`. */
  readonly timelineReserve: string;
  readonly recordReserve: string;
  /** 0700: sockets and the files that are mounted into the sandbox. */
  readonly run: string;
  /** Mounted into the gateway; holds `link.sock` and `handover.sock`. */
  readonly link: string;
  /** Mounted into the guard; holds `guard.sock`. */
  readonly guard: string;
  /** Files that the sandbox sees read-only below /etc. */
  readonly etc: string;
  /** Its presence asks the owner to stop the session; written by other processes. */
  readonly stopRequest: string;
  /** Holds answers to open questions, one file each; written by other processes. */
  readonly answers: string;
};

export const sessionsFolder = (home: string): string => join(home, 'sessions');
export const runFolder = (home: string): string => join(home, 'run');

export const sessionPaths = (home: string, id: SessionId): SessionPaths => {
  const folder = join(sessionsFolder(home), id);
  const run = join(runFolder(home), id);
  return {
    folder,
    record: join(folder, 'session.json'),
    timeline: join(folder, 'timeline.sqlite'),
    timelineReserve: join(folder, 'timeline.reserve'),
    recordReserve: join(folder, 'session.reserve'),
    run,
    link: join(run, 'link'),
    guard: join(run, 'guard'),
    etc: join(run, 'etc'),
    stopRequest: join(run, 'stop'),
    answers: join(run, 'answers'),
  };
};

/** Refuses a home folder that is too deep for the sockets that will live in it. */
export const checkSocketPaths = (paths: SessionPaths): Result<void, Failure<Code>> => {
  for (const socket of [join(paths.link, 'handover.sock'), join(paths.guard, 'guard.sock')]) {
    const bytes = Buffer.byteLength(socket);
    if (bytes > MAX_SOCKET_PATH_BYTES) {
      return fail(
        'host.home',
        `The socket ${socket} would have a path of ${bytes} bytes; the system takes ${MAX_SOCKET_PATH_BYTES}.`,
        'Set GLOVEBOX_HOME to a folder with a shorter path.',
      );
    }
  }
  return ok(undefined);
};
