import { z } from 'zod';
import { MAX_MESSAGE_CHARS, MAX_NAME_CHARS } from './bounds.ts';
import { Problem } from './session.ts';

export const EngineStatus = z.strictObject({
  state: z.enum(['ready', 'missing', 'lost', 'checking']),
  /** `Docker 28.5`, `Podman 5.6`. */
  title: z.string().max(MAX_NAME_CHARS).optional(),
  problem: Problem.optional(),
});
export type EngineStatus = z.infer<typeof EngineStatus>;

export const VaultStatus = z.strictObject({
  store: z.enum(['keychain', 'sealed', 'none']),
  state: z.enum(['open', 'locked', 'unavailable']),
  credentials: z.int().min(0).optional(),
  problem: Problem.optional(),
});
export type VaultStatus = z.infer<typeof VaultStatus>;

export const HostStatus = z.strictObject({
  version: z.string().max(64),
  /** `electron` or `browser`, and in one line why. */
  shell: z.string().max(MAX_MESSAGE_CHARS),
  homeFolder: z.string().max(4096),
  cores: z.int().min(1),
  memoryBytes: z.int().min(0),
  engine: EngineStatus,
  vault: VaultStatus,
});
export type HostStatus = z.infer<typeof HostStatus>;

export const GuaranteeState = z.enum(['enforced', 'partial', 'absent']);
export const Guarantee = z.strictObject({
  id: z.string().max(8),
  promise: z.string().max(MAX_MESSAGE_CHARS),
  state: GuaranteeState,
  note: z.string().max(MAX_MESSAGE_CHARS),
});
export type Guarantee = z.infer<typeof Guarantee>;
