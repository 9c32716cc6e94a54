export { openGuard } from './guard.ts';
export type { Guard, GuardedFlow, GuardFailure, GuardOptions, OpenGuard } from './port.ts';
