import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import {
  HiddenFile,
  HostPath,
  MAX_HIDDEN_FILES,
  ProjectPath,
  WorkspaceMode,
} from '../contract/index.ts';

/** Largest manifest that is read back. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/** What a prepared working copy must remember until it is accepted or discarded. */
export const Manifest = z.strictObject({
  version: z.literal(1),
  project: HostPath,
  mode: WorkspaceMode,
  user: z.strictObject({ uid: z.int().min(1), gid: z.int().min(1) }),
  /** The project belongs to root and is shown with ids 0 and the user's exchanged. */
  mapped: z.boolean(),
  /** Nanoseconds since the epoch, by the kernel's clock: what the host changed later conflicts. */
  startedNs: z.string().regex(/^[0-9]{1,20}$/),
  hidden: z.array(HiddenFile).max(MAX_HIDDEN_FILES),
  /** Files that we put into the upper layer, with the SHA-256 of their content. */
  placed: z
    .array(z.strictObject({ path: ProjectPath, sha256: z.string().length(64) }))
    .max(MAX_HIDDEN_FILES),
  /** Live mode: what we made in the project so that it can be mounted over; taken away again. */
  created: z.array(ProjectPath).max(MAX_HIDDEN_FILES),
  state: z.enum(['open', 'accepted']),
});
export type Manifest = z.infer<typeof Manifest>;

/** Written whole or not at all. */
export const writeManifest = async (path: string, manifest: Manifest): Promise<void> => {
  await writeFile(`${path}.new`, JSON.stringify(manifest), { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
};

/** The manifest, or undefined where there is none. Throws on one that does not fit: it decides what is written. */
export const readManifest = async (path: string): Promise<Manifest | undefined> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw failure;
  }
  if (text.length > MAX_MANIFEST_BYTES) throw new Error('the manifest is larger than its limit');
  return Manifest.parse(JSON.parse(text));
};
