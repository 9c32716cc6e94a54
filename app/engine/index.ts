export { ASSISTANT_IMAGES } from './assistants.ts';
export { SANDBOX_HOME, SANDBOX_RESOLVER, SOCKET_TARGET } from './container-options.ts';
export { findEngine } from './find.ts';
export type {
  Engine,
  EngineFailure,
  EngineOptions,
  Exec,
  ExecSpec,
  FindEngine,
  GatewaySpec,
  GuardSpec,
  Running,
  SandboxSpec,
  SessionImages,
} from './port.ts';
