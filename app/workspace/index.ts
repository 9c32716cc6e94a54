export { createWorkspace } from './workspace.ts';
export type { WorkspaceDeps } from './workspace.ts';
export type { PrepareRequest, WorkingCopy, Workspace, WorkspaceFailure } from './port.ts';
