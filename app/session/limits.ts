import { availableParallelism, totalmem } from 'node:os';
import type { Limits } from '../contract/index.ts';
import type { SandboxLimits } from '../policy/index.ts';

const GIB = 1024 ** 3;
export const MIN_DEFAULT_MEMORY_BYTES = 1 * GIB;
export const MAX_DEFAULT_MEMORY_BYTES = 8 * GIB;
export const DEFAULT_PIDS = 4096;

/** What the sandbox may use: what was asked, else half the memory (1 to 8 GiB), all processors, 4096 processes. */
export const sandboxLimits = (
  asked: Limits,
  host = { memoryBytes: totalmem(), cores: availableParallelism() },
): SandboxLimits => ({
  memoryBytes:
    asked.memoryBytes ??
    Math.min(
      MAX_DEFAULT_MEMORY_BYTES,
      Math.max(MIN_DEFAULT_MEMORY_BYTES, Math.floor(host.memoryBytes / 2)),
    ),
  cpus: asked.cpus ?? host.cores,
  pids: asked.pids ?? DEFAULT_PIDS,
});
