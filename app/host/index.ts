export { GUARANTEES } from './guarantees.ts';
export { homePath, openHome } from './home.ts';
export type { Home } from './home.ts';
export { createSessionHost } from './host.ts';
export { lockHome } from './lock.ts';
export type { HomeLock } from './lock.ts';
export type {
  Handlers,
  HostFailure,
  HostOptions,
  NetworkSurroundings,
  SessionHost,
  StreamOpeners,
} from './port.ts';
export { serveWire } from './wire-server.ts';
