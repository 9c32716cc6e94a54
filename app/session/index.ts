export type { Log, SessionDeps } from './deps.ts';
export { isAlive, Owner, thisOwner } from './owner.ts';
export { MAX_SOCKET_PATH_BYTES } from './paths.ts';
export type { HeadlessIo, SessionFailure, Sessions } from './port.ts';
export { createSessions } from './sessions.ts';
export type { SessionService } from './sessions.ts';
