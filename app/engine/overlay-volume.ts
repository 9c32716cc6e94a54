import { fail, ok, type Result } from '../kit/index.ts';
import type { SandboxMount } from '../policy/index.ts';
import type { EngineFailure } from './port.ts';

/** mount(2) passes at most one page of options, including the terminating NUL. */
export const MAX_MOUNT_OPTION_BYTES = 4095;

type Overlay = Extract<SandboxMount, { type: 'overlay' }>;

/**
 * Escapes a path for overlayfs: `:` separates lower layers and `\` escapes. A comma separates options,
 * for the engine's own parser too, and cannot be said reliably: such a path has no overlay.
 */
export const overlayPath = (path: string): Result<string, EngineFailure> => {
  if (!path.startsWith('/') || path.includes('\0') || path.includes(',')) {
    return fail(
      'workspace.unsupported',
      `${path.replaceAll('\0', '␀')}: a path with a comma cannot be part of an overlay.`,
      'Rename the folder, or use the “live” working copy.',
    );
  }
  return ok(path.replaceAll('\\', '\\\\').replaceAll(':', '\\:'));
};

/** Options of the engine's `local` volume driver for one overlay mount (its `o` goes to mount(2) as data). */
export const overlayDriverOptions = (
  mount: Overlay,
): Result<{ type: 'overlay'; device: 'overlay'; o: string }, EngineFailure> => {
  const parts: string[] = [];
  for (const [name, path] of [
    ['lowerdir', mount.lower],
    ['upperdir', mount.upper],
    ['workdir', mount.work],
  ] as const) {
    const escaped = overlayPath(path);
    if (!escaped.ok) return escaped;
    parts.push(`${name}=${escaped.value}`);
  }
  const bad = mount.options.find((option) => !/^[a-z_]+(=[A-Za-z0-9_]+)?$/.test(option));
  if (bad !== undefined) {
    return fail('workspace.unsupported', `“${bad}” cannot be an overlay option.`);
  }
  const o = [...parts, ...mount.options].join(',');
  if (Buffer.byteLength(o) > MAX_MOUNT_OPTION_BYTES) {
    return fail(
      'workspace.unsupported',
      'The paths of this working copy are together too long for an overlay.',
      'Move the project or GLOVEBOX_HOME to a shorter path, or use the “live” working copy.',
    );
  }
  return ok({ type: 'overlay', device: 'overlay', o });
};
